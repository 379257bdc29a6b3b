"""The store's transactions, on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from pydantic import BaseModel
from sqlalchemy import func, select

from shared.contracts.queues import Queue
from shared.contracts.tasks import State, Status
from shared.database import read
from shared.errors import SourceSchemaError, SourceUnavailableError
from shared.tasks.claims import Finished, Sign
from shared.tasks.idempotency import IdempotencyConflictError, IdempotencyKey
from shared.tasks.models import FILES, RANKS
from shared.tasks.queries import count_due, find_file, find_task, list_files, list_tasks
from shared.tasks.store import Cancellation, TaskStore
from tests.integration.shared.claiming import (
    JANUARY,
    LIMITS,
    claim,
    finished_with,
    record,
    stored,
)


def test_a_new_task_is_pending_for_its_owner_only(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann", priority=3)
    task = record(store, task_id)
    assert (task.status, task.state, task.priority) == (Status.PENDING, State.QUEUED, 3)
    assert (task.attempt, task.progress, task.result) == (0, 0, None)
    with read(store.engine) as connection:
        assert find_task(connection, task_id, "bob") is None


def test_a_claim_takes_the_task_and_counts_the_attempt(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    claimed = claim(store)
    assert (claimed.task_id, claimed.attempt) == (task_id, 1)
    assert claimed.read_parameters() == JANUARY
    assert record(store, task_id).state is State.RUNNING
    assert store.claim(Queue.EXPORT, "host:2", LIMITS) is None


def test_a_claim_leaves_kinds_alone_that_its_worker_does_not_know(store: TaskStore) -> None:
    store.submit(JANUARY, owner="ann")
    assert store.claim(Queue.EXPORT, "host:1", {}) is None


def test_priority_goes_first_then_owners_in_turn_then_age(store: TaskStore) -> None:
    first = [store.submit(JANUARY, owner="ann") for _ in range(3)]
    other = store.submit(JANUARY, owner="bob")
    urgent = store.submit(JANUARY, owner="ann", priority=9)
    lazy = store.submit(JANUARY, owner="cid", priority=0)
    order = [claim(store).task_id for _ in range(6)]
    assert order == [urgent, first[0], other, first[1], first[2], lazy]


def test_whoever_comes_late_does_not_wait_behind_another_owners_heap(store: TaskStore) -> None:
    heap = [store.submit(JANUARY, owner="ann") for _ in range(20)]
    assert [claim(store).task_id for _ in range(10)] == heap[:10]
    late = store.submit(JANUARY, owner="bob")
    assert late in [claim(store).task_id for _ in range(2)]


def test_a_high_priority_worker_takes_urgent_tasks_only(store: TaskStore) -> None:
    store.submit(JANUARY, owner="ann", priority=6)
    assert store.claim(Queue.EXPORT, "host:1", LIMITS, min_priority=7) is None
    urgent = store.submit(JANUARY, owner="ann", priority=7)
    assert claim(store, min_priority=7).task_id == urgent


def test_a_waiting_task_that_is_cancelled_does_not_cost_its_owner_a_turn(store: TaskStore) -> None:
    for _ in range(5):
        store.cancel(store.submit(JANUARY, owner="ann"), "ann")
    with read(store.engine) as connection:
        assert connection.scalar(select(RANKS.c.last_rank)) == 0


def test_many_workers_never_claim_the_same_attempt(store: TaskStore) -> None:
    submitted = {store.submit(JANUARY, owner=f"owner {n % 3}") for n in range(40)}

    def work(number: int) -> list[str]:
        mine: list[str] = []
        while claimed := store.claim(Queue.EXPORT, f"host:{number}", LIMITS):
            mine.append(claimed.task_id)
        return mine

    with ThreadPoolExecutor(4) as pool:
        claimed = [each for mine in pool.map(work, range(4)) for each in mine]
    # A worker may find nothing while another holds the last row; none is claimed twice.
    assert sorted(claimed) == sorted(submitted)


def test_finish_shows_the_file_and_the_result_together(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    claimed = claim(store)
    assert store.finish(claimed, finished_with("a.xlsx"), stored("a.xlsx", claimed)) == []
    task = record(store, task_id)
    assert (task.status, task.state, task.progress) == (Status.COMPLETED, State.DONE, 100)
    assert task.result is not None
    assert task.result["records_count"] == 3
    with read(store.engine) as connection:
        file = find_file(connection, "a.xlsx", "ann")
        assert file is not None
        assert file.key == f"{task_id}/1.xlsx"
        assert find_file(connection, "a.xlsx", "bob") is None
        assert [each.name for each in list_files(connection, "ann", limit=10)] == ["a.xlsx"]


def test_finishing_twice_is_harmless(store: TaskStore) -> None:
    store.submit(JANUARY, owner="ann")
    claimed = claim(store)
    for _ in range(2):
        assert store.finish(claimed, finished_with("a.xlsx"), stored("a.xlsx", claimed)) == []
    with read(store.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(FILES)) == 1


def test_failing_keeps_the_code_and_its_arguments(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    assert store.fail(claim(store), SourceSchemaError(reason="no column id")) == []
    task = record(store, task_id)
    assert (task.state, task.error_code) == (State.FAILED, "source_schema")
    assert task.error_arguments == {"reason": "no column id"}
    assert task.finished_at is not None


def test_cancelling_a_waiting_task_ends_it(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    assert store.cancel(task_id, "bob") is Cancellation.UNKNOWN
    assert store.cancel(task_id, "ann") is Cancellation.CANCELLED
    assert store.cancel(task_id, "ann") is Cancellation.OVER
    assert record(store, task_id).state is State.CANCELLED
    assert store.claim(Queue.EXPORT, "host:1", LIMITS) is None


def test_cancelling_a_running_task_asks_it_to_stop_and_wins(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    claimed = claim(store)
    assert store.cancel(task_id, "ann") is Cancellation.CANCELLING
    assert store.cancel(task_id, "ann") is Cancellation.CANCELLING
    assert record(store, task_id).state is State.CANCELLING
    assert store.look(claimed) is Sign.CANCEL
    assert store.finish(claimed, finished_with("a.xlsx"), stored("a.xlsx", claimed)) is None
    assert not store.release(claimed)
    assert record(store, task_id).state is State.CANCELLED


def test_the_same_key_and_body_give_the_same_task(store: TaskStore) -> None:
    key = IdempotencyKey.for_body("/api/export/work-logs", "k1", {"a": 1, "b": 2})
    same = IdempotencyKey.for_body("/api/export/work-logs", "k1", {"b": 2, "a": 1})
    first = store.submit(JANUARY, owner="ann", idempotency=key)
    assert store.submit(JANUARY, owner="ann", idempotency=same) == first
    assert store.submit(JANUARY, owner="bob", idempotency=key) != first
    with pytest.raises(IdempotencyConflictError):
        store.submit(
            JANUARY,
            owner="ann",
            idempotency=IdempotencyKey.for_body("/api/export/work-logs", "k1", {"a": 2}),
        )
    with read(store.engine) as connection:
        assert len(list_tasks(connection, "ann", limit=10)) == 1


def test_two_posts_with_one_key_at_once_give_one_task(store: TaskStore) -> None:
    key = IdempotencyKey.for_body("/api/export/work-logs", "k1", {})
    together = threading.Barrier(4)

    def post(_: int) -> str:
        together.wait()
        return store.submit(JANUARY, owner="ann", idempotency=key)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(post, range(4)))) == 1


def test_due_tasks_are_counted_by_the_queue_to_ring(store: TaskStore) -> None:
    for priority in (5, 7, 9):
        store.submit(JANUARY, owner="ann", priority=priority)
    store.retry(claim(store), SourceUnavailableError(), timedelta(hours=1))
    with read(store.engine) as connection:
        assert count_due(connection) == {Queue.EXPORT: 2, Queue.HIGH_PRIORITY: 1}


def test_lists_are_newest_first_and_page_by_the_last_one_seen(store: TaskStore) -> None:
    ids = [store.submit(JANUARY, owner="ann") for _ in range(5)]
    store.submit(JANUARY, owner="bob")
    with read(store.engine) as connection:
        first = list_tasks(connection, "ann", limit=2)
        rest = list_tasks(connection, "ann", limit=10, before=first[-1].id)
        none = list_tasks(connection, "ann", limit=10, status=Status.COMPLETED)
    assert [task.id for task in first + rest] == ids[::-1]
    assert none == []


class Nothing(BaseModel):
    """A result without a file."""


def test_a_task_may_end_without_a_file(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    assert store.finish(claim(store), Finished(result=Nothing())) == []
    assert record(store, task_id).state is State.DONE
