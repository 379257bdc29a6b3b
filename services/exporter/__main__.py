"""`python -m services.exporter` starts the exporter."""

from services.exporter.worker import app, settings
from shared.worker import run_worker

run_worker(app, settings, "services.exporter.worker")
