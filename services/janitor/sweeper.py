"""Sweeps every few seconds, in a thread apart from the worker that cleans up."""

import threading
import time
from collections.abc import Callable

import structlog

from services.janitor.sweep import Sweep

STALE_SECONDS = 60.0
"""A sweep that takes longer is stuck; its waits on database and broker are far shorter."""

log = structlog.get_logger(__name__)


class Sweeper(threading.Thread):
    """The loop; nothing that goes wrong in a sweep ends it.

    Args:
        make: builds the sweep, in this thread.
        seconds: between two sweeps.
    """

    def __init__(self, make: Callable[[], Sweep], seconds: float) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._make = make
        self._seconds = seconds
        self._turned_at = time.monotonic()

    def run(self) -> None:
        """Sweep for as long as the process lives."""
        sweep = self._make()
        while True:
            self._turned_at = time.monotonic()
            try:
                more = sweep.once()
            except Exception as error:  # noqa: BLE001  (the next sweep may find the world mended)
                log.warning("sweep_failed", reason=str(error))
                more = False
            if not more:
                time.sleep(self._seconds)

    def turns(self) -> bool:
        """Whether a sweep began lately."""
        return (
            self.is_alive() and time.monotonic() - self._turned_at < STALE_SECONDS + self._seconds
        )
