"""Wires the exporter."""
