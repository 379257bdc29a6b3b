"""Each service turns unhealthy by a cause of its own, says why, and comes back."""

import httpx
import pytest

from tests.e2e.compose import OURS, docker, wait_until
from tests.e2e.conftest import Stack
from tests.processes import ROOT

REPORTED_SECONDS = 5.0
"""Within which a vanished database or broker is said to have vanished."""


def all_are(stack: Stack, health: str) -> None:
    """Wait until all of ours are such."""
    for service in OURS:
        stack.compose.container(service).wait_for(health)


def since(stack: Stack) -> dict[str, object]:
    """Since when each of ours runs; a restart would show."""
    return {each: stack.others()[each] for each in OURS}


@pytest.mark.parametrize("service", OURS)
def test_one_that_hangs_is_unhealthy_alone(healthy: Stack, service: str) -> None:
    container = healthy.compose.container(service)
    container.signal_main("STOP")
    container.wait_for("unhealthy")
    assert "/healthz: TimeoutError" in container.why()
    others = [each for each in OURS if each != service]
    assert {healthy.compose.container(each).health for each in others} == {"healthy"}
    container.signal_main("CONT")
    container.wait_for("healthy")


@pytest.mark.parametrize(("server", "check"), [("redis", "broker"), ("postgres", "database")])
def test_a_paused_server_is_reported_in_time(healthy: Stack, server: str, check: str) -> None:
    before = since(healthy)
    container = healthy.compose.container(server)
    container.pause()
    try:
        _is_reported(healthy, check)
        all_are(healthy, "unhealthy")
    finally:
        container.unpause()
    all_are(healthy, "healthy")
    assert since(healthy) == before, "not being ready is no reason for a restart"
    healthy.client.completed(healthy.client.export())


def test_a_stopped_broker_makes_all_unready_and_none_dead(healthy: Stack) -> None:
    before = since(healthy)
    redis = healthy.compose.container("redis")
    docker("stop", redis.id)
    _is_reported(healthy, "broker")
    assert healthy.client.http.get("/healthz").status_code == 200
    accepted = healthy.client.http.post("/api/export/work-logs", json=_DAY)
    assert accepted.status_code == 202
    assert accepted.elapsed.total_seconds() < 3
    all_are(healthy, "unhealthy")
    for service in OURS[1:]:
        said = healthy.compose.container(service).execute("python", "-c", _ASK_HEALTHZ)
        assert said == "200", service
    docker("start", redis.id)
    all_are(healthy, "healthy")
    assert since(healthy) == before
    (task,) = healthy.client.completed(accepted.json()["task_id"])
    assert task["attempt"] == 1


def test_a_database_off_the_network_is_reported_in_time(healthy: Stack) -> None:
    before = since(healthy)
    postgres, network = healthy.compose.container("postgres"), f"{healthy.compose.project}_default"
    docker("network", "disconnect", network, postgres.id)
    try:
        _is_reported(healthy, "database")
        all_are(healthy, "unhealthy")
        assert postgres.health == "healthy"
    finally:
        docker("network", "connect", "--alias", "postgres", network, postgres.id)
    all_are(healthy, "healthy")
    assert since(healthy) == before
    healthy.client.completed(healthy.client.export())


def test_an_exporter_that_cannot_write_is_unhealthy_alone(healthy: Stack) -> None:
    before = healthy.others("exporter")
    read_only = healthy.compose.with_file(str(ROOT / "tests/e2e/read_only.yaml"))
    read_only("up", "--detach", "--no-deps", "--no-build", "exporter")
    exporter = healthy.compose.container("exporter")
    said = '"storage": "StorageReadOnlyError"'
    wait_until(lambda: said in exporter.why(), seconds=120, what=f"{said}, not {exporter.why()}")
    exporter.wait_for("unhealthy")
    others = [each for each in OURS if each != "exporter"]
    assert {healthy.compose.container(each).health for each in others} == {"healthy"}
    task = healthy.client.wait(healthy.client.export())
    assert (task["status"], task["error_code"]) == ("failed", "storage_not_writable")
    healthy.compose.up("--no-deps", "exporter")
    healthy.compose.container("exporter").wait_for("healthy")
    assert healthy.others("exporter") == before
    healthy.client.completed(healthy.client.export())


_DAY = {"start_date": "2024-01-31", "end_date": "2024-01-31"}
_ASK_HEALTHZ = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8001/healthz", timeout=5).status)
"""


def _is_reported(stack: Stack, check: str) -> None:
    """`/readyz` says so, and each answer of it comes within the limit."""

    def said() -> httpx.Response | None:
        answer = stack.client.http.get("/readyz")
        assert answer.elapsed.total_seconds() < REPORTED_SECONDS
        return answer if answer.status_code == 503 else None

    answer = wait_until(said, seconds=REPORTED_SECONDS, what=f"{check} is reported")
    assert answer is not None
    checks = answer.json()["checks"]
    assert [name for name, text in checks.items() if text != "ok"] == [check]
