"""The bell against a broker that answers, refuses, or is frozen."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.bell import BELIEVED_SECONDS, LONGEST_WAIT, QUIET_SECONDS, Bell, queues_to_ring
from shared.contracts.queues import Queue
from tests.servers import RedisServer, promised, wait_until


@pytest.fixture
def bell(redis_server: RedisServer) -> Iterator[Bell]:
    bell = Bell(redis_server.url)
    yield bell
    bell.close()


def test_each_ring_is_one_bell(bell: Bell) -> None:
    assert bell.ring(Queue.EXPORT, Queue.EXPORT, Queue.CLEANUP)
    assert bell.count_waiting(Queue.EXPORT) == 2
    assert bell.count_waiting(Queue.CLEANUP) == 1
    bell.silence(Queue.EXPORT)
    assert bell.count_waiting(Queue.EXPORT) == 0


def test_a_broker_that_refuses_is_no_error_and_heals(bell: Bell, redis_server: RedisServer) -> None:
    assert bell.ring(Queue.EXPORT)
    redis_server.kill()
    began = time.monotonic()
    assert not bell.ring(Queue.EXPORT)
    assert time.monotonic() - began < promised(4 * LONGEST_WAIT)
    assert bell.count_waiting(Queue.EXPORT) is None
    bell.silence(Queue.EXPORT)
    assert not bell.answers()
    redis_server.start()
    wait_until(lambda: bell.ring(Queue.EXPORT), seconds=QUIET_SECONDS + 2, what="it rings again")
    wait_until(bell.answers, seconds=BELIEVED_SECONDS + 2, what="the broker is seen again")


def test_many_who_ring_at_once_wait_no_longer_than_one(
    bell: Bell, redis_server: RedisServer
) -> None:
    assert bell.ring(Queue.EXPORT)
    assert redis_server.process is not None
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with ThreadPoolExecutor(40) as pool:
            rung = list(pool.map(lambda _: bell.ring(Queue.EXPORT), range(200)))
        assert not any(rung)
        assert time.monotonic() - began < promised(2)
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)


def test_a_frozen_broker_holds_nobody_up(bell: Bell, redis_server: RedisServer) -> None:
    assert bell.ring(Queue.EXPORT)
    assert redis_server.process is not None
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert not bell.ring(*[Queue.EXPORT] * 100)
        assert time.monotonic() - began < promised(4 * LONGEST_WAIT)
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)


def test_urgent_exports_ring_the_reserved_workers_too() -> None:
    assert queues_to_ring(Queue.EXPORT, 6) == (Queue.EXPORT,)
    assert queues_to_ring(Queue.EXPORT, 7) == (Queue.EXPORT, Queue.HIGH_PRIORITY)
    assert queues_to_ring(Queue.CLEANUP, 9) == (Queue.CLEANUP,)
