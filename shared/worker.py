"""`create_worker`: a service's Celery app, every setting with its reason, and its one Celery task.

What Celery calls a task is a bell here: it says that there is work. What runs a row is a handler.
`python -m services.<name>` and Celery's own command line start the same app.
"""

import logging
import os
import socket
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import structlog
from celery import Celery, signals
from celery.exceptions import SecurityWarning
from pydantic import Field

from shared.bell import BELL, Bell, declare
from shared.contracts.queues import Queue
from shared.contracts.tasks import TimeLimits
from shared.database import create_database_engine
from shared.handover import GracefulStop, hand_over_when_told
from shared.health import Check, HealthServer, check_broker, check_database, check_storage
from shared.liveness import Liveness, Pulse, check_consumer
from shared.logging import configure_logging
from shared.settings import Settings
from shared.storage import Storage
from shared.tasks.runner import Handler, Runner
from shared.tasks.store import TaskStore

log = structlog.get_logger(__name__)


class WorkerSettings(Settings):
    """What a worker needs beside the rest. A service's subclass says what its defaults are."""

    pool: Literal["prefork", "threads", "gevent", "solo"] = Field(
        default="prefork",
        description="Celery's pool: prefork for work that computes, threads or gevent for I/O.",
    )
    queues: str = Field(
        default="", description="Queues to consume, separated by commas; empty: all of the service."
    )
    task_events: bool = Field(
        default=False, description="Tell Flower of each bell and of the worker's life."
    )
    concurrency: int = Field(default=1, ge=1, description="Tasks at once in one worker.")
    health_host: str = Field(default="127.0.0.1", description="Where health is served.")
    health_port: int = Field(default=0, ge=0, le=65535, description="0 takes a free port.")


Build = Callable[[], Mapping[str, Handler]]


class Loop(Protocol):
    """Something that goes on beside the consumer, in a thread of the worker's parent process."""

    def start(self) -> None:
        """Begin."""
        ...

    def turns(self) -> bool:
        """Whether it still goes on; part of `/healthz`."""
        ...


def create_worker(
    settings: WorkerSettings,
    queues: tuple[Queue, ...],
    build: Build,
    limits: Mapping[str, TimeLimits],
    loop: Callable[[], Loop] | None = None,
) -> Celery:
    """Make a service's Celery app. Nothing connects until it runs.

    Args:
        settings: the service's, read once by the caller.
        queues: that its workers may consume.
        build: makes the handlers by kind, with their clients; called once in each process that
            runs tasks, after any fork.
        limits: how long each of those kinds may run.
        loop: makes what goes on beside the consumer, if anything does.
    """
    app = Celery(f"bulkhead.{settings.service}", broker=settings.redis_url, set_as_current=False)
    app.conf.update(_celery_settings(queues), worker_send_task_events=settings.task_events)
    process = WorkerProcess(settings, build, limits)

    @app.task(name=BELL)
    def hear(message: dict[str, Any]) -> str | None:
        # What Flower shows of a bell: the task that it led to.
        claim = process.runner().hear(Queue(message["queue"]))
        return f"{claim.kind} {claim.task_id}" if claim else None

    app.steps["consumer"].add(Pulse)
    _connect_signals(settings, process, loop)
    return app


class WorkerProcess:
    """What one process needs to run tasks, built where it runs: clients do not survive a fork."""

    def __init__(
        self, settings: WorkerSettings, build: Build, limits: Mapping[str, TimeLimits]
    ) -> None:
        self._settings = settings
        self._build = build
        self._limits = limits
        self._built: tuple[int, Runner] | None = None
        self.celery_worker: Any = None  # set in the parent process
        self.is_child = False

    def runner(self) -> Runner:
        """Give this process's runner; build it at the first call."""
        if self._built is None or self._built[0] != os.getpid():
            self._built = (os.getpid(), self._build_runner())
            if self.is_child:
                # Only now: the pool puts its own handler in place after `worker_process_init`.
                hand_over_when_told(self._built[1])
        return self._built[1]

    def build_store(self) -> TaskStore:
        """Make a task store; a task uses two connections at a time, its own and its watcher's."""
        engine = create_database_engine(
            self._settings.database_url, pool_size=2 * self._settings.concurrency
        )
        return TaskStore(engine, self._settings.lease)

    def build_bell(self) -> Bell:
        """Make a bell."""
        return Bell(self._settings.redis_url)

    def _build_runner(self) -> Runner:
        return Runner(
            self._settings,
            self.build_store(),
            Storage.from_url(self._settings.storage_url),
            self.build_bell(),
            self._build(),
            self._limits,
        )


