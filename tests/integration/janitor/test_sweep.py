"""The sweep, on both databases and against a real broker."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from services.janitor.schedule import Scheduler
from services.janitor.settings import JanitorSettings
from services.janitor.sweep import RUNG_AT_ONCE, SPARE_BELLS, Sweep
from shared.bell import Bell
from shared.contracts.queues import Queue
from shared.contracts.tasks import WorkLogsExport
from shared.storage import Storage
from shared.tasks.models import TASKS
from shared.tasks.store import TaskStore
from tests.servers import RedisServer

LIMITS = {WorkLogsExport.kind: WorkLogsExport.limits}
JANUARY = WorkLogsExport(start_date=date(2024, 1, 1), end_date=date(2024, 1, 31))


@pytest.fixture
def bell(redis_url: str) -> Iterator[Bell]:
    bell = Bell(redis_url)
    yield bell
    bell.close()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "files")


@pytest.fixture
def sweep(store: TaskStore, storage: Storage, bell: Bell) -> Sweep:
    scheduler = Scheduler(store.engine, JanitorSettings())
    return Sweep(store, storage, bell, scheduler, max_losses=3)


def test_it_rings_while_due_tasks_outnumber_bells(
    store: TaskStore, bell: Bell, sweep: Sweep
) -> None:
    for priority in (5, 9):
        store.submit(JANUARY, owner="ann", priority=priority)
    bell.ring(Queue.EXPORT)
    for _ in range(3):
        assert not sweep.once()
    assert bell.count_waiting(Queue.EXPORT) == 2
    assert bell.count_waiting(Queue.HIGH_PRIORITY) == 1
    assert bell.count_waiting(Queue.NOTIFICATION) == 0


def test_it_rings_for_a_task_whose_lease_lapsed(store: TaskStore, bell: Bell, sweep: Sweep) -> None:
    store.submit(JANUARY, owner="ann")
    store.claim(Queue.EXPORT, "host:1", LIMITS)
    with store.engine.begin() as connection:
        past = connection.scalar(select(TASKS.c.created_at))
        connection.execute(update(TASKS).values(lease_expires_at=past))
    assert sweep.once()
    assert bell.count_waiting(Queue.EXPORT) == 1
    assert not sweep.once()


def test_a_task_that_waits_for_its_time_is_not_rung_for(
    store: TaskStore, bell: Bell, sweep: Sweep
) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    with store.engine.begin() as connection:
        later = connection.execute(select(TASKS.c.created_at)).scalar_one() + timedelta(hours=1)
        connection.execute(update(TASKS).where(TASKS.c.id == task_id).values(run_after=later))
    sweep.once()
    assert bell.count_waiting(Queue.EXPORT) == 0


def test_a_long_queue_is_rung_for_in_several_sweeps(
    store: TaskStore, bell: Bell, sweep: Sweep
) -> None:
    for _ in range(RUNG_AT_ONCE + 1):
        store.submit(JANUARY, owner="ann")
    assert sweep.once()
    assert bell.count_waiting(Queue.EXPORT) == RUNG_AT_ONCE
    assert not sweep.once()
    assert bell.count_waiting(Queue.EXPORT) == RUNG_AT_ONCE + 1


def test_bells_that_nobody_hears_do_not_pile_up(store: TaskStore, bell: Bell, sweep: Sweep) -> None:
    store.submit(JANUARY, owner="ann", priority=9)
    bell.ring(*[Queue.HIGH_PRIORITY] * (SPARE_BELLS + 2))
    sweep.once()
    assert bell.count_waiting(Queue.HIGH_PRIORITY) == 1


def test_without_a_broker_leases_are_recovered_all_the_same(
    store: TaskStore, sweep: Sweep, redis_server: RedisServer
) -> None:
    store.submit(JANUARY, owner="ann")
    store.claim(Queue.EXPORT, "host:1", LIMITS)
    with store.engine.begin() as connection:
        past = connection.scalar(select(TASKS.c.created_at))
        connection.execute(update(TASKS).values(lease_expires_at=past))
    redis_server.kill()
    assert sweep.once()
    assert store.claim(Queue.EXPORT, "host:2", LIMITS) is not None
