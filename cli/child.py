"""A process that `up` runs: started, its lines shown under its name, stopped."""

import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from shared.process import tied

FIRST_BACK_OFF = 1.0
LONGEST_BACK_OFF = 30.0
STEADY_SECONDS = 60.0
"""A process that ran for so long begins with the first back-off again."""
LAST_WORDS_SECONDS = 2.0
"""How long its output is waited for when it has ended; a child of its own may keep it open."""

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
        self._reader: threading.Thread | None = None
        self._last_lines: deque[str] = deque(maxlen=1)

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
        self._last_lines.clear()
        self._reader = threading.Thread(target=self._pump, args=(self._process,), daemon=True)
        self._reader.start()

    def _pump(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None  # noqa: S101  (a pipe, see above)
        with process.stdout as lines:
            for line in lines:
                text = line.rstrip("\n")
                if text.strip():
                    self._last_lines.append(text)
                self._show(self.name, text)

    @property
    def last_words(self) -> str:
        """The last line that it has written since it was started."""
        return "".join(self._last_lines)

    def crashed(self) -> int | None:
        """Give the exit status if it has ended since it was started, once."""
        if self._process is None or (status := self._process.poll()) is None:
            return None
        self._process = None
        self._hear_out()
        return status

    def _hear_out(self) -> None:
        if self._reader is not None:
            self._reader.join(LAST_WORDS_SECONDS)

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
        self._hear_out()
        return True
