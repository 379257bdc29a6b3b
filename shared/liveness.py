"""Whether a worker's consumer does its work, as distinct from whether its process exists."""

import time
from functools import partial
from typing import Any

from celery import bootsteps, signals
from celery.worker import state
from celery.worker.consumer import Consumer
from redis import Redis
from redis.exceptions import RedisError

from shared.health import NotReadyError

BEAT_SECONDS = 1.0
TURN_SECONDS = 0.02
"""How often the loop turns beside tasks in threads. It asks for the next bell only when it turns,
and unlike a child's pipe, a thread that ends its task does not wake it."""

RECONNECT_SECONDS = 2.0
SUSPECT_SECONDS = 5.0
"""A loop that has not turned for so long, or that has heard nothing while bells wait and a slot is
free, is looked at more closely."""

_turned_at = time.monotonic()
_heard_at = time.monotonic()
_queues: tuple[str, ...] = ()


class Pulse(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """A timer on the consumer's own loop; it is set anew whenever the consumer reconnects."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        """Begin to beat."""
        global _queues  # noqa: PLW0603  (one consumer per process)
        _queues = _queues or tuple(consumer.app.amqp.queues.consume_from)
        _beat()
        _hear()
        signals.task_received.connect(_hear)
        has_children = consumer.pool.uses_semaphore
        consumer.timer.call_repeatedly(BEAT_SECONDS if has_children else TURN_SECONDS, _beat)
        # A killed child's pipe closes a moment before the child can be waited for. Celery, woken
        # by the pipe, then sees it alive, and its slot is lost until it looks 5 seconds later.
        consumer.timer.call_repeatedly(BEAT_SECONDS, consumer.pool.maintain_pool)


def check_consumer() -> None:
    """Raise until the consumer has begun; its pool runs by then."""
    if not _queues:
        raise NotReadyError("the worker does not consume yet")


def consumed() -> tuple[str, ...]:
    """List the queues that the consumer began with; none before it has begun."""
    return _queues


def is_busy() -> bool:
    """Whether any task runs in this worker."""
    return bool(state.active_requests)


def _beat() -> None:
    global _turned_at  # noqa: PLW0603  (one consumer per process)
    _turned_at = time.monotonic()


def _hear(**_: object) -> None:
    global _heard_at  # noqa: PLW0603  (one consumer per process)
    _heard_at = time.monotonic()


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Tries to reconnect every few seconds, where Celery's own waits longer each time, up to 30."""

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, however long it takes."""
        conn.ensure_connection = partial(conn.ensure_connection, interval_max=RECONNECT_SECONDS)
        return super().ensure_connected(conn)


class Consumption:
    """Sees a consumer that is connected and yet does nothing, a known failure of its kind.

    Args:
        worker: Celery's, of this process.
        redis_url: the broker.
        patience_seconds: how long that may last; longer than the consumer's own waits between two
            attempts to reconnect.
    """

    def __init__(self, worker: Any, redis_url: str, patience_seconds: float) -> None:
        self._worker = worker
        self._redis = Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
        self._patience_seconds = patience_seconds
        self._suspected_at: float | None = None
        self.has_ceased = False

    def look(self) -> bool:
        """Look, about once a second; whether the consumer has ceased for the whole patience.

        While the broker is away, waiting for it is what a consumer should do.
        """
        if self._is_suspect():
            self._suspected_at = self._suspected_at or time.monotonic()
            self.has_ceased = time.monotonic() - self._suspected_at >= self._patience_seconds
        else:
            self._suspected_at = None
            self.has_ceased = False
        return self.has_ceased

    def _is_suspect(self) -> bool:
        if not _queues:
            return False
        since = time.monotonic() - SUSPECT_SECONDS
        is_stuck = _turned_at < since
        is_idle = _heard_at < since and (
            len(state.active_requests) < self._worker.pool.num_processes
        )
        if not (is_stuck or is_idle):
            return False
        try:
            bells_wait = sum(self._redis.llen(name) for name in _queues) > 0
        except RedisError:
            return False
        return is_stuck or bells_wait
