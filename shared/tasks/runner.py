"""Runs tasks: claim one, watch it, hand it to its handler, record how it ended."""

import os
import socket
import time
from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from shared.bell import Bell
from shared.contracts.queues import HIGH_PRIORITY_FROM, Queue
from shared.contracts.tasks import TimeLimits
from shared.settings import Settings
from shared.storage import Storage
from shared.tasks.claims import Claim, Finished
from shared.tasks.context import StopReason, TaskContext, TaskStopped
from shared.tasks.outcomes import Completed, Ending, Outcome, Recorder, failed, stopped
from shared.tasks.store import TaskStore
from shared.tasks.watcher import Watcher

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

    def hear(self, queue: Queue) -> Claim | None:
        """Claim the best due task of a queue and run it to its end; None if none was due."""
        min_priority = 0
        if queue is Queue.HIGH_PRIORITY:
            queue, min_priority = Queue.EXPORT, HIGH_PRIORITY_FROM
        claim = self._store.claim(queue, worker_name(), self._limits, min_priority=min_priority)
        if claim is None:
            return None
        with structlog.contextvars.bound_contextvars(
            task_id=claim.task_id, kind=claim.kind, attempt=claim.attempt
        ):
            self._run(claim)
        return claim

    def stop_all(self) -> bool:
        """Ask what runs in this process to be handed over; False if nothing runs."""
        running = [*self._running]
        for context in running:
            context.stop(StopReason.SHUTDOWN)
        return bool(running)

    def _run(self, claim: Claim) -> None:
        began = time.monotonic()
        log.info("task_started")
        limits = self._limits[claim.kind]
        context = TaskContext(claim, self._storage.scratch(claim.task_id, claim.attempt))
        watcher = Watcher(
            self._store, claim, context, limits, self._settings.heartbeat_seconds, self._conclude
        )
        self._running.add(context)
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
        if context.key and ending not in {Ending.COMPLETED, Ending.UNKNOWN}:
            self._storage.delete(context.key)
        self._bell.ring(*queues)
        return ending

    def _conclude(self, claim: Claim, context: TaskContext) -> None:
        """Record the end of a task that does not stop; its process is killed next."""
        self._record(claim, stopped(context), context)
        self._storage.remove_scratch(claim.task_id, claim.attempt)


def worker_name(pid: int | None = None) -> str:
    """Name a process of this host, this one by default: host and process id."""
    return f"{socket.gethostname()}:{pid or os.getpid()}"
