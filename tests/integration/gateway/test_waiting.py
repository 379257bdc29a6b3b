"""Why a task still waits, and how many are before it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from services.gateway.settings import GatewaySettings
from shared.contracts.queues import Queue
from shared.database import now
from shared.errors import SourceUnavailableError
from shared.tasks.models import TASKS, WORKERS
from shared.tasks.presence import GONE_AFTER, say_absent, say_present
from tests.integration.gateway.conftest import BODY, Worker
from tests.servers import RedisServer


@pytest.fixture
def gateway_settings(database_url: str, data_dir: Path, redis_url: str) -> GatewaySettings:
    """With a broker that answers."""
    return GatewaySettings(data_dir=data_dir, database_url=database_url, redis_url=redis_url)


def submit(client: TestClient, **changes: object) -> str:
    return str(client.post("/api/export/work-logs", json={**BODY, **changes}).json()["task_id"])


def ask(client: TestClient, task_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/api/tasks/{task_id}").json()
    return answer


def test_without_a_worker_it_says_so(client: TestClient, task_engine: Engine) -> None:
    task_id = submit(client)
    assert ask(client, task_id)["pending_reason"] == "no_worker_online"
    say_present(task_engine, "host:1", [Queue.NOTIFICATION])
    assert ask(client, task_id)["pending_reason"] == "no_worker_online"
    say_present(task_engine, "host:2", [Queue.EXPORT])
    assert ask(client, task_id)["pending_reason"] == "backlog"
    say_absent(task_engine, "host:2")
    assert ask(client, task_id)["pending_reason"] == "no_worker_online"


def test_a_worker_that_vanished_is_not_there_any_more(
    client: TestClient, task_engine: Engine
) -> None:
    task_id = submit(client)
    say_present(task_engine, "host:1", [Queue.EXPORT])
    with task_engine.begin() as connection:
        long_ago = now(connection) - GONE_AFTER - timedelta(seconds=1)
        connection.execute(update(WORKERS).values(seen_at=long_ago))
    assert ask(client, task_id)["pending_reason"] == "no_worker_online"


def test_a_worker_reserved_for_urgent_exports_serves_no_others(
    client: TestClient, task_engine: Engine
) -> None:
    ordinary, urgent = submit(client), submit(client, priority=7)
    say_present(task_engine, "host:1", [Queue.HIGH_PRIORITY])
    assert ask(client, ordinary)["pending_reason"] == "no_worker_online"
    assert ask(client, urgent)["pending_reason"] == "backlog"


def test_the_position_is_the_order_of_claims(client: TestClient, worker: Worker) -> None:
    first, second, urgent = submit(client), submit(client), submit(client, priority=9)
    positions = [ask(client, each)["queue_position"] for each in (first, second, urgent)]
    assert positions == [2, 3, 1]
    worker.claim()
    assert ask(client, urgent)["queue_position"] is None
    assert ask(client, urgent)["pending_reason"] is None
    assert ask(client, second)["queue_position"] == 2


def test_a_retry_says_when_it_is_tried_again(
    client: TestClient, worker: Worker, task_engine: Engine
) -> None:
    task_id = submit(client)
    worker.store.retry(worker.claim(), SourceUnavailableError(), timedelta(hours=1))
    task = ask(client, task_id)
    assert (task["state"], task["pending_reason"], task["attempt"]) == ("retrying", "retrying", 1)
    assert task["next_attempt_at"] > task["created_at"]
    with task_engine.begin() as connection:
        connection.execute(update(TASKS).values(run_after=TASKS.c.created_at))
    assert ask(client, task_id)["pending_reason"] == "no_worker_online"


def test_without_a_broker_it_says_so(client: TestClient, redis_server: RedisServer) -> None:
    redis_server.kill()
    task_id = submit(client)
    assert ask(client, task_id)["pending_reason"] == "broker_unavailable"
