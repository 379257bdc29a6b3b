"""The task store: the only module that writes task rows.

Every method is one transaction. A claim hands out a fencing token, the attempt; whatever a worker
writes later says `WHERE id = … AND attempt = … AND status = 'processing'`, so a worker that was
presumed dead changes nothing when it wakes up.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, case, insert, select, update
from uuid6 import uuid7

from shared.contracts.queues import Queue
from shared.contracts.tasks import DEFAULT_PRIORITY, Status, TaskParameters, TimeLimits
from shared.database import DatabaseNow, read
from shared.errors import BulkheadError, CancelledError
from shared.tasks.claims import Claim, Finished, Progress, Sign, StoredFile
from shared.tasks.idempotency import IdempotencyKey, remember
from shared.tasks.losses import Losses, lose
from shared.tasks.models import FILES, TASKS
from shared.tasks.ranks import advance_clock
from shared.tasks.rows import (
    IS_PENDING,
    NOW,
    WAITING,
    ended,
    ended_by,
    fail_row,
    fenced,
    holds,
    insert_follow_ups,
    insert_task,
)


class Cancellation(StrEnum):
    """How a request to cancel went."""

    CANCELLED = "cancelled"
    CANCELLING = "cancelling"
    OVER = "over"
    UNKNOWN = "unknown"


class TaskStore:
    """Writes task rows on SQLite or PostgreSQL; safe to share between threads.

    Args:
        engine: the task database.
        lease: how long a claimed task belongs to its worker after each sign of life.
    """

    def __init__(self, engine: Engine, lease: timedelta) -> None:
        self.engine = engine
        self.lease = lease

    def submit(
        self,
        parameters: TaskParameters,
        *,
        owner: str,
        priority: int = DEFAULT_PRIORITY,
        idempotency: IdempotencyKey | None = None,
    ) -> str:
        """Insert a pending task and give its id; the caller rings afterwards.

        Raises:
            IdempotencyConflictError: the key was used with another body within its time.
        """
        task_id = uuid7().hex
        with self.engine.begin() as connection:
            if idempotency and (earlier := remember(connection, idempotency, owner, task_id)):
                return earlier
            insert_task(connection, task_id, parameters, owner=owner, priority=priority)
        return task_id

    def claim(
        self, queue: Queue, worker: str, limits: Mapping[str, TimeLimits], *, min_priority: int = 0
    ) -> Claim | None:
        """Take the best due task of a queue: by priority, then owners in turn, then age.

        Args:
            queue: as on the row (never `Queue.HIGH_PRIORITY`, which holds bells only).
            worker: who claims, for people to read.
            limits: the kinds that this worker can run, and how long each may.
            min_priority: leave tasks of lower priority alone.
        """
        if not limits:
            return None
        candidate = (
            select(TASKS.c.id)
            .where(
                TASKS.c.queue == queue,
                IS_PENDING,
                TASKS.c.run_after <= NOW,
                TASKS.c.kind.in_(limits),
                TASKS.c.priority >= min_priority,
            )
            .order_by(TASKS.c.priority.desc(), TASKS.c.rank, TASKS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        deadlines = {kind: DatabaseNow(each.hard) for kind, each in limits.items()}
        statement = (
            update(TASKS)
            .where(TASKS.c.id == candidate.scalar_subquery())
            .values(
                status=Status.PROCESSING,
                attempt=TASKS.c.attempt + 1,
                worker=worker,
                lease_expires_at=DatabaseNow(self.lease),
                deadline_at=case(deadlines, value=TASKS.c.kind),
                started_at=case((TASKS.c.started_at.is_(None), NOW), else_=TASKS.c.started_at),
                error_code=None,
                error_arguments=None,
            )
            .returning(TASKS)
        )
        with self.engine.begin() as connection:
            row = connection.execute(statement).one_or_none()
            if row is None:
                return None
            advance_clock(connection, row.queue, row.priority, row.rank)
        return Claim.from_row(row)

    def look(self, claim: Claim) -> Sign:
        """See what a running task's row says, and change nothing."""
        statement = select(TASKS).where(*holds(claim))
        with read(self.engine) as connection:
            return Sign.of(connection.execute(statement).one_or_none())

    def heartbeat(self, claim: Claim, progress: Progress) -> Sign:
        """Extend the lease, write the progress (it never falls), and see what the row says."""
        percent = case(
            (TASKS.c.progress < progress.percent, progress.percent), else_=TASKS.c.progress
        )
        statement = fenced(claim).values(
            lease_expires_at=DatabaseNow(self.lease),
            progress=percent,
            progress_message=progress.message,
        )
        with self.engine.begin() as connection:
            row = connection.execute(statement.returning(TASKS)).one_or_none()
        return Sign.of(row)

    def finish(
        self, claim: Claim, finished: Finished, file: StoredFile | None = None
    ) -> list[Queue] | None:
        """Complete the task; its file becomes visible and what follows is inserted, or neither.

        Doing it twice is harmless, as after a connection that broke during the commit.

        Args:
            claim: the task, and the right to complete it.
            finished: what the handler gave back.
            file: its file, as stored.

        Returns:
            The queues to ring, or None if the task is not this worker's to complete any more: it
            was claimed anew, or somebody cancelled it first.
        """
        statement = fenced(claim).where(TASKS.c.cancel_requested_at.is_(None))
        with self.engine.begin() as connection:
            row = connection.execute(
                statement.values(
                    **ended(Status.COMPLETED),
                    progress=100,
                    result=finished.result.model_dump(mode="json"),
                ).returning(TASKS)
            ).one_or_none()
            if row is None:
                return [] if ended_by(connection, claim, Status.COMPLETED) else None
            if file:
                connection.execute(
                    insert(FILES).values(
                        task_id=claim.task_id,
                        owner=claim.owner,
                        created_at=row.finished_at,
                        **file.model_dump(),
                    )
                )
            return insert_follow_ups(connection, row, finished.event)

    def fail(self, claim: Claim, error: BulkheadError) -> list[Queue] | None:
        """End the task without a result; like `finish` for what it returns."""
        with self.engine.begin() as connection:
            queues = fail_row(connection, fenced(claim), error)
            if queues is None and ended_by(connection, claim, Status.FAILED):
                return []
            return queues

    def retry(self, claim: Claim, error: BulkheadError, after: timedelta) -> bool:
        """Put the task back to be tried again later; False if it is not this worker's any more."""
        return self._put_back(
            claim,
            retries=TASKS.c.retries + 1,
            run_after=DatabaseNow(after),
            error_code=error.code,
            error_arguments=error.arguments,
        )

    def release(self, claim: Claim) -> bool:
        """Hand the task over to another worker at once; it costs neither a loss nor a retry."""
        return self._put_back(claim, run_after=NOW)

    def _put_back(self, claim: Claim, **values: Any) -> bool:
        with self.engine.begin() as connection:
            statement = fenced(claim).where(TASKS.c.cancel_requested_at.is_(None))
            if connection.execute(statement.values(**WAITING, **values)).rowcount:
                return True
            # A task that was cancelled meanwhile ends here, for nobody else would end it.
            fail_row(connection, fenced(claim), CancelledError())
        return False

    def recover_lapsed(self, max_losses: int) -> Losses:
        """Deal with tasks whose worker gave no sign of life for a lease: see `losses.lose`."""
        with self.engine.begin() as connection:
            return lose(connection, TASKS.c.lease_expires_at <= NOW, max_losses)

    def cancel(self, task_id: str, owner: str) -> Cancellation:
        """End a waiting task at once, ask a running one to stop."""
        mine = update(TASKS).where(TASKS.c.id == task_id, TASKS.c.owner == owner)
        waiting = mine.where(TASKS.c.status == Status.PENDING)
        running = mine.where(TASKS.c.status == Status.PROCESSING).values(
            cancel_requested_at=case(
                (TASKS.c.cancel_requested_at.is_(None), NOW), else_=TASKS.c.cancel_requested_at
            )
        )
        found = select(TASKS.c.status).where(TASKS.c.id == task_id, TASKS.c.owner == owner)
        while True:
            with self.engine.begin() as connection:
                if fail_row(connection, waiting, CancelledError()) is not None:
                    return Cancellation.CANCELLED
                if connection.execute(running).rowcount:
                    return Cancellation.CANCELLING
                status = connection.execute(found).scalar_one_or_none()
            if status is None:
                return Cancellation.UNKNOWN
            if status in {Status.COMPLETED, Status.FAILED}:
                return Cancellation.OVER
            # Claimed or put back between two statements: look again.
