"""Runs tasks: claim one, watch it, hand it to its handler, record how it ended."""

import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog

from shared.bell import Bell
from shared.contracts.queues import HIGH_PRIORITY_FROM, Queue
from shared.contracts.tasks import TimeLimits
from shared.database import is_disconnect
from shared.errors import BulkheadError
from shared.settings import Settings
from shared.storage import Storage
from shared.tasks.claims import Claim, Finished
from shared.tasks.context import StopReason, TaskContext, TaskStopped
from shared.tasks.outcomes import Completed, Ending, Outcome, Recorder, failed, stopped
from shared.tasks.store import TaskStore
from shared.tasks.watcher import Watcher

EX_SOFTWARE = 70
"""Exit status of a worker that has to be started anew. Source: sysexits.h of 4.3BSD"""
STUBBORN_SECONDS = 1.5
"""How long tasks may take to hand themselves over."""
LOOK_SECONDS = 0.05

_START = secrets.token_hex(4)  # a pool's children inherit it

log = structlog.get_logger(__name__)


class Handler(Protocol):
    """Does one kind of work."""

    def __call__(self, parameters: Any, context: TaskContext) -> Finished:
        """Do it; raise a `BulkheadError` when it cannot be done.

        Args:
            parameters: the kind's model.
            context: scratch folder, progress, and the word to stop.
        """
        ...


class Runner:
    """Runs the tasks that one process claims.

    Args:
        settings: leases, retries.
        store: the task rows.
        storage: where files go.
        bell: rings for what follows.
        handlers: by kind.
        limits: by kind; the same kinds.
    """

    def __init__(
        self,
        settings: Settings,
        store: TaskStore,
        storage: Storage,
        bell: Bell,
        handlers: Mapping[str, Handler],
        limits: Mapping[str, TimeLimits],
    ) -> None:
        self._settings = settings
        self._store = store
        self._storage = storage
        self._bell = bell
        self._handlers = handlers
        self._limits = limits
        self._recorder = Recorder(store, settings)
        self._running: set[TaskContext] = set()
        self._is_closed = False

    def hear(self, queue: Queue, bell: str | None = None) -> Claim | None:
        """Claim the best due task of a queue and run it to its end; None if none was due.

        Args:
            queue: that the bell was heard on.
            bell: its id, by which the task can be cancelled.
        """
        if self._is_closed:
            self._bell.ring(queue)  # for another worker; this one's consumer stops next
            return None
        min_priority = 0
        if queue is Queue.HIGH_PRIORITY:
            queue, min_priority = Queue.EXPORT, HIGH_PRIORITY_FROM
        try:
            claim = self._store.claim(queue, worker_name(), self._limits, min_priority=min_priority)
        except Exception as error:
            if not is_disconnect(error):
                raise
            log.warning("nothing_claimed", reason=str(error.__cause__ or error))
            return None  # the sweep rings again
        if claim is None:
            return None
        with structlog.contextvars.bound_contextvars(
            task_id=claim.task_id, kind=claim.kind, attempt=claim.attempt
        ):
            self._run(claim, bell)
        return claim

    @property
    def is_running(self) -> bool:
        """Whether a task runs in this process."""
        return bool(self._running)

    def close(self) -> None:
        """Claim nothing any more: this process is about to end."""
        self._is_closed = True

    def stop_all(self) -> None:
        """Ask what runs in this process to be handed over."""
        for context in [*self._running]:
            context.stop(StopReason.SHUTDOWN)

    def cancel(self, bell: str) -> None:
        """Cancel what a bell led to, if that runs in this process."""
        for context in [*self._running]:
            if context.bell == bell:
                context.stop(StopReason.CANCELLED)

    def _run(self, claim: Claim, bell: str | None) -> None:
        began = time.monotonic()
        log.info("task_started")
        limits = self._limits[claim.kind]
        context = TaskContext(claim, self._storage.scratch(claim.task_id, claim.attempt), bell)
        watcher = Watcher(
            self._store,
            claim,
            context,
            limits,
            self._settings.heartbeat_seconds,
            self._conclude,
            self._give_up,
        )
        self._running.add(context)
        if claim.attempt > 1:
            self._storage.remove_leftovers(claim.task_id, before=claim.attempt)
        watcher.start()
        try:
            ending = self._record(claim, self._attempt(claim, context), context)
        finally:
            watcher.end()  # only now: the lease is extended until the end is written
            self._running.discard(context)
            self._storage.remove_scratch(claim.task_id, claim.attempt)
        log.info("task_ended", ending=ending, seconds=round(time.monotonic() - began, 3))

    def _attempt(self, claim: Claim, context: TaskContext) -> Outcome:
        """Run the handler and store its file; whatever happens becomes an outcome."""
        try:
            with context.stoppable():
                parameters = claim.read_parameters()
                finished = self._handlers[claim.kind](parameters, context)
                if finished.file is None:
                    return Completed(finished)
                context.key = f"{claim.task_id}/{claim.attempt}{finished.file.path.suffix}"
                self._storage.publish(finished.file.path, context.key)
                return Completed(finished, finished.file.stored_as(context.key))
        except TaskStopped:
            return stopped(context)
        except Exception as error:  # noqa: BLE001  (an unexpected one is logged, and fails the task)
            # A stop surfaces as any error at all: sqlite3 says "interrupted". The reason decides.
            return stopped(context) if context.stop_reason else failed(error)

    def _record(self, claim: Claim, outcome: Outcome, context: TaskContext) -> Ending:
        ending, queues = self._recorder.record(claim, outcome)
        self._bell.ring(*queues)
        if context.key and ending not in {Ending.COMPLETED, Ending.UNKNOWN}:
            try:
                self._storage.delete(context.key)
            except BulkheadError as error:  # the next attempt or the clean-up removes it
                log.warning("file_not_removed", key=context.key, reason=str(error))
        return ending

    def _conclude(self, claim: Claim, context: TaskContext) -> None:
        self._record(claim, stopped(context), context)

    def _give_up(self, claim: Claim, context: TaskContext) -> None:
        """End this process, for a task in it does not stop; its end is recorded before."""
        self._conclude(claim, context)
        self._storage.remove_scratch(claim.task_id, claim.attempt)
        if context.owns_process:
            os.kill(os.getpid(), signal.SIGKILL)
        # Nothing ends a thread from outside. Its neighbours are handed over first.
        self.close()
        self._running.discard(context)
        self.stop_all()
        self.wait_until_idle(STUBBORN_SECONDS)
        self.wait_for_effects()
        os._exit(EX_SOFTWARE)

    @property
    def irrevocable(self) -> frozenset[str]:
        """The tasks in this process that are past their point of no return."""
        return frozenset(each.task_id for each in [*self._running] if each.is_irrevocable)

    def wait_until_idle(self, seconds: float) -> None:
        """Wait until nothing runs in this process, for so long at the most."""
        _wait_while(lambda: self.is_running, seconds)

    def wait_for_effects(self) -> None:
        """Wait until no task is past its point of no return, for as long as that may take."""
        _wait_while(lambda: self.irrevocable, self._settings.effect_seconds)


def _wait_while(condition: Callable[[], object], seconds: float) -> None:
    give_up_at = time.monotonic() + seconds
    while condition() and time.monotonic() < give_up_at:
        time.sleep(LOOK_SECONDS)


def worker_name(pid: int | None = None) -> str:
    """Name a process of this worker, this one by default.

    Host and process id are for people; both may come again (a container that is started anew, two
    that share a host's name), so each start of a worker has a word of its own in it.
    """
    return f"{socket.gethostname()[:80]}:{pid or os.getpid()}:{_START}"
