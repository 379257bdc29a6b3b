"""Which workers are there: each says so every few seconds. Every function is one transaction."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Connection, Engine, delete, select

from shared.contracts.queues import Queue
from shared.database import DatabaseNow, insert_or
from shared.tasks.models import WORKERS

SAID_EVERY_SECONDS = 5.0
GONE_AFTER = timedelta(seconds=15)
"""A worker that has not said so for this long is not there any more."""


def say_present(engine: Engine, worker: str, queues: Collection[Queue]) -> None:
    """Note that a worker consumes these queues; forget those that have vanished."""
    with engine.begin() as connection:
        for queue in queues:
            statement = insert_or(connection, WORKERS).values(
                name=worker, queue=queue.value, seen_at=DatabaseNow()
            )
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=list(WORKERS.primary_key),
                    set_={"seen_at": statement.excluded.seen_at},
                )
            )
        connection.execute(delete(WORKERS).where(WORKERS.c.seen_at < DatabaseNow(-GONE_AFTER)))


def say_absent(engine: Engine, worker: str) -> None:
    """Note that a worker stops."""
    with engine.begin() as connection:
        connection.execute(delete(WORKERS).where(WORKERS.c.name == worker))


def is_anyone_there(connection: Connection, queues: Collection[Queue]) -> bool:
    """Whether a worker consumes any of these queues."""
    found = select(WORKERS.c.name).where(
        WORKERS.c.queue.in_([queue.value for queue in queues]),
        WORKERS.c.seen_at >= DatabaseNow(-GONE_AFTER),
    )
    return connection.execute(found.limit(1)).one_or_none() is not None
