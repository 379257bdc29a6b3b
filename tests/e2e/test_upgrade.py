"""New images on the previous migration's database, with its rows in it; API keys switched on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import previous_release
from tests.e2e.client import Client
from tests.e2e.compose import Compose, leftovers
from tests.e2e.conftest import Built, connect

SECRETS_ONLY = """
from pathlib import Path
from cli.prepare import write_secrets
write_secrets(Path("/run/bulkhead"), 10001)
"""


@pytest.fixture(scope="module")
def upgraded(built: Built) -> Iterator[tuple[Compose, dict[str, Any]]]:
    """A project whose database and volume were the previous release's, brought up now."""
    compose = built.project("upgrade")
    script = Path(previous_release.__file__).read_text()
    root = ("run", "--rm", "-T", "--no-deps", "--entrypoint", "python", "init")
    try:
        compose(*root, "-c", SECRETS_ONLY)
        compose("up", "--detach", "--wait", "--no-deps", "postgres", "redis")
        facts = json.loads(compose(*root, "-", stdin=script))
        compose.up()
        yield compose, facts
    finally:
        compose.remove()
        assert leftovers(compose.project) == []


def test_rows_of_the_previous_release_are_worked_on(
    upgraded: tuple[Compose, dict[str, Any]],
) -> None:
    compose, facts = upgraded
    assert compose.sql("SELECT version_num FROM bulkhead_tasks_version") == [facts["head"]]
    assert facts["head"] != facts["revision"]
    with connect(compose) as http:
        client = Client(http)
        (waited,) = client.completed(facts["waiting"])
        assert client.download(waited)
        done = client.task(facts["done"])
        assert client.download(done) == previous_release.CONTENT
        client.completed(client.export())


def test_one_variable_switches_keys_on(upgraded: tuple[Compose, dict[str, Any]]) -> None:
    compose, facts = upgraded
    compose.up(BULKHEAD_ALLOW_ANONYMOUS="false")
    with connect(compose) as http:
        refused = http.get("/api/exports")
        assert (refused.status_code, refused.json()["code"]) == (401, "api_key_missing")
        assert http.get("/readyz").status_code == 200
    with connect(compose, Authorization=f"Bearer {facts['key']}") as http:
        assert http.get("/api/exports").status_code == 200
    compose("run", "--rm", "-T", "admin", "keys", "revoke", "previous")
    made = compose("run", "--rm", "-T", "admin", "keys", "create", "crm").strip()
    with connect(compose, Authorization=f"Bearer {made}") as http:
        client = Client(http)
        client.completed(client.export())
    with connect(compose, Authorization=f"Bearer {facts['key']}") as http:
        assert http.get("/api/exports").status_code == 401


def test_keys_from_the_first_start_on(built: Built) -> None:
    compose = built.project("keys")
    try:
        compose.up(BULKHEAD_ALLOW_ANONYMOUS="false")
        key = compose.container("gateway").execute("cat", "/run/bulkhead/api_key")
        with connect(compose) as http:
            assert http.get("/api/exports").status_code == 401
        with connect(compose, Authorization=f"Bearer {key}") as http:
            client = Client(http)
            client.completed(client.export())
        seen = compose("logs", "--no-log-prefix")
        assert key not in seen
    finally:
        compose.remove()
        assert leftovers(compose.project) == []
