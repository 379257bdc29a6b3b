"""Wires the notifier: its worker on the `notification` queue."""

from services.notifier.settings import NotifierSettings
from shared.contracts.queues import Queue
from shared.settings import read_settings
from shared.tasks.runner import Handler
from shared.worker import create_worker

settings = read_settings(NotifierSettings)


def build() -> dict[str, Handler]:
    """Make the handlers; no kind of task is the notifier's yet."""
    return {}


app = create_worker(settings, queues=(Queue.NOTIFICATION,), build=build, limits={})
