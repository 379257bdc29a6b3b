"""Has the kernel end a process in which no thread can run any more."""

import signal
import threading
import time

REWOUND_EVERY_SECONDS = 0.5


class Watchdog(threading.Thread):
    """A clock that a thread keeps rewinding; when it runs down, the kernel ends the process.

    It runs down while a task in one of the process's threads holds the interpreter, in a call into
    C, so that no other thread gets its turn; the others' leases lapse meanwhile. The clock counts
    what the process computes: time in which it was frozen, or starved, does not count.
    Source: setitimer(2), the default action of SIGPROF in signal(7)

    Args:
        seconds: of computing until then.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._seconds = seconds

    def run(self) -> None:
        """Rewind, for as long as the process lives."""
        while True:
            signal.setitimer(signal.ITIMER_PROF, self._seconds)
            time.sleep(REWOUND_EVERY_SECONDS)
