"""Wires the janitor: its worker on the `cleanup` queue, and the sweep beside it."""

from services.janitor.settings import JanitorSettings
from services.janitor.sweep import Sweep
from services.janitor.sweeper import Sweeper
from shared.bell import Bell
from shared.contracts.queues import Queue
from shared.database import create_database_engine
from shared.settings import read_settings
from shared.tasks.runner import Handler
from shared.tasks.store import TaskStore
from shared.worker import create_worker

settings = read_settings(JanitorSettings)


def build() -> dict[str, Handler]:
    """Make the handlers; no kind of task is the janitor's yet."""
    return {}


def build_sweep() -> Sweep:
    """Make the sweep, with clients of its own."""
    engine = create_database_engine(settings.database_url, pool_size=1)
    store = TaskStore(engine, settings.lease)
    return Sweep(store, Bell(settings.redis_url), settings.max_losses)


app = create_worker(
    settings,
    queues=(Queue.CLEANUP,),
    build=build,
    limits={},
    loop=lambda: Sweeper(build_sweep, settings.sweep_seconds),
)
