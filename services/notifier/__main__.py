"""`python -m services.notifier` starts the notifier."""

from services.notifier.worker import app, settings
from shared.worker import run_worker

run_worker(app, settings, "services.notifier.worker")
