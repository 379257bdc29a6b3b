"""Whether a worker's consumer loop turns, as distinct from whether its process exists."""

import time
from typing import Any

from celery import bootsteps

from shared.health import NotReadyError, check_broker

BEAT_SECONDS = 1.0
STALE_SECONDS = 60.0
"""A loop that has not turned for so long, though the broker answers, is stuck. Celery itself waits
up to 30 seconds between two attempts to reconnect."""

_turned_at = time.monotonic()
_has_started = False


class Pulse(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """A timer on the consumer's own loop; it is set anew whenever the consumer reconnects."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        """Begin to beat."""
        global _has_started  # noqa: PLW0603  (one consumer per process)
        _has_started = True
        _beat()
        consumer.timer.call_repeatedly(BEAT_SECONDS, _beat)


def check_consumer() -> None:
    """Raise until the consumer has begun; its pool runs by then."""
    if not _has_started:
        raise NotReadyError("the worker does not consume yet")


def _beat() -> None:
    global _turned_at  # noqa: PLW0603  (one consumer per process)
    _turned_at = time.monotonic()


class Liveness:
    """Says whether the worker is alive. While the broker is away, waiting for it is life."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url

    def is_alive(self) -> bool:
        """Whether the loop has turned lately, or has no broker to turn with."""
        if time.monotonic() - _turned_at < STALE_SECONDS:
            return True
        try:
            check_broker(self._redis_url)
        except Exception:  # noqa: BLE001  (whatever it is, the broker does not answer)
            return True
        return False
