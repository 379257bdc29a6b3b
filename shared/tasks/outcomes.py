"""How an attempt went, and how that is written into its row."""

import random
import time
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import structlog
from pydantic import ValidationError

from shared.contracts.queues import Queue
from shared.database import is_disconnect
from shared.errors import (
    BulkheadError,
    CancelledError,
    DatabaseUnavailableError,
    InternalError,
    ParametersUnreadableError,
    RetryableError,
    TimeLimitError,
)
from shared.settings import Settings
from shared.tasks.claims import Claim, Finished, StoredFile
from shared.tasks.context import StopReason, TaskContext
from shared.tasks.store import TaskStore

RECONNECT_SECONDS = 0.5
LONGEST_OUTAGE_SECONDS = 600.0
"""How long an outcome waits for the database. A lease that lapses meanwhile loses nothing: nobody
else can claim the task while the database is away, and afterwards the row says whose it is."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Completed:
    """The work is done and its file, if any, is stored."""

    finished: Finished
    file: StoredFile | None = None


Outcome = Completed | BulkheadError | StopReason
"""What an attempt came to: done, an error, or (`LOST`, `SHUTDOWN`) somebody else's to do."""


class Ending(StrEnum):
    """What was written; `LOST`: nothing, for the task is not this attempt's any more."""

    COMPLETED = "completed"
    FAILED = "failed"
    RETRYING = "retrying"
    HANDED_OVER = "handed_over"
    LOST = "lost"
    UNKNOWN = "unknown"


def stopped(context: TaskContext) -> Outcome:
    """Give the outcome of a task that was asked to stop."""
    match context.stop_reason:
        case StopReason.CANCELLED:
            return CancelledError()
        case StopReason.TIME_LIMIT:
            return TimeLimitError()
        case StopReason.SHUTDOWN:
            return StopReason.SHUTDOWN
        case _:
            return StopReason.LOST


def failed(error: Exception) -> Outcome:
    """Give the outcome of a handler's error; a defect's traceback goes to the log."""
    if isinstance(error, BulkheadError):
        log.warning("task_error", error=str(error), reason=str(error.__cause__ or ""))
        return error
    if is_disconnect(error):  # never a failed task, whichever handler it was that asked
        log.warning("task_error", error=type(error).__name__, reason=str(error.__cause__ or ""))
        return DatabaseUnavailableError()
    log.exception("task_defect")
    if isinstance(error, ValidationError):
        return ParametersUnreadableError()
    return InternalError()


class Recorder:
    """Writes outcomes; a database that is away is waited for."""

    def __init__(self, store: TaskStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def record(self, claim: Claim, outcome: Outcome) -> tuple[Ending, list[Queue]]:
        """Write an outcome, once; give what was written and the queues to ring."""
        give_up_at = time.monotonic() + LONGEST_OUTAGE_SECONDS
        while True:
            try:
                return self._write(claim, outcome)
            except Exception as error:
                if not is_disconnect(error):
                    raise
                log.warning("outcome_not_written", reason=str(error.__cause__ or error))
            if time.monotonic() >= give_up_at:
                return Ending.UNKNOWN, []  # the sweep decides
            time.sleep(RECONNECT_SECONDS)

    def _write(self, claim: Claim, outcome: Outcome) -> tuple[Ending, list[Queue]]:
        match outcome:
            case StopReason.SHUTDOWN:
                if self._store.release(claim):
                    return Ending.HANDED_OVER, [claim.queue]
                return Ending.LOST, []
            case StopReason():
                return Ending.LOST, []
            case Completed(finished, file):
                queues = self._store.finish(claim, finished, file)
                if queues is not None:
                    return Ending.COMPLETED, queues
                outcome = CancelledError()  # the only other way that a row still ours ends
            case RetryableError() if claim.retries < self._settings.max_retries:
                delay = self._delay(claim.retries, outcome.after)
                is_ours = self._store.retry(claim, outcome, delay)
                return Ending.RETRYING if is_ours else Ending.LOST, []
        queues = self._store.fail(claim, outcome)
        return (Ending.LOST, []) if queues is None else (Ending.FAILED, queues)

    def _delay(self, retries: int, after: timedelta | None) -> timedelta:
        # Full jitter. Source: AWS Architecture Blog, "Exponential Backoff And Jitter", 2015
        longest = min(
            self._settings.retry_cap_seconds, self._settings.retry_base_seconds * 2**retries
        )
        jittered = timedelta(seconds=random.uniform(0, longest))  # noqa: S311  (no secret)
        return max(jittered, after or timedelta())