def _celery_settings(queues: tuple[Queue, ...]) -> dict[str, Any]:
    # Meanings: https://docs.celeryq.dev/en/stable/userguide/configuration.html
    return {
        "task_queues": declare(*queues),
        "task_create_missing_queues": False,
        # Early acknowledgement: durability is the row's. Late acknowledgement on Redis was measured
        # to end the worker, or its consuming, after a dropped connection. See docs/adr/0002.
        "task_acks_late": False,
        # A busy worker keeps no bell from an idle one.
        "worker_disable_prefetch": True,
        "worker_prefetch_multiplier": 1,
        # The row is the result.
        "result_backend": None,
        "task_ignore_result": True,
        # Survive every outage of the broker, also one at the start.
        "broker_connection_max_retries": None,
        "broker_connection_retry_on_startup": True,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # A half-open connection is noticed within 10 seconds.
        "broker_transport_options": {
            "socket_timeout": 3,
            "socket_connect_timeout": 2,
            "health_check_interval": 5,
            "retry_on_timeout": True,
        },
        "broker_connection_timeout": 2,
        "task_serializer": "json",
        "accept_content": ["json"],
        # structlog writes the logs.
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


def _connect_signals(
    settings: WorkerSettings, process: WorkerProcess, make_loop: Callable[[], Loop] | None
) -> None:
    # Celery's signals are global to a process; `weak=False`, for these functions have no other
    # reference.

    @signals.setup_logging.connect(weak=False)
    def set_up_logging(**_: object) -> None:
        configure_logging(settings)
        # Celery tells of each bell; the runner tells of each task.
        for name in ("celery.worker.strategy", "celery.app.trace"):
            logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))

    @signals.worker_init.connect(weak=False)
    def serve_health(sender: Any, **_: object) -> None:
        set_up_logging()
        process.celery_worker = sender
        liveness = Liveness(settings.redis_url)
        loop = make_loop() if make_loop else None
        if loop:
            loop.start()
        server = HealthServer(
            settings.health_host,
            settings.health_port,
            alive=lambda: liveness.is_alive() and (loop is None or loop.turns()),
            checks=worker_checks(settings),
        )
        log.info("worker_started", pool=settings.pool, health=server.start())

    @signals.worker_process_init.connect(weak=False)
    def prepare_child(**_: object) -> None:
        process.is_child = True

    @signals.worker_shutting_down.connect(weak=False)
    def stop_in_time(**_: object) -> None:
        stop = GracefulStop(
            settings.shutdown_grace_seconds, process.build_store, process.build_bell
        )
        stop.begin(process.celery_worker.pool, process.runner)


def worker_checks(settings: Settings) -> dict[str, Check]:
    """Give what a worker must reach to be ready; built in the process that asks."""
    engine = create_database_engine(settings.database_url, pool_size=0)  # no pool across a fork
    storage_url = settings.storage_url
    return {
        "database": lambda: check_database(engine),
        "broker": lambda: check_broker(settings.redis_url),
        "storage": lambda: check_storage(storage_url),
        "consumer": check_consumer,
    }


def run_worker(app: Celery, settings: WorkerSettings) -> None:
    """Run the app as Celery's own command would, with the right defaults; ends with the process."""
    # Celery warns root of pickle, which is not accepted here.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    app.worker_main(
        [
            "--quiet",
            "worker",
            *([f"--queues={settings.queues}"] if settings.queues else []),
            f"--pool={settings.pool}",
            f"--concurrency={settings.concurrency}",
            f"--loglevel={settings.log_level}",
            f"--hostname={settings.service}-{os.getpid()}@{socket.gethostname()}",
            # Less traffic; nothing here asks a worker through the broker, unless Flower does.
            "--without-gossip",
            "--without-mingle",
            *([] if settings.task_events else ["--without-heartbeat"]),
        ]
    )
