"""A graceful stop: what still runs after a grace period is handed to another worker at once.

On SIGTERM Celery's parent process takes nothing new and waits, without bound, for what runs. Here
it waits for a grace period, then tells its children to hand over; a child that is told directly (a
SIGTERM to the whole process group) does so by itself.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from types import FrameType
from typing import Any

import structlog

from shared.bell import Bell
from shared.children import child_pids
from shared.database import UNAVAILABLE
from shared.process import unforked
from shared.storage import Storage
from shared.tasks.holdings import Holdings
from shared.tasks.runner import EX_SOFTWARE, STUBBORN_SECONDS, Runner, worker_name

TOLD_SECONDS = 0.5
"""How long a child that gets SIGTERM waits to learn why: Celery terminates a task so, too, and its
parent says then that the task is cancelled."""

ALIKE = (signal.SIGHUP, signal.SIGQUIT)
"""What ends a worker as SIGTERM does: a terminal that is closed sends the one to its processes,
and Celery means the other to end a worker at once, which costs each of its tasks a loss."""

log = structlog.get_logger(__name__)


def stop_alike() -> None:
    """In a worker's first process: have every signal that ends it stop it gracefully, in one way.

    Celery would restart at SIGHUP once all tasks are over, however long they take, and would end
    without them at SIGQUIT and at a second SIGINT. Call it when Celery's own handlers are in place.
    """
    for number in (signal.SIGINT, *ALIKE):
        signal.signal(number, signal.getsignal(signal.SIGTERM))


def hand_over_when_told(runner: Runner) -> None:
    """In a pool's child: when told to end hand the running task over, or end when none runs."""
    previous = signal.getsignal(signal.SIGTERM)

    def on_term(number: int, frame: FrameType | None) -> None:
        if runner.is_running:
            threading.Timer(TOLD_SECONDS, runner.stop_all).start()
        elif callable(previous):
            previous(number, frame)
        else:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

    for number in (signal.SIGTERM, *ALIKE):
        signal.signal(number, on_term)


class GracefulStop:
    """In a worker's first process: bounds how long its tasks go on once it should stop.

    Args:
        grace_seconds: how long that is.
        effect_seconds: how long it waits for a task past its point of no return.
        pool: Celery's pool; one of processes has children, any other runs tasks right here.
        runner: gives this process's runner.
        holdings: the rows that its processes hold.
        storage: where they write.
        bell: rings for what was handed over.
    """

    def __init__(
        self,
        grace_seconds: float,
        effect_seconds: float,
        pool: Any,
        runner: Callable[[], Runner],
        holdings: Holdings,
        storage: Storage,
        bell: Bell,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._effect_seconds = effect_seconds
        self._pool = pool
        self._runner = runner
        self._holdings = holdings
        self._storage = storage
        self._bell = bell

    def begin(self) -> None:
        """Start to wait, beside Celery's own waiting; ends with the process."""
        if not child_pids(self._pool):
            self._runner().close()
        threading.Thread(target=self._wait, name="grace", daemon=True).start()

    def end_now(self) -> None:
        """Hand over what runs, without a grace, and end this process; does not return."""
        self._hand_over()
        os._exit(EX_SOFTWARE)

    def _wait(self) -> None:
        time.sleep(self._grace_seconds)
        self._hand_over()

    def _hand_over(self) -> None:
        pids = child_pids(self._pool)
        if pids:
            self._stop_children(pids)
        else:
            self._stop_here()

    def _stop_here(self) -> None:
        runner = self._runner()
        runner.close()
        runner.stop_all()
        runner.wait_until_idle(STUBBORN_SECONDS)
        if not runner.is_running:
            return
        irrevocable = runner.irrevocable
        attempts = self._release([worker_name()], spared=irrevocable)
        if irrevocable:
            runner.wait_for_effects()
            attempts |= self._release([worker_name()])
        if runner.is_running:
            self._storage.remove_lost(attempts)
            os._exit(EX_SOFTWARE)

    def _stop_children(self, pids: list[int]) -> None:
        for pid in pids:
            _signal(pid, signal.SIGTERM)
        patience = TOLD_SECONDS + max(STUBBORN_SECONDS, self._effect_seconds)
        give_up_at = time.monotonic() + patience
        while child_pids(self._pool) and time.monotonic() < give_up_at:
            time.sleep(TOLD_SECONDS / 5)
        if stubborn := child_pids(self._pool):
            attempts = self._release([worker_name(pid) for pid in stubborn])
            for pid in stubborn:
                _signal(pid, signal.SIGKILL)
            self._storage.remove_lost(attempts)

    def _release(self, workers: list[str], spared: Collection[str] = ()) -> dict[str, int]:
        """Hand over what processes hold that are about to be ended; their writes are fenced out.

        Args:
            workers: the processes.
            spared: tasks that they keep.

        Returns:
            The attempts that end so, by task: what they left in storage is nobody's.
        """
        try:
            with unforked():
                released = self._holdings.release(workers, spared)
        except UNAVAILABLE as error:
            # They wait for the database, and would for long. Their leases lapse.
            log.warning("not_handed_over", reason=str(error.__cause__ or error))
            return {}
        self._bell.ring(*released.queues)
        return released.attempts


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
