"""`python -m services.janitor` starts the janitor."""

from services.janitor.worker import app, settings
from shared.worker import run_worker

run_worker(app, settings, "services.janitor.worker")
