"""From nothing to healthy, with no file to write first."""

from tests.e2e.compose import OURS
from tests.e2e.conftest import Stack


def test_it_is_healthy_within_a_minute(stack: Stack) -> None:
    for service in (*OURS, "redis", "postgres"):
        assert stack.compose.container(service).health == "healthy"
    init = stack.compose.container("init").facts()["State"]
    assert (init["Status"], init["ExitCode"]) == ("exited", 0)
    assert stack.up_seconds < 60


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    password = stack.compose.container("redis").execute("cat", "/run/bulkhead/redis_password")
    before = stack.others()
    stack.compose.up()
    assert stack.others() == before
    redis = stack.compose.container("redis")
    assert redis.execute("cat", "/run/bulkhead/redis_password") == password


def test_who_asks_is_not_asked_for_a_key(stack: Stack) -> None:
    assert stack.client.http.get("/api/exports").status_code == 200
    documentation = stack.client.http.get("/docs")
    assert documentation.status_code == 200
    assert stack.client.http.get("/openapi.json").json()["info"]["version"] == "0.1.0"
