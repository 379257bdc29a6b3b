"""Wires the notifier: its settings, channels, handler and Celery app."""

from services.notifier.channels import build_channels
from services.notifier.notify import Notify
from services.notifier.settings import NotifierSettings
from services.notifier.wording import Writer
from shared.contracts.queues import Queue
from shared.contracts.tasks import Notification
from shared.database import create_database_engine
from shared.settings import read_settings
from shared.tasks.runner import Handler
from shared.worker import create_worker

settings = read_settings(NotifierSettings)


def build() -> dict[str, Handler]:
    """Make the handlers and their clients, in the process that runs tasks."""
    engine = create_database_engine(settings.database_url, pool_size=settings.concurrency)
    writer = Writer(settings.public_url, settings.file_retention_days)
    return {Notification.kind: Notify(engine, build_channels(settings, engine), writer, settings)}


app = create_worker(
    settings,
    queues=(Queue.NOTIFICATION,),
    build=build,
    limits={Notification.kind: Notification.limits},
)
