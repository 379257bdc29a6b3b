"""`create_worker`: a service's Celery app, every setting with its reason, and its one Celery task.

What Celery calls a task is a bell here: it says that there is work. What runs a row is a handler.
`python -m services.<name>` and Celery's own command line start the same app.
"""

import logging
import os
import socket
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from celery import Celery, signals
from celery.exceptions import SecurityWarning
from celery.worker.request import Request

from shared.bell import BELL, declare
from shared.contracts.queues import Queue
from shared.contracts.tasks import TimeLimits
from shared.handover import stop_alike
from shared.liveness import PatientConsumer, Pulse
from shared.logging import configure_logging
from shared.settings import WorkerSettings
from shared.tasks.runner import EX_SOFTWARE
from shared.worker_process import Build, Loop, WorkerProcess

log = structlog.get_logger(__name__)


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
    process = WorkerProcess(settings, build, limits, loop)

    @app.task(name=BELL, bind=True, Request=_request_class(process))
    def hear(bell: Any, message: dict[str, Any]) -> str | None:
        # What Flower shows of a bell: the task that it led to.
        claim = process.runner().hear(Queue(message["queue"]), bell.request.id)
        return f"{claim.kind} {claim.task_id}" if claim else None

    app.steps["consumer"].add(Pulse)
    _connect_signals(settings, process)
    return app


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
        "worker_consumer": PatientConsumer,
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


def _connect_signals(settings: WorkerSettings, process: WorkerProcess) -> None:
    # Celery's signals are global to a process; `weak=False`, for these functions have no other
    # reference.

    @signals.setup_logging.connect(weak=False)
    def set_up_logging(**_: object) -> None:
        configure_logging(settings)
        # Celery tells of each bell; the runner tells of each task.
        for name in ("celery.worker.strategy", "celery.app.trace"):
            logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))

    @signals.worker_init.connect(weak=False)
    def begin(sender: Any, **_: object) -> None:
        set_up_logging()
        try:
            process.begin(sender)
        except Exception as error:
            # Celery would log it and go on, without whatever had not begun.
            log.exception("worker_not_started")
            raise SystemExit(EX_SOFTWARE) from error

    @signals.worker_ready.connect(weak=False)
    def take_signals(**_: object) -> None:
        stop_alike()

    @signals.worker_process_init.connect(weak=False)
    def prepare_child(**_: object) -> None:
        process.prepare_child()

    @signals.worker_shutting_down.connect(weak=False)
    def stop_in_time(**_: object) -> None:
        process.stop()


def _request_class(process: WorkerProcess) -> type[Any]:
    """Make what Celery's first process knows a bell by.

    Its signal `task_revoked` would be too late, and does not say which process is meant.
    """

    class BellRequest(Request):  # type: ignore[misc]  # Celery has no types
        def terminate(self, pool: Any, signal: Any = None) -> None:
            # Not begun yet: Celery calls again when it has.
            if self.time_start is None or process.cancel(self.worker_pid, self.id):
                super().terminate(pool, signal)

    return BellRequest


def run_worker(app: Celery, settings: WorkerSettings, module: str) -> None:
    """Run the app as Celery's own command would, with the right defaults; ends with the process.

    Args:
        app: what `create_worker` made.
        settings: the service's.
        module: where `app` is, to be imported anew for gevent.
    """
    arguments = [
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
    if settings.pool == "gevent":
        # Its patches must come before any other import: Celery's own command begins with them.
        python = [sys.executable, "-W", "ignore:You're running the worker"]
        os.execv(python[0], [*python, "-m", "celery", f"--app={module}", *arguments])  # noqa: S606
    # Celery warns root of pickle, which is not accepted here.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    app.worker_main(arguments)
