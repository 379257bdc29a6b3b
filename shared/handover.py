"""A graceful stop: what still runs after a grace period is handed to another worker at once.

On SIGTERM Celery's parent process takes nothing new and waits, without bound, for what runs. Here
it waits for a grace period, then tells its children to hand over; a child that is told directly (a
SIGTERM to the whole process group) does so by itself.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from shared.bell import Bell
from shared.tasks.runner import Runner, worker_name
from shared.tasks.store import TaskStore

STUBBORN_SECONDS = 1.5
"""How long a child may take to hand its task over."""


def hand_over_when_told(runner: Runner) -> None:
    """In a pool's child: on SIGTERM hand the running task over, or end when none runs."""
    previous = signal.getsignal(signal.SIGTERM)

    def on_term(number: int, frame: FrameType | None) -> None:
        if runner.stop_all():
            return
        if callable(previous):
            previous(number, frame)
        else:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, on_term)


class GracefulStop:
    """In a worker's parent process: bounds how long a warm shutdown waits.

    Args:
        grace_seconds: how long running tasks go on.
        store: builds the task store, when it is needed.
        bell: rings for what was handed over.
    """

    def __init__(
        self, grace_seconds: float, store: Callable[[], TaskStore], bell: Callable[[], Bell]
    ) -> None:
        self._grace_seconds = grace_seconds
        self._store = store
        self._bell = bell

    def begin(self, pool: Any, runner: Callable[[], Runner]) -> None:
        """Start to wait, beside Celery's own waiting; ends with the process.

        Args:
            pool: Celery's pool; one of processes has children, any other runs tasks right here.
            runner: gives this process's runner.
        """
        target = self._stop_children if _children(pool) else self._stop_here
        argument = pool if _children(pool) else runner
        threading.Thread(target=target, args=(argument,), name="grace", daemon=True).start()

    def _stop_here(self, runner: Callable[[], Runner]) -> None:
        time.sleep(self._grace_seconds)
        runner().stop_all()

    def _stop_children(self, pool: Any) -> None:
        time.sleep(self._grace_seconds)
        for pid in _children(pool):
            _signal(pid, signal.SIGTERM)
        time.sleep(STUBBORN_SECONDS)
        store, bell = self._store(), self._bell()
        for pid in _children(pool):
            # Whatever it still writes is fenced out.
            queues = store.release_held_by(worker_name(pid))
            _signal(pid, signal.SIGKILL)
            bell.ring(*queues)


def _children(pool: Any) -> list[int]:
    processes = getattr(getattr(pool, "_pool", None), "_pool", None) or []
    return [each.pid for each in processes if hasattr(each, "exitcode") and each.exitcode is None]


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
