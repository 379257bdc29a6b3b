"""Watches a running task from a thread beside it.

It extends the lease, writes progress, and sees what should end the task: somebody cancelled it,
its time is over, or its lease went to another worker. What still runs a second after it was asked
to stop (one long call into C, say) is ended with its process, after its row is written; where tasks
share their process, only at its hard limit.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from shared.contracts.tasks import TimeLimits
from shared.database import is_disconnect
from shared.tasks.claims import Claim, Sign
from shared.tasks.context import StopReason, TaskContext
from shared.tasks.store import TaskStore

LOOK_SECONDS = 0.5
STUBBORN_SECONDS = 1.0
"""How long a task may go on after it was asked to stop."""

log = structlog.get_logger(__name__)


class Watcher(threading.Thread):
    """Looks at the row each half second while the task runs.

    Args:
        store: where the row is.
        claim: the task.
        context: whom to tell.
        limits: how long the attempt may run.
        heartbeat_seconds: how often the lease is extended; progress is written when it changes.
        conclude: records the outcome of a task that does not stop.
        give_up: does so too, and ends its process.
    """

    def __init__(
        self,
        store: TaskStore,
        claim: Claim,
        context: TaskContext,
        limits: TimeLimits,
        heartbeat_seconds: float,
        conclude: Callable[[Claim, TaskContext], None],
        give_up: Callable[[Claim, TaskContext], None],
    ) -> None:
        super().__init__(name=f"watch-{claim.task_id}", daemon=True)
        self._store = store
        self._claim = claim
        self._context = context
        self._limits = limits
        self._heartbeat_seconds = heartbeat_seconds
        self._conclude = conclude
        self._give_up = give_up
        self._is_concluded = False
        self._over = threading.Event()
        self._started_at = time.monotonic()
        self._beat_at = self._started_at  # the claim was the first sign of life
        self._written = context.progress
        self._asked_at: float | None = None

    def run(self) -> None:
        """Look, until the task is over."""
        while not self._over.wait(LOOK_SECONDS):
            try:
                self._look()
            except Exception:
                log.exception("watcher_defect")  # its task needs it all the same
            self._watch_time()

    def end(self) -> None:
        """The task is over; returns when no look is under way."""
        self._over.set()
        self.join()

    def _look(self) -> None:
        beat_at = time.monotonic()
        progress = self._context.progress
        due = beat_at - self._beat_at >= self._heartbeat_seconds or progress != self._written
        try:
            if due:
                sign = self._store.heartbeat(self._claim, progress)
                self._beat_at, self._written = beat_at, progress
            else:
                sign = self._store.look(self._claim)
        except Exception as error:
            if not is_disconnect(error):
                raise
            # The task goes on: if somebody else has it by then, the row will say so.
            log.warning("row_not_reached", reason=str(error.__cause__ or error))
            return
        if sign is Sign.CANCEL:
            self._context.stop(StopReason.CANCELLED)
        elif sign is Sign.LOST and not self._over.is_set():
            self._context.stop(StopReason.LOST)

    def _watch_time(self) -> None:
        ran = timedelta(seconds=time.monotonic() - self._started_at)
        if ran >= self._limits.soft:
            self._context.stop(StopReason.TIME_LIMIT)
        reason = self._context.stop_reason
        if reason is None or self._context.is_over:
            return
        self._asked_at = self._asked_at or time.monotonic()
        is_stubborn = time.monotonic() - self._asked_at >= STUBBORN_SECONDS
        if ran >= self._limits.hard or (
            is_stubborn
            and self._context.owns_process
            and not self._context.is_irrevocable
            and reason is not StopReason.TIME_LIMIT
        ):
            log.error("task_did_not_stop", reason=reason)
            self._give_up(self._claim, self._context)
        elif is_stubborn and reason is StopReason.CANCELLED and not self._is_concluded:
            # Its neighbours go on in their threads until its hard limit; whoever cancelled need
            # not wait so long.
            self._is_concluded = True
            self._conclude(self._claim, self._context)
