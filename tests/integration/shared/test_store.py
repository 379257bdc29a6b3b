"""The store's transactions, on both databases."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from pydantic import BaseModel
from sqlalchemy import Engine, func, select, update

from shared.contracts.events import ExportFinished
from shared.contracts.queues import Queue
from shared.contracts.tasks import ExportResult, State, Status, WorkLogsExport
from shared.database import create_database_engine, read
from shared.errors import SourceSchemaError, SourceUnavailableError
from shared.migrations import Schema, migrate
from shared.tasks.claims import Claim, Finished, Progress, Sign, StoredFile
from shared.tasks.idempotency import IdempotencyConflictError, IdempotencyKey
from shared.tasks.models import FILES, RANKS, TASKS
from shared.tasks.queries import TaskRecord, count_due, find_file, find_task, list_files, list_tasks
from shared.tasks.store import Cancellation, TaskStore

LIMITS = {WorkLogsExport.kind: WorkLogsExport.limits}
JANUARY = WorkLogsExport(start_date=date(2024, 1, 1), end_date=date(2024, 1, 31))
LEASE = timedelta(seconds=30)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_database_engine(database_url, pool_size=10)
    migrate(engine, Schema.TASKS)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> TaskStore:
    return TaskStore(engine, LEASE)


def claim(store: TaskStore, *, min_priority: int = 0, worker: str = "host:1") -> Claim:
    claimed = store.claim(Queue.EXPORT, worker, LIMITS, min_priority=min_priority)
    assert claimed is not None
    return claimed


def record(store: TaskStore, task_id: str, owner: str = "ann") -> TaskRecord:
    with read(store.engine) as connection:
        found = find_task(connection, task_id, owner)
    assert found is not None
    return found


def let_lease_lapse(store: TaskStore, task_id: str) -> None:
    with store.engine.begin() as connection:
        past = connection.scalar(select(func.min(TASKS.c.created_at)))
        connection.execute(update(TASKS).where(TASKS.c.id == task_id).values(lease_expires_at=past))


def finished_with(name: str) -> Finished:
    result = ExportResult(
        file_name=name,
        records_count=3,
        start_date=JANUARY.start_date,
        end_date=JANUARY.end_date,
        created_at="2024-02-01T08:00:00",
        size=10,
        sha256="ab" * 32,
    )
    return Finished(result=result, event=ExportFinished(parameters=JANUARY, result=result))


def stored(name: str, claimed: Claim) -> StoredFile:
    key = f"{claimed.task_id}/{claimed.attempt}.xlsx"
    return StoredFile(name=name, key=key, media_type="x/y", size=10, sha256="ab" * 32)


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


def test_heartbeat_extends_the_lease_and_progress_never_falls(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    claimed = claim(store)
    let_lease_lapse(store, task_id)
    assert store.heartbeat(claimed, Progress(40, {"key": "querying", "arguments": {}})) is (
        Sign.GO_ON
    )
    assert store.recover_lapsed(3) == []
    assert store.heartbeat(claimed, Progress(10)) is Sign.GO_ON
    assert record(store, task_id).progress == 40


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


def test_a_worker_that_lost_its_lease_changes_nothing(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    old = claim(store)
    let_lease_lapse(store, task_id)
    assert store.recover_lapsed(3) == [Queue.EXPORT]
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
        assert store.recover_lapsed(3) == [Queue.EXPORT]
    claim(store)
    let_lease_lapse(store, task_id)
    assert store.recover_lapsed(3) == []
    task = record(store, task_id)
    assert (task.state, task.error_code, task.attempt) == (State.FAILED, "worker_lost", 3)
    assert task.error_arguments == {"losses": 3}


def test_a_task_that_outlived_its_time_limit_is_not_run_again(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    claim(store)
    with store.engine.begin() as connection:
        past = connection.scalar(select(TASKS.c.created_at))
        connection.execute(update(TASKS).values(lease_expires_at=past, deadline_at=past))
    assert store.recover_lapsed(3) == []
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


def test_a_process_that_must_end_hands_over_what_it_holds(store: TaskStore) -> None:
    kept, handed, cancelled = (store.submit(JANUARY, owner="ann") for _ in range(3))
    claim(store, worker="host:1")
    claim(store, worker="host:2")
    claim(store, worker="host:2")
    store.cancel(cancelled, "ann")
    assert store.release_held_by("host:2") == [Queue.EXPORT]
    assert record(store, kept).state is State.RUNNING
    assert record(store, handed).state is State.QUEUED
    assert record(store, cancelled).state is State.CANCELLED


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


def test_a_cancelled_task_whose_worker_vanished_is_not_run_again(store: TaskStore) -> None:
    task_id = store.submit(JANUARY, owner="ann")
    claim(store)
    store.cancel(task_id, "ann")
    let_lease_lapse(store, task_id)
    assert store.recover_lapsed(3) == []
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
