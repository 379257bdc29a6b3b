"""What the processes of one worker are made of: the first one, and its pool's children."""

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog

from shared.bell import Bell
from shared.children import Children, child_pids
from shared.contracts.tasks import TimeLimits
from shared.database import UNAVAILABLE, create_database_engine
from shared.guard import Guard
from shared.handover import GracefulStop, hand_over_when_told
from shared.health import Check, HealthServer, check_broker, check_database, check_storage
from shared.liveness import Consumption, check_consumer, is_busy
from shared.process import die_with_parent, unforked
from shared.settings import WorkerSettings
from shared.storage import Storage
from shared.tasks.holdings import Holdings
from shared.tasks.runner import Handler, Runner, worker_name
from shared.tasks.store import TaskStore
from shared.watchdog import Watchdog

log = structlog.get_logger(__name__)

Build = Callable[[], Mapping[str, Handler]]


class Loop(Protocol):
    """Something that goes on beside the consumer, in a thread of the worker's parent process."""

    def start(self) -> None:
        """Begin."""
        ...

    def turns(self) -> bool:
        """Whether it still goes on; part of `/healthz`."""
        ...


class WorkerProcess:
    """What one process needs, built where it is used: clients do not survive a fork.

    Args:
        settings: the service's.
        build: makes the handlers.
        limits: of the kinds that they handle.
        make_loop: makes what goes on beside the consumer, if anything does.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        build: Build,
        limits: Mapping[str, TimeLimits],
        make_loop: Callable[[], Loop] | None,
    ) -> None:
        self._settings = settings
        self._build = build
        self._limits = limits
        self._make_loop = make_loop
        self._built: tuple[int, Runner] | None = None
        # Tasks of a pool of threads may all be the first; a signal may find this thread holding it.
        self._lock = threading.RLock()
        self._is_child = False
        self._worker: Any = None  # Celery's; in the first process only, as the rest here
        self._holdings: Holdings | None = None
        self._guard: Guard | None = None

    def runner(self) -> Runner:
        """Give this process's runner; build it at the first call."""
        with self._lock:
            if self._built is None or self._built[0] != os.getpid():
                self._built = (os.getpid(), self._build_runner())
                if self._is_child:
                    # Only now: the pool puts its own handler in place after `worker_process_init`.
                    hand_over_when_told(self._built[1])
            return self._built[1]

    def _build_runner(self) -> Runner:
        settings = self._settings
        # A child runs one task at a time; a task uses two connections, its own and its watcher's.
        at_once = 1 if self._is_child or self._worker is None else self._worker.concurrency
        engine = create_database_engine(settings.database_url, pool_size=2 * at_once)
        return Runner(
            settings,
            TaskStore(engine, settings.lease),
            Storage.from_url(settings.storage_url),
            Bell(settings.redis_url),
            self._build(),
            self._limits,
        )

    def prepare_child(self) -> None:
        """In a pool's new process: it ends with its parent, after handing over."""
        self._is_child = True
        die_with_parent(os.getppid())

    def begin(self, worker: Any) -> None:
        """In the first process, before its pool: start what goes on beside the consumer."""
        settings = self._settings
        self._worker = worker
        engine = create_database_engine(settings.database_url, pool_size=0)  # no pool across a fork
        self._holdings = Holdings(engine, settings.lease, settings.max_losses)
        consumption = Consumption(worker, settings.redis_url, settings.consumer_patience_seconds)
        children = Children(
            lambda: worker.pool,
            is_busy,
            self._holdings,
            Storage.from_url(settings.storage_url),
            Bell(settings.redis_url),
            settings.heartbeat_seconds,
        )
        self._guard = Guard(
            engine, worker_name(), children, consumption, lambda: self._stop().end_now()
        )
        self._guard.start()
        Watchdog(settings.lease_seconds).start()
        loop = self._make_loop() if self._make_loop else None
        if loop:
            loop.start()
        guard = self._guard
        server = HealthServer(
            settings.health_host,
            settings.health_port,
            alive=lambda: guard.turns() and (loop is None or loop.turns()),
            checks=_checks(settings),
        )
        log.info("worker_started", pool=settings.pool, health=server.start())

    def stop(self) -> None:
        """In the first process: it has been told to stop."""
        self._stop().begin()
        if self._guard:
            threading.Thread(target=self._guard.leave, name="leave", daemon=True).start()

    def cancel(self, pid: int, bell: str) -> bool:
        """In the first process: Celery is told to terminate what a bell led to.

        Args:
            pid: the child that runs it, or whatever another pool calls that.
            bell: its id.

        Returns:
            Whether a child is to be signalled: the row says by then that its task is cancelled.
        """
        assert self._holdings is not None  # noqa: S101  (made in `begin`; for the type checker)
        if pid not in child_pids(self._worker.pool):
            self.runner().cancel(bell)
            return False
        try:
            with unforked():
                self._holdings.cancel(worker_name(pid))
        except UNAVAILABLE as error:
            # Signalled now, the child would hand its task over, and another would run it.
            log.warning("not_cancelled", reason=str(error.__cause__ or error))
            return False
        return True

    def _stop(self) -> GracefulStop:
        settings = self._settings
        assert self._holdings is not None  # noqa: S101  (made in `begin`; for the type checker)
        return GracefulStop(
            settings.shutdown_grace_seconds,
            settings.effect_seconds,
            self._worker.pool,
            self.runner,
            self._holdings,
            Storage.from_url(settings.storage_url),
            Bell(settings.redis_url),
        )


def _checks(settings: WorkerSettings) -> dict[str, Check]:
    """Give what a worker must reach to be ready."""
    engine = create_database_engine(settings.database_url, pool_size=0)  # no pool across a fork
    storage_url = settings.storage_url
    return {
        "database": lambda: check_database(engine),
        "broker": lambda: check_broker(settings.redis_url),
        "storage": lambda: check_storage(storage_url),
        "consumer": check_consumer,
    }
