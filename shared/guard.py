"""The guard: a thread of a worker's first process that sees what nobody else would.

It looks after the pool's processes, says that the worker is there, and ends a worker that is
connected but has ceased to consume, so that whoever started it starts it anew.
"""

import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy import Engine

from shared.children import Children
from shared.contracts.queues import Queue
from shared.liveness import Consumption, consumed
from shared.process import unforked
from shared.tasks.presence import SAID_EVERY_SECONDS, say_absent, say_present

LOOK_SECONDS = 0.2
PAUSE_SECONDS = 2.0
"""Until the next try of something that has failed."""

log = structlog.get_logger(__name__)


class Guard(threading.Thread):
    """Looks several times a second; nothing that goes wrong ends it.

    Args:
        engine: the task database; opens a connection for each use, for the process forks.
        name: of the worker.
        children: of its pool.
        consumption: of its consumer.
        end: ends this process, after its tasks were handed over.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        children: Children,
        consumption: Consumption,
        end: Callable[[], None],
    ) -> None:
        super().__init__(name="guard", daemon=True)
        self._engine = engine
        self._worker_name = name
        self._children = children
        self._consumption = consumption
        self._end = end
        self._wait_until: dict[str, float] = {}

    def run(self) -> None:
        """Look, for as long as the process lives."""
        while True:
            time.sleep(LOOK_SECONDS)
            self._try("children", self._children.look, 0)
            self._try("presence", self._say_present, SAID_EVERY_SECONDS)
            self._try("consumption", self._look_at_consumer, 1)

    def turns(self) -> bool:
        """Whether it still looks, and the consumer does its work; part of `/healthz`."""
        return self.is_alive() and not self._consumption.has_ceased

    def leave(self) -> None:
        """The worker stops: nobody needs to reckon with it any more."""
        self._wait_until["presence"] = float("inf")
        with unforked():
            say_absent(self._engine, self._worker_name)

    def _try(self, what: str, look: Callable[[], None], every_seconds: float) -> None:
        moment = time.monotonic()
        if moment < self._wait_until.get(what, 0):
            return
        self._wait_until[what] = max(self._wait_until.get(what, 0), moment + every_seconds)
        try:
            look()
        except Exception as error:  # noqa: BLE001  (the next look may find the world mended)
            log.warning("guard_failed", what=what, reason=str(error))
            self._wait_until[what] = max(self._wait_until[what], moment + PAUSE_SECONDS)

    def _say_present(self) -> None:
        if queues := [Queue(each) for each in consumed()]:
            with unforked():
                say_present(self._engine, self._worker_name, queues)

    def _look_at_consumer(self) -> None:
        if self._consumption.look():
            log.error("consumer_ceased", hint="it is connected and hears no bell: to start anew")
            self._end()
