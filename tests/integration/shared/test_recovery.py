"""Leases, losses and hand-overs in the store, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from shared.contracts.queues import Queue
from shared.contracts.tasks import State, Status
from shared.database import read
from shared.errors import SourceSchemaError, SourceUnavailableError
from shared.settings import Settings
from shared.tasks.claims import Progress, Sign
from shared.tasks.context import StopReason
from shared.tasks.holdings import Holdings
from shared.tasks.models import TASKS
from shared.tasks.outcomes import Ending, Recorder
from shared.tasks.queries import find_file
from shared.tasks.store import TaskStore
from tests.integration.shared.claiming import (
    JANUARY,
    LIMITS,
    claim,
    finished_with,
    let_lease_lapse,
    record,
    stored,
)


def test_heartbeat_extends_the_lease_and_progress_never_falls(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    claimed = claim(store)
    let_lease_lapse(store, task_id)
    assert store.heartbeat(claimed, Progress(40, {"key": "querying", "arguments": {}})) is (
        Sign.GO_ON
    )
    assert store.recover_lapsed(3).queues == []
    assert store.heartbeat(claimed, Progress(10)) is Sign.GO_ON
    assert record(store, task_id).progress == 40


def test_a_worker_that_lost_its_lease_changes_nothing(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    old = claim(store)
    let_lease_lapse(store, task_id)
    assert store.recover_lapsed(3).queues == [Queue.EXPORT]
    assert store.heartbeat(old, Progress(50)) is Sign.LOST
    new = claim(store)
    assert new.attempt == 2
    assert store.look(old) is Sign.LOST
    assert store.finish(old, finished_with("old.xlsx"), stored("old.xlsx", old)) is None
    assert store.fail(old, SourceSchemaError(reason="x")) is None
    assert not store.release(old)
    assert not store.retry(old, SourceUnavailableError(), timedelta())
    assert record(store, task_id).state is State.RUNNING
    assert store.finish(new, finished_with("new.xlsx"), stored("new.xlsx", new)) == []
    with read(store.engine) as connection:
        assert find_file(connection, "old.xlsx", "ann") is None


def test_the_last_loss_fails_the_task(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    for _ in range(2):
        claim(store)
        let_lease_lapse(store, task_id)
        assert store.recover_lapsed(3).queues == [Queue.EXPORT]
    claim(store)
    let_lease_lapse(store, task_id)
    assert store.recover_lapsed(3).queues == []
    task = record(store, task_id)
    assert (task.state, task.error_code, task.attempt) == (State.FAILED, "worker_lost", 3)
    assert task.error_arguments == {"losses": 3}


def test_a_task_that_outlived_its_time_limit_is_not_run_again(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    claim(store)
    with store.engine.begin() as connection:
        past = connection.scalar(select(TASKS.c.created_at))
        connection.execute(update(TASKS).values(lease_expires_at=past, deadline_at=past))
    assert store.recover_lapsed(3).queues == []
    assert record(store, task_id).error_code == "time_limit"


def test_releasing_costs_neither_a_loss_nor_a_retry(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    for attempt in range(1, 6):
        claimed = claim(store)
        assert claimed.attempt == attempt
        assert store.release(claimed)
        assert record(store, task_id).state is State.QUEUED
    with read(store.engine) as connection:
        assert connection.execute(select(TASKS.c.losses, TASKS.c.retries)).one() == (0, 0)


def test_a_dead_process_loses_what_it_held_and_nobody_else_does(store: TaskStore) -> None:
    kept, lost, cancelled, slow = (store.submit(JANUARY, owner="ann") for _ in range(4))
    claim(store, worker="host:1")
    for _ in range(3):
        claim(store, worker="host:2")
    store.cancel(cancelled, "ann")
    with store.engine.begin() as connection:
        past = connection.scalar(select(TASKS.c.created_at))
        connection.execute(update(TASKS).where(TASKS.c.id == slow).values(deadline_at=past))
    holdings = Holdings(store.engine, store.lease, max_losses=3)
    losses = holdings.lose(["host:2", "host:3"])
    assert (losses.waiting, losses.queues) == ([lost], [Queue.EXPORT])
    assert set(losses.failed) == {cancelled, slow}
    assert record(store, kept).state is State.RUNNING
    assert record(store, lost).state is State.QUEUED
    assert record(store, cancelled).state is State.CANCELLED
    assert record(store, slow).error_code == "time_limit"
    assert not holdings.lose(["host:2"])


def test_a_process_that_is_seen_to_live_keeps_its_lease(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    claim(store, worker="host:1")
    let_lease_lapse(store, task_id)
    holdings = Holdings(store.engine, store.lease, max_losses=3)
    holdings.extend(["host:1"])
    assert not store.recover_lapsed(3)


def test_processes_that_should_have_stopped_are_found(store: TaskStore) -> None:
    cancelled, slow, _ = (store.submit(JANUARY, owner="ann") for _ in range(3))
    workers = ["host:1", "host:2", "host:3"]
    for worker in workers:
        claim(store, worker=worker)
    store.cancel(cancelled, "ann")
    with store.engine.begin() as connection:
        past = connection.scalar(select(TASKS.c.created_at))
        connection.execute(update(TASKS).where(TASKS.c.id == slow).values(deadline_at=past))
    holdings = Holdings(store.engine, store.lease, max_losses=3)
    assert set(holdings.overdue(workers, timedelta())) == {"host:1", "host:2"}
    assert holdings.overdue(workers, timedelta(hours=1)) == []
    assert holdings.overdue(["host:3"], timedelta()) == []


def test_what_a_process_holds_is_cancelled_by_its_name(store: TaskStore) -> None:
    store.submit(JANUARY, owner="ann")
    claimed = claim(store, worker="host:1")
    holdings = Holdings(store.engine, store.lease, max_losses=3)
    holdings.cancel("host:2")
    assert store.look(claimed) is Sign.GO_ON
    holdings.cancel("host:1")
    assert store.look(claimed) is Sign.CANCEL


def test_a_process_that_must_end_hands_over_what_it_holds(store: TaskStore) -> None:
    kept, handed, cancelled, spared = (store.submit(JANUARY, owner="ann") for _ in range(4))
    claim(store, worker="host:1")
    for _ in range(3):
        claim(store, worker="host:2")
    store.cancel(cancelled, "ann")
    store.cancel(spared, "ann")
    holdings = Holdings(store.engine, store.lease, max_losses=3)
    released = holdings.release(["host:2"], {spared})
    assert released.queues == [Queue.EXPORT]
    assert [*released.attempts.values()] == [1, 1]
    assert record(store, kept).state is State.RUNNING
    assert record(store, handed).state is State.QUEUED
    assert record(store, cancelled).state is State.CANCELLED
    assert record(store, spared).status is Status.PROCESSING


def test_a_retry_waits_for_its_time_and_says_why(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    assert store.retry(claim(store), SourceUnavailableError(), timedelta(hours=1))
    task = record(store, task_id)
    assert (task.status, task.state) == (Status.PENDING, State.RETRYING)
    assert task.error_code == "source_unavailable"
    assert store.claim(Queue.EXPORT, "host:1", LIMITS) is None
    with store.engine.begin() as connection:
        connection.execute(update(TASKS).values(run_after=TASKS.c.created_at))
    assert claim(store).retries == 1


def test_a_cancelled_task_whose_worker_vanished_is_not_run_again(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    claim(store)
    store.cancel(task_id, "ann")
    let_lease_lapse(store, task_id)
    assert store.recover_lapsed(3).queues == []
    assert record(store, task_id).state is State.CANCELLED


@pytest.mark.parametrize("outcome", [SourceUnavailableError(), StopReason.SHUTDOWN])
def test_an_attempt_that_was_fenced_out_ends_as_lost(
    store: TaskStore, outcome: SourceUnavailableError | StopReason
) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    old = claim(store)
    let_lease_lapse(store, task_id)
    store.recover_lapsed(3)
    claim(store)
    assert Recorder(store, Settings()).record(old, outcome) == (Ending.LOST, [])
    assert record(store, task_id).attempt == 2
    assert record(store, task_id).status is Status.PROCESSING
