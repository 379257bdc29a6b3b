"""The services: gateway, exporter, notifier and janitor. None imports another."""
