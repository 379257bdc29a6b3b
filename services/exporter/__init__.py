"""The exporter: reads an application's rows and writes them into files."""
