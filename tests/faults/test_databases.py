"""PostgreSQL gone in the middle of an export: of the task database, of the source, of both."""

import time

import httpx
import pytest
from sqlalchemy import select

from cli.sample_data import load
from shared.contracts.tasks import State, WorkLogsExport
from shared.database import create_database_engine, read
from shared.migrations import Schema, migrate
from shared.postgres import ANSWER_SECONDS
from shared.tasks.models import TASKS
from tests.faults.contents import ROWS
from tests.faults.house import EXPORTER, GATEWAY, JANITOR, NOTIFIER, USER, House
from tests.servers import PostgresServer, promised, wait_until

EX_SOFTWARE = 70
STOPPED_SECONDS = 15
"""Beyond the grace period, for a worker that has to find out that nothing answers."""
CONNECT_SECONDS = 5
FROZEN_SECONDS = ANSWER_SECONDS + CONNECT_SECONDS
BODY = {
    "start_date": "2024-01-01",
    "end_date": "2024-12-31",
    "notify": {"user_id": USER, "notification_type": "inbox"},
}


@pytest.mark.parametrize("absence", ["for long", "for a moment"])
@pytest.mark.parametrize("step", ["writing", "stored"])
def test_the_task_database_is_gone_during_an_export(
    postgres_house: House, own_postgres: PostgresServer, step: str, absence: str
) -> None:
    house = postgres_house
    gateway = house.service(GATEWAY)
    services = house.start(gateway, house.paused(EXPORTER, step), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    stop_for(house, own_postgres, gateway, house.pace.database_absence * (absence == "for long"))
    since = time.monotonic()
    fault = f"task database gone {absence}: {step}"
    house.is_done_once(task_id, fault, since)
    # No worker was lost: the task went on, or waited for the database, where it was.
    assert (house.task(task_id).attempt, house.losses(task_id)) == (1, 0)
    with read(house.engine) as connection:
        assert len(connection.scalars(select(TASKS.c.id)).all()) == 2, "nothing is half accepted"
    for each in services:
        assert each.health("healthz")[0] == 200


def test_the_task_database_is_frozen_during_an_export(
    postgres_house: House, own_postgres: PostgresServer
) -> None:
    house = postgres_house
    gateway = house.service(GATEWAY)
    services = house.start(gateway, house.paused(EXPORTER, "writing"), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    asked = f"{gateway.url}/api/export/work-logs"
    assert httpx.post(asked, json=BODY, timeout=30).status_code == 202
    own_postgres.freeze()
    house.resume()
    began = time.monotonic()
    for longest in (FROZEN_SECONDS, CONNECT_SECONDS):  # the first one has to find out
        answer = httpx.post(asked, json=BODY, timeout=60)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.elapsed.total_seconds() < promised(longest)
    wait_until(
        lambda: time.monotonic() - began > house.pace.lease, seconds=60, what="a lease has passed"
    )
    since = time.monotonic()
    own_postgres.thaw()
    house.is_done_once(task_id, "task database frozen: writing", since)
    assert (house.task(task_id).attempt, house.losses(task_id)) == (1, 0)
    with read(house.engine) as connection:
        exports = connection.scalars(select(TASKS.c.id).where(TASKS.c.kind == WorkLogsExport.kind))
        assert len(exports.all()) == 2, "nothing is half accepted"
    for each in services:
        assert each.health("healthz")[0] == 200


def stop_for(house: House, postgres: PostgresServer, gateway: object, absence: float) -> None:
    """Stop the server, see that submits are refused as they should be, start it again."""
    postgres.stop()
    gone_at = time.monotonic()
    house.resume()
    if absence:
        answer = httpx.post(f"{gateway.url}/api/export/work-logs", json=BODY, timeout=30)  # type: ignore[attr-defined]
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        wait_until(
            lambda: time.monotonic() - gone_at > absence, seconds=absence + 5, what="it is time"
        )
    postgres.start()


def test_the_source_and_the_task_database_are_gone_during_an_export(
    postgres_house: House, own_postgres: PostgresServer
) -> None:
    house = postgres_house
    url = load_source(own_postgres)
    exporter = house.paused(EXPORTER, "reading", BULKHEAD_SOURCE_DATABASE_URL=url)
    house.start(exporter, NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    stop_for(house, own_postgres, None, 0)
    since = time.monotonic()
    house.is_done_once(task_id, "source and task database restarted: reading", since)
    task = house.task(task_id)
    assert task.attempt >= 2
    assert house.losses(task_id) == 0


def test_the_source_alone_is_gone_during_an_export(
    house: House, own_postgres: PostgresServer
) -> None:
    url = load_source(own_postgres)
    exporter = house.paused(EXPORTER, "reading", BULKHEAD_SOURCE_DATABASE_URL=url)
    house.start(exporter, NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    own_postgres.stop()
    gone_at = time.monotonic()
    house.resume()
    wait_until(
        lambda: house.task(task_id).state is State.RETRYING,
        seconds=house.pace.patience,
        what="it is being retried",
    )
    task = house.task(task_id)
    assert task.error_code == "source_unavailable"
    wait_until(
        lambda: time.monotonic() - gone_at > house.pace.database_absence,
        seconds=house.pace.patience,
        what="it is time",
    )
    own_postgres.start()
    since = time.monotonic()
    house.is_done_once(task_id, "source gone for long", since)
    assert house.losses(task_id) == 0


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_worker_is_told_to_stop_while_the_task_database_is_gone(
    postgres_house: House, own_postgres: PostgresServer, pool: str
) -> None:
    """It cannot hand its task over, and does not wait for that: the lease lapses."""
    house = postgres_house
    exporter = house.paused(EXPORTER, "writing", BULKHEAD_EXPORTER_POOL=pool)
    house.start(exporter, NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    own_postgres.stop()
    since = time.monotonic()
    assert exporter.stop(seconds=house.pace.patience) in {0, EX_SOFTWARE}
    assert time.monotonic() - since < promised(house.pace.grace + STOPPED_SECONDS)
    own_postgres.start()
    since = time.monotonic()
    house.start(EXPORTER)
    house.is_done_once(task_id, f"SIGTERM while the task database is gone: {pool}", since)
    assert house.task(task_id).attempt == 2


def load_source(postgres: PostgresServer) -> str:
    """Make a source on the server that holds what every other one holds."""
    url = postgres.create_database("source")
    engine = create_database_engine(url)
    migrate(engine, Schema.SOURCE)
    load(engine, ROWS, append=False, report=lambda _: None)
    engine.dispose()
    return url
