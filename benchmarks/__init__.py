"""Measurements, as ratios between writers in one run."""
