"""Runs Bulkhead's processes together, and stops them together."""

import signal
import time
from collections.abc import Callable
from types import FrameType

from cli.child import Child
from cli.errors import CliError
from shared.settings import EX_CONFIG

LOOK_SECONDS = 0.1


class Supervisor:
    """Starts processes in order, restarts those that crash, stops them in the other order.

    Args:
        say: tells people what happens.
        exit_on_crash: a crash ends everything instead of being mended.
        stop_seconds: how long the processes may take to stop before they are killed.
    """

    def __init__(
        self, say: Callable[[str], None], *, exit_on_crash: bool, stop_seconds: float
    ) -> None:
        self._say = say
        self._exit_on_crash = exit_on_crash
        self._stop_seconds = stop_seconds
        self._children: list[Child] = []
        # Plain flags: a handler that takes a lock may meet the code that it interrupts.
        self._is_stopping = False
        self._kill = False

    def heed_signals(self) -> None:
        """From now on SIGINT, SIGTERM and SIGHUP stop everything; a second one does so at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._kill = self._is_stopping
        self._is_stopping = True

    def start(self, child: Child) -> None:
        """Start a process and look after it."""
        self._children.append(child)
        child.start()

    @property
    def is_stopping(self) -> bool:
        """Whether a signal has come."""
        return self._is_stopping

    def wait_for(self, condition: Callable[[], bool], *, seconds: float, what: str) -> bool:
        """Look after the processes until a condition holds; False if a signal came first.

        Raises:
            CliError: a process ended in a way that no restart mends, or time is over.
        """
        deadline = time.monotonic() + seconds
        while not self._is_stopping:
            if condition():
                return True
            self._look_after()
            if time.monotonic() > deadline:
                raise CliError(f"Not within {seconds:.0f} seconds: {what}; see the log above")
            time.sleep(LOOK_SECONDS)
        return False

    def run(self) -> None:
        """Look after the processes until a signal comes; raises like `wait_for`."""
        while not self._is_stopping:
            self._look_after()
            time.sleep(LOOK_SECONDS)

    def _look_after(self) -> None:
        for child in self._children:
            status = child.crashed()
            if status is None:
                child.start_if_due()
                continue
            ended = f"{child.name} ended with {_words(status)}"
            if status == EX_CONFIG:
                raise CliError(f"{ended}, its settings are wrong: {child.last_words}")
            if self._exit_on_crash:
                raise CliError(f"{ended}; stopping, because of --exit-on-crash")
            self._say(f"{ended}; it starts again in {child.back_off():.0f} s")

    def stop(self) -> None:
        """Stop everything, the last one started first; leaves no process behind."""
        if not self._children:
            return
        first, *_ = self._children
        rest = [child for child in self._children if child is not first]
        self._stop_all(rest)  # the broker goes last: the others still speak to it
        self._stop_all([first])
        self._children.clear()

    def _stop_all(self, children: list[Child]) -> None:
        deadline = time.monotonic() + self._stop_seconds
        for child in children:
            child.signal(signal.SIGTERM)
        while time.monotonic() < deadline and not self._kill:
            soon = time.monotonic() + LOOK_SECONDS
            if all(child.wait(soon) for child in children):
                return
        for child in children:
            child.signal(signal.SIGKILL)
            child.wait(time.monotonic() + self._stop_seconds)


def _words(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
