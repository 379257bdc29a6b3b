"""Schedules: once each, however late and however many janitors; clock changes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, update

from services.janitor.schedule import Scheduler, next_run
from services.janitor.settings import JanitorSettings
from shared.contracts.tasks import CleanUp
from shared.database import now, read
from shared.tasks.models import SCHEDULES, TASKS
from shared.tasks.schedules import list_schedules


@pytest.fixture
def scheduler(task_engine: Engine) -> Scheduler:
    return Scheduler(task_engine, JanitorSettings(cleanup_cron="0 3 * * *"))


def make_due(engine: Engine, ago: timedelta) -> None:
    with engine.begin() as connection:
        connection.execute(update(SCHEDULES).values(next_run_at=now(connection) - ago))


def tasks(engine: Engine) -> list[dict[str, object]]:
    with read(engine) as connection:
        return list(connection.scalars(select(TASKS.c.parameters)))


def test_a_new_schedule_waits_for_its_time(task_engine: Engine, scheduler: Scheduler) -> None:
    assert scheduler.run_due() == 0
    (schedule,) = list_schedules(task_engine)
    assert (schedule.name, schedule.cron, schedule.timezone) == (
        "clean_up", "0 3 * * *", "Asia/Shanghai",
    )  # fmt: skip
    assert timedelta() < schedule.next_run_at - datetime.now(UTC) <= timedelta(days=1)


def test_a_run_that_was_missed_happens_once_and_late(
    task_engine: Engine, scheduler: Scheduler
) -> None:
    scheduler.run_due()
    make_due(task_engine, timedelta(days=5))
    assert [scheduler.run_due() for _ in range(3)] == [1, 0, 0]
    (parameters,) = tasks(task_engine)
    assert (parameters["days_old"], parameters["owner"]) == (7, None)
    (schedule,) = list_schedules(task_engine)
    assert schedule.next_run_at > datetime.now(UTC)
    assert schedule.last_run_at is not None
    assert schedule.last_task_id is not None


def test_many_janitors_run_it_once(task_engine: Engine, scheduler: Scheduler) -> None:
    scheduler.run_due()
    make_due(task_engine, timedelta(seconds=1))
    others = [Scheduler(task_engine, JanitorSettings(cleanup_cron="0 3 * * *")) for _ in range(4)]
    run: Callable[[Scheduler], int] = Scheduler.run_due
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, others)) == 1
    assert len(tasks(task_engine)) == 1


def test_another_expression_takes_effect(task_engine: Engine, scheduler: Scheduler) -> None:
    scheduler.run_due()
    make_due(task_engine, timedelta(days=-300))
    Scheduler(task_engine, JanitorSettings(cleanup_cron="0 3 * * *")).run_due()
    (same,) = list_schedules(task_engine)
    assert same.next_run_at > datetime.now(UTC) + timedelta(days=200)
    Scheduler(task_engine, JanitorSettings(cleanup_cron="0 4 * * *")).run_due()
    (changed,) = list_schedules(task_engine)
    assert changed.next_run_at < datetime.now(UTC) + timedelta(days=2)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        # Berlin, 31 March 2024: 2:00 to 3:00 does not exist.
        ("2024-03-30T12:00:00+01:00", "2024-03-31T01:00:00+00:00"),
        ("2024-03-31T12:00:00+02:00", "2024-04-01T00:30:00+00:00"),
        # Berlin, 27 October 2024: 2:00 to 3:00 is there twice, and the run once.
        ("2024-10-26T12:00:00+02:00", "2024-10-27T00:30:00+00:00"),
        ("2024-10-27T00:30:00+00:00", "2024-10-28T01:30:00+00:00"),
    ],
)
def test_a_clock_change_neither_skips_nor_repeats_a_run(after: str, expected: str) -> None:
    found = next_run("30 2 * * *", "Europe/Berlin", datetime.fromisoformat(after))
    assert found.astimezone(UTC) == datetime.fromisoformat(expected)


def test_scheduled_parameters_can_be_read_back(task_engine: Engine, scheduler: Scheduler) -> None:
    scheduler.run_due()
    make_due(task_engine, timedelta(seconds=1))
    scheduler.run_due()
    (parameters,) = tasks(task_engine)
    assert CleanUp.model_validate(parameters).owner is None


def test_a_bad_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="no cron expression"):
        JanitorSettings(cleanup_cron="at tea time")
    with pytest.raises(ValueError, match="at least file_retention_days"):
        JanitorSettings(record_retention_days=3)
