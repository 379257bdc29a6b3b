"""Start the exporter."""
