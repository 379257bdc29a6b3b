"""The notifier: tells users that something has happened."""
