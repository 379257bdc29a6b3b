"""A process that `up` runs: started, its lines shown under its name, stopped."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from shared.process import tied

FIRST_BACK_OFF = 1.0
LONGEST_BACK_OFF = 30.0
STEADY_SECONDS = 60.0
"""A process that ran for so long begins with the first back-off again."""

Show = Callable[[str, str], None]


class Child:
    """One process, started again and again.

    Args:
        name: what people call it.
        command: its command line.
        environment: all of it.
        show: gets its name and each line that it writes.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], show: Show
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._show = show
        self._process: subprocess.Popen[str] | None = None
        self._started_at = 0.0
        self._back_off = FIRST_BACK_OFF
        self._start_at: float | None = None

    def start(self) -> None:
        """Start it. Call from the main thread, with whose end it ends."""
        self._start_at = None
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            tied(self._command),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a terminal's Ctrl-C reaches `up` alone, which stops it
        )
        threading.Thread(target=self._pump, args=(self._process,), daemon=True).start()

    def _pump(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None  # noqa: S101  (a pipe, see above)
        for line in process.stdout:
            self._show(self.name, line.rstrip("\n"))

    def crashed(self) -> int | None:
        """Give the exit status if it has ended since it was started, once."""
        if self._process is None or (status := self._process.poll()) is None:
            return None
        self._process = None
        return status

    def back_off(self) -> float:
        """Plan its next start; give the seconds until then."""
        if time.monotonic() - self._started_at >= STEADY_SECONDS:
            self._back_off = FIRST_BACK_OFF
        seconds = self._back_off
        self._start_at = time.monotonic() + seconds
        self._back_off = min(2 * seconds, LONGEST_BACK_OFF)
        return seconds

    def start_if_due(self) -> None:
        """Start it, if that was planned for now."""
        if self._start_at is not None and time.monotonic() >= self._start_at:
            self.start()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self, deadline: float) -> bool:
        """Wait until it has ended, or a monotonic time is reached; whether it has ended."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        self._process = None
        return True
