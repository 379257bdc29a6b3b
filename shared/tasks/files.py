"""What becomes of files and old records: they expire, are forgotten, or are nobody's.

Part of the durable record, as `store` is; every function is one transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select, update

from shared.contracts.tasks import Status
from shared.database import DatabaseNow, delete_some, read
from shared.tasks.models import FILES, IDEMPOTENCY_KEYS, TASKS

AT_ONCE = 500
ENDED = (Status.COMPLETED.value, Status.FAILED.value)


@dataclass(frozen=True)
class Place:
    """What the record says of a task's place in storage.

    Attributes:
        attempt: the newest one.
        has_ended: whether no attempt can come any more.
        key: of its file, while that can be downloaded.
    """

    attempt: int
    has_ended: bool
    key: str | None


def expire_files(engine: Engine, *, before: datetime, owner: str | None, by_task: str) -> int:
    """Have files expire that were made before a moment, at most `AT_ONCE`; give how many.

    From the commit on a download answers 410; whoever called unlinks them then.
    """
    old = select(FILES.c.task_id).where(FILES.c.created_at < before, FILES.c.expired_at.is_(None))
    if owner is not None:
        old = old.where(FILES.c.owner == owner)
    old = old.order_by(FILES.c.created_at).limit(AT_ONCE).with_for_update(skip_locked=True)
    with engine.begin() as connection:
        expired = connection.execute(
            update(FILES)
            .where(FILES.c.task_id.in_(old.scalar_subquery()))
            .values(expired_at=DatabaseNow(), expired_by=by_task)
        )
        return expired.rowcount


def expired_keys(engine: Engine, by_task: str, after: str = "") -> list[tuple[str, str]]:
    """List `(task id, key)` of files that a clean-up had expire, at most `AT_ONCE`."""
    statement = (
        select(FILES.c.task_id, FILES.c.key)
        .where(FILES.c.expired_by == by_task, FILES.c.task_id > after)
        .order_by(FILES.c.task_id)
        .limit(AT_ONCE)
    )
    with read(engine) as connection:
        return [(row.task_id, row.key) for row in connection.execute(statement)]


def expired_in_all(engine: Engine, by_task: str) -> tuple[int, int]:
    """Give how many files a clean-up had expire, in all its attempts, and their bytes."""
    statement = select(func.count(), func.coalesce(func.sum(FILES.c.size), 0)).where(
        FILES.c.expired_by == by_task
    )
    with read(engine) as connection:
        count, size = connection.execute(statement).one()
        return int(count), int(size)


def forget_tasks(engine: Engine, before: datetime) -> int:
    """Remove records of tasks that ended before a moment, with their files' records.

    A file that has not expired yet keeps its task. Some at a time; gives how many.
    """
    file = select(FILES.c.task_id).where(
        FILES.c.task_id == TASKS.c.id, FILES.c.expired_at.is_(None)
    )
    is_old = TASKS.c.status.in_(ENDED) & (TASKS.c.finished_at < before)
    return delete_some(engine, TASKS, is_old, ~file.exists())


def forget_idempotency_keys(engine: Engine, before: datetime) -> int:
    """Remove keys that were noted before a moment, some at a time; give how many."""
    return delete_some(engine, IDEMPOTENCY_KEYS, IDEMPOTENCY_KEYS.c.created_at < before)


def places(engine: Engine, task_ids: list[str]) -> dict[str, Place]:
    """Say of each of these tasks that is known what may be in storage for it."""
    statement = (
        select(TASKS.c.id, TASKS.c.attempt, TASKS.c.status, FILES.c.key, FILES.c.expired_at)
        .outerjoin(FILES, FILES.c.task_id == TASKS.c.id)
        .where(TASKS.c.id.in_(task_ids))
    )
    with read(engine) as connection:
        return {
            row.id: Place(
                attempt=row.attempt,
                has_ended=row.status in ENDED,
                key=None if row.expired_at else row.key,
            )
            for row in connection.execute(statement)
        }
