"""What becomes of tasks whose worker is gone. Part of the store: called inside its transactions."""

from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, select, update

from shared.contracts.queues import Queue
from shared.database import now
from shared.tasks.models import TASKS
from shared.tasks.rows import IS_PROCESSING, NOW, WAITING, fail_row, why_not_again

AT_ONCE = 100


@dataclass(frozen=True)
class Losses:
    """What became of them.

    Attributes:
        queues: to ring, one for each task that waits again or follows from one that failed.
        waiting: the tasks that wait again.
        failed: the tasks that have ended.
        attempts: of each of them, the attempt that was lost. Whoever took it back removes what it
            left in storage: a task that waits may be cancelled and have no other attempt.
    """

    queues: list[Queue] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there were any."""
        return bool(self.waiting or self.failed)


def lose(connection: Connection, which: ColumnElement[bool], max_losses: int) -> Losses:
    """Deal with running tasks that lost their worker; at most `AT_ONCE`, the next call goes on.

    Each waits again, unless it was being cancelled, ran past its time limit, or has lost too many
    workers already: then it has failed.

    Args:
        connection: inside a transaction that may write.
        which: the running tasks that are meant.
        max_losses: how many a task may have; the last one fails it.
    """
    lost = (
        select(TASKS).where(IS_PROCESSING, which).limit(AT_ONCE).with_for_update(skip_locked=True)
    )
    losses = Losses()
    rows = connection.execute(lost).all()
    if not rows:
        return losses
    moment = now(connection)
    for row in rows:
        statement = update(TASKS).where(TASKS.c.id == row.id)
        statement = statement.values(losses=TASKS.c.losses + 1)
        losses.attempts[row.id] = row.attempt
        if error := why_not_again(row, moment, max_losses):
            losses.queues.extend(fail_row(connection, statement, error) or [])
            losses.failed.append(row.id)
        else:
            connection.execute(statement.values(**WAITING, run_after=NOW))
            losses.queues.append(Queue(row.queue))
            losses.waiting.append(row.id)
    return losses
