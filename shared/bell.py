"""The bell: the only sender of Celery messages.

A message says only "there is work on this queue"; the work is a row. So a lost message loses
nothing, and whoever cannot reach the broker goes on: the janitor rings for waiting rows later.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog
from celery import Celery
from kombu.entity import Exchange
from kombu.entity import Queue as CeleryQueue
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from shared.contracts.queues import HIGH_PRIORITY_FROM, Queue

BELL = "bulkhead.bell"
VERSION = 1
LONGEST_WAIT = 0.5
"""Seconds to wait for the broker to connect, and again for it to answer."""

CONNECTIONS = 10
QUIET_SECONDS = 1.0
"""How long nobody tries again after the broker did not answer: where many ask at once, each would
wait its turn to find out the same."""
BELIEVED_SECONDS = 2.0
"""How long an answer about the broker holds."""

BROKER_ERRORS = (OperationalError, RedisError, OSError)

log = structlog.get_logger(__name__)


def queues_to_ring(queue: Queue, priority: int) -> tuple[Queue, ...]:
    """List the queues whose workers may run a task of this queue and priority."""
    if queue is Queue.EXPORT and priority >= HIGH_PRIORITY_FROM:
        return (queue, Queue.HIGH_PRIORITY)
    return (queue,)


def declare(*queues: Queue) -> tuple[CeleryQueue, ...]:
    """Give the Celery queues of these names; each is one list in Redis, SQL keeps the order."""
    return tuple(
        CeleryQueue(queue.value, Exchange(queue.value, type="direct"), routing_key=queue.value)
        for queue in queues
    )


class Bell:
    """Rings queues through a Celery app that only publishes. Connects at the first ring.

    Safe to share between threads; make it in the process that uses it, after any fork.

    Args:
        redis_url: the broker.
    """

    def __init__(self, redis_url: str) -> None:
        self._app = Celery("bulkhead.publisher", broker=redis_url, set_as_current=False)
        self._app.conf.update(
            task_queues=declare(*Queue),
            # A queue that no service declares is an error at the sender.
            task_create_missing_queues=False,
            task_ignore_result=True,
            # Measured: with these a send blocks 0.14 s when the broker refuses and 0.5 s when it
            # is frozen; with Celery's defaults over 20 s.
            # https://docs.celeryq.dev/en/stable/userguide/configuration.html#broker-transport-options
            broker_connection_timeout=LONGEST_WAIT,
            broker_pool_limit=CONNECTIONS,
            broker_transport_options={
                "socket_timeout": LONGEST_WAIT,
                "socket_connect_timeout": LONGEST_WAIT,
                "retry_on_timeout": False,
                "max_retries": 0,
            },
            task_publish_retry=False,
        )
        self._redis = Redis.from_url(
            redis_url, socket_timeout=LONGEST_WAIT, socket_connect_timeout=LONGEST_WAIT
        )
        self._turns = threading.Semaphore(CONNECTIONS)
        self._quiet_until = 0.0
        self._asked_at = float("-inf")
        self._answers = True

    def ring(self, *queues: Queue) -> bool:
        """Ring each queue once; False if the broker did not answer, which loses nothing.

        Bounded: at most two waits of `LONGEST_WAIT`, for the first failure ends it, and for
        `QUIET_SECONDS` everybody's.
        """
        return all(self._ring_once(queue) for queue in queues)

    def _ring_once(self, queue: Queue) -> bool:
        message = {"v": VERSION, "queue": queue.value}
        with self._turns:
            if self._is_quiet:  # since this one waited for its turn, perhaps
                return False
            try:
                self._app.send_task(BELL, args=[message], queue=queue)
            except BROKER_ERRORS as error:
                self._be_quiet()
                log.warning("bell_not_rung", queue=queue.value, reason=str(error))
                return False
        return True

    def answers(self) -> bool:
        """Whether the broker answers, as seen in the last `BELIEVED_SECONDS`."""
        if self._is_quiet:
            return False
        if time.monotonic() - self._asked_at >= BELIEVED_SECONDS:
            try:
                self._answers = bool(self._redis.ping())
            except BROKER_ERRORS:
                self._answers = False
            self._asked_at = time.monotonic()
        return self._answers

    @property
    def _is_quiet(self) -> bool:
        return time.monotonic() < self._quiet_until

    def _be_quiet(self) -> None:
        self._quiet_until = time.monotonic() + QUIET_SECONDS

    def count_waiting(self, queue: Queue) -> int | None:
        """Count the bells that no worker has heard yet; None if the broker did not answer."""
        if self._is_quiet:
            return None
        try:
            with self._bound(queue) as bound:
                return int(bound.queue_declare().message_count)
        except BROKER_ERRORS as error:
            self._be_quiet()
            log.warning("bells_not_counted", queue=queue.value, reason=str(error))
            return None

    def silence(self, queue: Queue) -> None:
        """Forget all bells of a queue; the broker may be away."""
        with suppress(*BROKER_ERRORS), self._bound(queue) as bound:
            bound.purge()

    @contextmanager
    def _bound(self, queue: Queue) -> Iterator[CeleryQueue]:
        with self._app.connection_for_write() as connection:
            bound = declare(queue)[0].bind(connection.default_channel)
            bound.declare()
            yield bound

    def close(self) -> None:
        """Close the connections."""
        self._app.close()
        self._redis.close()
