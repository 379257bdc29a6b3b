"""Wires the janitor: its worker on the `cleanup` queue, and the sweep beside it."""

from services.janitor.clean_up import TidyUp
from services.janitor.schedule import Scheduler
from services.janitor.settings import JanitorSettings
from services.janitor.sweep import Sweep
from services.janitor.sweeper import Sweeper
from shared.bell import Bell
from shared.contracts.queues import Queue
from shared.contracts.tasks import CleanUp
from shared.database import create_database_engine
from shared.settings import read_settings
from shared.storage import Storage
from shared.tasks.runner import Handler
from shared.tasks.store import TaskStore
from shared.worker import create_worker

settings = read_settings(JanitorSettings)


def build() -> dict[str, Handler]:
    """Make the handlers and their clients, in the process that runs tasks."""
    engine = create_database_engine(settings.database_url)
    storage = Storage.from_url(settings.storage_url)
    return {CleanUp.kind: TidyUp(engine, storage, settings)}


def build_sweep() -> Sweep:
    """Make the sweep, with clients of its own."""
    engine = create_database_engine(settings.database_url, pool_size=1)
    store = TaskStore(engine, settings.lease)
    storage = Storage.from_url(settings.storage_url)
    bell, scheduler = Bell(settings.redis_url), Scheduler(engine, settings)
    return Sweep(store, storage, bell, scheduler, settings.max_losses)


app = create_worker(
    settings,
    queues=(Queue.CLEANUP,),
    build=build,
    limits={CleanUp.kind: CleanUp.limits},
    loop=lambda: Sweeper(build_sweep, settings.sweep_seconds),
)
