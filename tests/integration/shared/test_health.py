"""Health, served and asked over real connections."""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from redis.exceptions import RedisError

from shared.database import create_database_engine
from shared.health import HealthServer, NotReadyError, check_broker, check_database, run_checks
from shared.migrations import Schema, migrate
from tests.servers import RedisServer


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_health_server_answers_three_questions() -> None:
    alive = True
    url = HealthServer("127.0.0.1", 0, alive=lambda: alive, checks={"one": lambda: None}).start()
    assert ask(f"{url}/healthz") == (200, '{"status": "alive"}')
    assert ask(f"{url}/readyz") == (200, '{"status": "ready", "checks": {"one": "ok"}}')
    assert "python_info" in ask(f"{url}/metrics")[1]
    assert ask(f"{url}/other")[0] == 404
    alive = False
    assert ask(f"{url}/healthz")[0] == 503


def test_a_check_that_fails_makes_it_not_ready_and_tells_no_address() -> None:
    def fail() -> None:
        raise OSError("postgresql://user:secret@host")

    url = HealthServer("127.0.0.1", 0, alive=lambda: True, checks={"database": fail}).start()
    status, body = ask(f"{url}/readyz")
    assert status == 503
    assert body == '{"status": "not_ready", "checks": {"database": "OSError"}}'


def test_a_check_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.health.CHECK_SECONDS", 0.1)
    release = threading.Event()
    checks: dict[str, Callable[[], object]] = {"slow": release.wait, "fast": lambda: None}
    readiness = run_checks(checks)
    release.set()
    assert not readiness.is_ready
    assert readiness.checks["fast"] == "ok"
    assert "no answer" in readiness.checks["slow"]


def test_a_database_is_ready_once_it_is_migrated(database_url: str) -> None:
    engine = create_database_engine(database_url)
    with pytest.raises(NotReadyError, match="bulkhead migrate"):
        check_database(engine)
    migrate(engine, Schema.TASKS)
    check_database(engine)
    engine.dispose()


def test_a_broker_that_is_away_is_an_error(redis_server: RedisServer) -> None:
    check_broker(redis_server.url)
    redis_server.kill()
    with pytest.raises(RedisError):
        check_broker(redis_server.url)
