"""What a handler is given beside its parameters: scratch, progress, and the word to stop."""

import ctypes
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from shared.tasks.claims import Claim, Progress

STOP_SIGNAL = signal.SIGUSR2
"""Wakes the main thread of a worker process, so that it leaves whatever it is doing."""

log = structlog.get_logger(__name__)


class StopReason(StrEnum):
    """Why a running task is asked to stop."""

    CANCELLED = "cancelled"
    LOST = "lost"
    SHUTDOWN = "shutdown"
    TIME_LIMIT = "time_limit"


class TaskStopped(BaseException):
    """Raised inside a handler that was asked to stop."""


class TaskContext:
    """One attempt of a task, as its handler and its watcher share it.

    Args:
        claim: the task.
        scratch: a folder for files in the making; the handler makes it, the runner removes it.
        bell: the id of the one that led to it.
    """

    def __init__(self, claim: Claim, scratch: Path, bell: str | None = None) -> None:
        self.bell = bell
        self.task_id = claim.task_id
        self.attempt = claim.attempt
        self.owner = claim.owner
        self.scratch = scratch
        self.progress = Progress()
        self.stop_reason: StopReason | None = None
        self.key: str | None = None  # in storage, from the moment that something may be there
        self.is_over = False  # the handler has been left: nothing is there to stop any more
        self.is_irrevocable = False
        self._interrupts: list[Callable[[], None]] = []
        self._thread = threading.current_thread()
        self._on_main_thread = self._thread is threading.main_thread()
        self._gevent = _patching_gevent()
        self._greenlet = self._gevent.getcurrent() if self._gevent else None
        self._armed = False
        self._lock = threading.RLock()  # a signal handler may stop the thread that holds it

    def report(self, percent: int, key: str, **arguments: str | int) -> None:
        """Say how far the task has come: 0 to 99, and a message of `shared.messages`."""
        percent = max(self.progress.percent, min(percent, 99))
        self.progress = Progress(percent, {"key": key, "arguments": arguments})

    def checkpoint(self) -> None:
        """Leave if the task was asked to stop; batch loops call it several times a second.

        Raises:
            TaskStopped: it was.
        """
        if self.stop_reason is not None:
            raise TaskStopped(self.stop_reason)

    @property
    def owns_process(self) -> bool:
        """Whether the task has its process to itself: a thread among others must not end it."""
        return self._on_main_thread

    def pass_point_of_no_return(self) -> None:
        """From here on no stop interrupts the handler: what it does next cannot be taken back.

        A repeat would do it twice, so a stop waits for it, for as long as `effect_seconds` of the
        service's settings; what has succeeded by then is recorded as done.

        Raises:
            TaskStopped: it was asked to stop before.
        """
        with self._lock:
            self.checkpoint()
            self._armed = False
            self.is_irrevocable = True

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While a blocking call runs, let `interrupt` end it, from another thread."""
        self._interrupts.append(interrupt)
        try:
            self.checkpoint()
            yield
        finally:
            self._interrupts.remove(interrupt)

    def stop(self, reason: StopReason) -> None:
        """Ask the handler to stop, from any thread; the first reason stands."""
        with self._lock:
            if self.stop_reason is not None:
                return
            self.stop_reason = reason
            for interrupt in [*self._interrupts]:
                with suppress(Exception):  # the call may have ended just now
                    interrupt()
            if self._armed:
                self._wake()

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """The stretch in which `stop` may raise `TaskStopped` anywhere in this thread."""
        if self._on_main_thread:
            # Left in place afterwards, where it does nothing: the default would end the process.
            signal.signal(STOP_SIGNAL, self._raise)
        self._armed = True
        try:
            self.checkpoint()
            yield
        finally:
            self.is_over = True
            with self._lock:
                self._armed = False
                self._forget_wake()

    def _wake(self) -> None:
        if self._gevent:
            self._gevent.kill(self._greenlet, TaskStopped)
        elif self._on_main_thread:
            signal.pthread_kill(self._thread.ident or 0, STOP_SIGNAL)
        else:
            _raise_in_thread(self._thread, TaskStopped)

    def _forget_wake(self) -> None:
        """Take back what `_wake` may have left on its way to this thread."""
        if self._gevent:
            with suppress(TaskStopped):
                self._gevent.sleep(0)
        elif not self._on_main_thread:
            _raise_in_thread(self._thread, None)

    def _raise(self, _signal: int, _frame: FrameType | None) -> None:
        if self._armed:
            self._armed = False
            raise TaskStopped(self.stop_reason)


def _patching_gevent() -> Any:
    """Give gevent if it has made threads its greenlets; None in an ordinary process."""
    gevent: Any = sys.modules.get("gevent")
    return gevent if gevent and gevent.monkey.is_module_patched("threading") else None


def _raise_in_thread(thread: threading.Thread, error: type[BaseException] | None) -> None:
    # Source: https://docs.python.org/3/c-api/threads.html#c.PyThreadState_SetAsyncExc
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(error) if error else None
    )
