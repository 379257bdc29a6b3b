"""The running tasks that processes hold, as the parent of those processes may deal with them.

Part of the store. A process is named as in `runner.worker_name`, which stands on the row.
"""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Engine, case, or_, select, update

from shared.contracts.queues import Queue
from shared.database import DatabaseNow, read
from shared.errors import CancelledError
from shared.tasks.losses import Losses, lose
from shared.tasks.models import TASKS
from shared.tasks.rows import IS_PROCESSING, NOW, WAITING, fail_row


class Holdings:
    """Writes the rows of tasks by who holds them.

    Args:
        engine: the task database.
        lease: how long a task belongs to its worker after each sign of life.
        max_losses: workers a task may lose before it fails.
    """

    def __init__(self, engine: Engine, lease: timedelta, max_losses: int) -> None:
        self._engine = engine
        self._lease = lease
        self._max_losses = max_losses

    def extend(self, workers: Collection[str]) -> None:
        """Extend the leases of processes that are seen to live, whatever keeps them from it.

        A row that is locked is being written by its own process, which extends it itself.
        """
        theirs = (
            select(TASKS.c.id)
            .where(IS_PROCESSING, TASKS.c.worker.in_(workers))
            .with_for_update(skip_locked=True)
        )
        with self._engine.begin() as connection:
            connection.execute(
                update(TASKS)
                .where(TASKS.c.id.in_(theirs.scalar_subquery()))
                .values(lease_expires_at=DatabaseNow(self._lease))
            )

    def lose(self, workers: Collection[str]) -> Losses:
        """Take back what processes held that have died, as if their leases had lapsed."""
        with self._engine.begin() as connection:
            return lose(connection, TASKS.c.worker.in_(workers), self._max_losses)

    def overdue(self, workers: Collection[str], patience: timedelta) -> list[str]:
        """List processes whose task should have stopped: cancelled or past its hard limit.

        Args:
            workers: the processes to look at.
            patience: how long ago that must have been.
        """
        since = DatabaseNow(-patience)
        with read(self._engine) as connection:
            return list(
                connection.scalars(
                    select(TASKS.c.worker).where(
                        IS_PROCESSING,
                        TASKS.c.worker.in_(workers),
                        or_(TASKS.c.cancel_requested_at <= since, TASKS.c.deadline_at <= since),
                    )
                )
            )

    def cancel(self, worker: str) -> None:
        """Ask for the cancelling of what a process holds."""
        with self._engine.begin() as connection:
            connection.execute(
                update(TASKS)
                .where(IS_PROCESSING, TASKS.c.worker == worker)
                .values(
                    cancel_requested_at=case(
                        (TASKS.c.cancel_requested_at.is_(None), NOW),
                        else_=TASKS.c.cancel_requested_at,
                    )
                )
            )

    def release(self, workers: Collection[str], spared: Collection[str] = ()) -> Losses:
        """Hand over what processes hold; whoever calls has seen that they must end.

        It costs the tasks no loss.

        Args:
            workers: the processes.
            spared: tasks that they keep.
        """
        losses = Losses()
        theirs = (IS_PROCESSING, TASKS.c.worker.in_(workers), TASKS.c.id.not_in(spared))
        held = update(TASKS).where(*theirs)
        with self._engine.begin() as connection:
            for row in connection.execute(
                held.where(TASKS.c.cancel_requested_at.is_(None))
                .values(**WAITING, run_after=NOW)
                .returning(TASKS.c.id, TASKS.c.queue, TASKS.c.attempt)
            ).all():
                losses.queues.append(Queue(row.queue))
                losses.waiting.append(row.id)
                losses.attempts[row.id] = row.attempt
            for row in connection.execute(select(TASKS.c.id, TASKS.c.attempt).where(*theirs)).all():
                fail_row(connection, held.where(TASKS.c.id == row.id), CancelledError())
                losses.failed.append(row.id)
                losses.attempts[row.id] = row.attempt
        return losses
