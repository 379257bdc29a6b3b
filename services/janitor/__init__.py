"""The janitor: recovers what was lost, rings for what waits."""
