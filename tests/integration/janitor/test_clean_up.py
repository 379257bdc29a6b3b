"""Clean-up: what goes, what stays, and what a second attempt finds."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update

from services.janitor.clean_up import TidyUp
from services.janitor.orphans import is_orphan, named_by
from services.janitor.settings import JanitorSettings
from shared.contracts.queues import Queue
from shared.contracts.tasks import CleanUp, CleanUpResult
from shared.database import now, read
from shared.inbox import list_entries, put_entry
from shared.storage import Storage
from shared.tasks.claims import Claim
from shared.tasks.context import TaskContext
from shared.tasks.files import Place
from shared.tasks.idempotency import IdempotencyKey
from shared.tasks.models import FILES, IDEMPOTENCY_KEYS, INBOX, TASKS
from shared.tasks.store import TaskStore
from tests.integration.shared.claiming import JANUARY, claim, finished_with, stored


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "files")


@pytest.fixture
def make_file(store: TaskStore, storage: Storage) -> Callable[..., str]:
    """Makes finished exports: `make_file(owner=…, days_old=…)` gives the key."""

    def make(owner: str = "ann", days_old: float = 0) -> str:
        store.submit(JANUARY, owner=owner)
        claimed = claim(store)
        name = f"{claimed.task_id}.xlsx"
        file = stored(name, claimed)
        path = storage.root / file.key
        path.parent.mkdir()
        path.write_bytes(b"x" * file.size)
        assert store.finish(claimed, finished_with(name), file) == []
        age(store.engine, claimed.task_id, days_old)
        return file.key

    return make


def age(engine: Engine, task_id: str, days: float) -> None:
    """Make a task and its file older than they are."""
    with engine.begin() as connection:
        then = now(connection) - timedelta(days=days)
        connection.execute(update(FILES).where(FILES.c.task_id == task_id).values(created_at=then))
        connection.execute(update(TASKS).where(TASKS.c.id == task_id).values(finished_at=then))


def clean_up(
    store: TaskStore,
    storage: Storage,
    days_old: int,
    owner: str | None = "ann",
    task_id: str = "c" * 32,
    before: datetime | None = None,
) -> CleanUpResult:
    """Run one clean-up."""
    with read(store.engine) as connection:
        before = before or now(connection) - timedelta(days=days_old)
    parameters = CleanUp(days_old=days_old, before=before, owner=owner)
    settings = JanitorSettings(record_retention_days=30, inbox_retention_days=30)
    context = TaskContext(
        Claim(task_id, 1, "ann", CleanUp.kind, Queue.CLEANUP, {}, 0), storage.root / ".scratch"
    )
    result = TidyUp(store.engine, storage, settings)(parameters, context).result
    assert isinstance(result, CleanUpResult)
    return result


def keys(storage: Storage) -> list[str]:
    return sorted(key for batch in storage.list() for key, _ in batch)


def test_files_that_are_older_go_and_younger_ones_stay(
    store: TaskStore, storage: Storage, make_file: Callable[..., str]
) -> None:
    young, _old, _older = make_file(days_old=6.9), make_file(days_old=7.1), make_file(days_old=300)
    result = clean_up(store, storage, 7)
    assert (result.deleted_count, result.freed_bytes, result.days_old) == (2, 20, 7)
    assert keys(storage) == [young]
    assert clean_up(store, storage, 7, task_id="d" * 32).deleted_count == 0


def test_another_owners_files_stay_unless_all_are_meant(
    store: TaskStore, storage: Storage, make_file: Callable[..., str]
) -> None:
    make_file(owner="ann", days_old=9)
    bobs = make_file(owner="bob", days_old=9)
    assert clean_up(store, storage, 7).deleted_count == 1
    assert keys(storage) == [bobs]
    assert clean_up(store, storage, 7, owner=None, task_id="d" * 32).deleted_count == 1


def test_zero_days_removes_what_is_there_and_nothing_that_comes_later(
    store: TaskStore, storage: Storage, make_file: Callable[..., str]
) -> None:
    make_file(days_old=0.001)
    with read(store.engine) as connection:
        before = now(connection)
    store.submit(JANUARY, owner="ann")
    running = claim(store)
    scratch = storage.scratch(running.task_id, running.attempt)
    scratch.mkdir(parents=True)
    (scratch / "half.xlsx").write_bytes(b"half")
    later = make_file(days_old=-0.001)
    assert clean_up(store, storage, 0, before=before).deleted_count == 1
    assert keys(storage) == [f".scratch/{running.task_id}/1/half.xlsx", later]


def test_a_file_that_is_gone_already_is_no_error(
    store: TaskStore, storage: Storage, make_file: Callable[..., str]
) -> None:
    storage.delete(make_file(days_old=9))
    assert clean_up(store, storage, 7).deleted_count == 1


def test_a_second_attempt_goes_on_where_the_first_one_ended(
    store: TaskStore,
    storage: Storage,
    make_file: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(3):
        make_file(days_old=9)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            clean_up(store, storage, 7)
    assert len(keys(storage)) == 3
    result = clean_up(store, storage, 7)
    assert (result.deleted_count, result.freed_bytes) == (3, 30)
    assert keys(storage) == []


def test_a_download_that_runs_goes_on(
    store: TaskStore, storage: Storage, make_file: Callable[..., str]
) -> None:
    chunks = storage.read(make_file(days_old=9), 0, 10)
    clean_up(store, storage, 7)
    assert b"".join(chunks) == b"x" * 10


def test_old_records_go_and_a_dead_link_is_remembered_longer(
    store: TaskStore, storage: Storage, make_file: Callable[..., str]
) -> None:
    make_file(days_old=29)
    make_file(days_old=31)
    waiting = store.submit(JANUARY, owner="ann")
    put_entry(store.engine, task_id="a" * 32, owner="ann", user_id="u", subject="s", message="m")
    put_entry(store.engine, task_id="b" * 32, owner="ann", user_id="u", subject="s", message="m")
    key = IdempotencyKey.for_body("/x", "k", {})
    store.cancel(store.submit(JANUARY, owner="ann", idempotency=key), "ann")
    with store.engine.begin() as connection:
        long_ago = now(connection) - timedelta(days=31)
        connection.execute(update(INBOX).where(INBOX.c.id == "a" * 32).values(created_at=long_ago))
        connection.execute(update(IDEMPOTENCY_KEYS).values(created_at=long_ago))
    assert clean_up(store, storage, 7, owner=None).deleted_count == 2
    with read(store.engine) as connection:
        left = connection.execute(select(TASKS.c.id, TASKS.c.status)).all()
        assert connection.execute(select(func.count()).select_from(FILES)).scalar_one() == 1
        assert connection.execute(select(IDEMPOTENCY_KEYS.c.key)).all() == []
    assert sorted(status for _, status in left) == ["completed", "failed", "pending"]
    assert waiting in {task_id for task_id, _ in left}
    assert [entry.id for entry in list_entries(store.engine, "ann", "u", limit=9)[0]] == ["b" * 32]


def test_orphans_go_only_when_they_cannot_be_wanted(
    store: TaskStore, storage: Storage, make_file: Callable[..., str]
) -> None:
    kept = make_file()
    task_id = kept.partition("/")[0]
    store.submit(JANUARY, owner="ann")
    running = claim(store)
    wanted = [
        kept,
        f".scratch/{running.task_id}/1/x",
        f"{running.task_id}/1.xlsx",
        "strange/file.txt",
    ]
    unwanted = [f"{task_id}/0.xlsx", f".scratch/{task_id}/1/x", f"{running.task_id}/0.csv"]
    recent, old = f"{'1' * 32}/1.xlsx", f"{'2' * 32}/1.xlsx"
    for key in (*wanted[1:], *unwanted, recent, old):
        path = storage.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    day_before_yesterday = time.time() - 2 * 86400
    os.utime(storage.root / old, (day_before_yesterday, day_before_yesterday))
    clean_up(store, storage, 7, owner=None)
    assert keys(storage) == sorted([*wanted, recent])


@pytest.mark.parametrize(
    ("place", "attempt", "age", "orphan"),
    [
        (None, 1, timedelta(hours=23), False),
        (None, 1, timedelta(hours=25), True),
        (Place(2, False, None), 2, timedelta(days=9), False),
        (Place(2, False, None), 1, timedelta(), True),
        (Place(1, True, "t/1.xlsx"), 1, timedelta(days=9), False),
        (Place(1, True, None), 1, timedelta(), True),
        (Place(2, True, "t/2.xlsx"), 1, timedelta(), True),
        (Place(1, False, None), 2, timedelta(days=9), False),
    ],
)
def test_the_rule_of_orphans(
    place: Place | None, attempt: int, age: timedelta, orphan: bool
) -> None:
    assert is_orphan(place, f"t/{attempt}.xlsx", attempt, age) is orphan


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("t/1.xlsx", ("t", 1)),
        (".scratch/t/12/export.xlsx", ("t", 12)),
        (".scratch/probe-1", None),
        ("t", None),
        ("t/x.xlsx", None),
        ("a/b/c", None),
    ],
)
def test_what_a_key_names(key: str, name: tuple[str, int] | None) -> None:
    assert named_by(key) == name


def test_the_parameters_outlive_a_deploy() -> None:
    parameters = CleanUp(days_old=0, before=datetime(2024, 1, 1, tzinfo=UTC))
    assert CleanUp.model_validate(parameters.model_dump(mode="json")) == parameters
