"""Who may ask, what strangers see, and that every error is a problem."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import InternalError

from shared.api_keys import create_key, list_keys, revoke_key
from tests.integration.gateway.conftest import BODY, Worker

Make = Callable[..., TestClient]
URL = "/api/export/work-logs"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_key_is_shown_once_and_stored_hashed(task_engine: Engine) -> None:
    key_id, secret = create_key(task_engine, "crm", "ann")
    (key,) = list_keys(task_engine)
    assert (key.id, key.name, key.owner, key.revoked_at) == (key_id, "crm", "ann", None)
    with task_engine.connect() as connection:
        stored = connection.execute(text("SELECT * FROM api_keys")).one()
    assert secret not in map(str, stored)


def test_each_owner_sees_what_is_theirs(
    make_client: Make, task_engine: Engine, worker: Worker
) -> None:
    secrets = {owner: create_key(task_engine, "key", owner)[1] for owner in ("ann", "bob")}
    client = make_client()
    answer = client.post(URL, json=BODY, headers={**bearer(secrets["ann"]), "Idempotency-Key": "k"})
    task_id = answer.json()["task_id"]
    name = worker.finish(worker.claim())
    for path in (f"/api/tasks/{task_id}", f"/api/download/{name}"):
        assert client.get(path, headers=bearer(secrets["ann"])).status_code == 200
        assert client.get(path, headers=bearer(secrets["bob"])).status_code == 404
    bobs = client.delete(f"/api/tasks/{task_id}", headers=bearer(secrets["bob"]))
    assert bobs.status_code == 404
    for path, field in (("/api/tasks", "tasks"), ("/api/exports", "files")):
        assert client.get(path, headers=bearer(secrets["bob"])).json()[field] == []
    same_key = client.post(
        URL, json=BODY, headers={**bearer(secrets["bob"]), "Idempotency-Key": "k"}
    )
    assert same_key.json()["task_id"] != task_id


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer ", "Bearer", "Basic eDp5", "wrong", "bearer \t", "Bearer é"]
)
def test_a_bad_key_is_401(make_client: Make, header: str) -> None:
    answer = make_client().get("/api/tasks", headers={b"Authorization": header.encode()})
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_unknown")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_once_there_is_a_key_one_is_needed(make_client: Make, task_engine: Engine) -> None:
    client = make_client()
    assert client.get("/api/tasks").status_code == 200
    key_id, secret = create_key(task_engine, "crm", "ann")
    for method, path in (
        ("GET", "/api/tasks"),
        ("GET", f"/api/tasks/{'0' * 32}"),
        ("DELETE", f"/api/tasks/{'0' * 32}"),
        ("GET", "/api/exports"),
        ("GET", "/api/download/x"),
        ("HEAD", "/api/download/x"),
    ):
        assert client.request(method, path).status_code == 401, path
    assert client.post(URL, json=BODY).status_code == 401
    for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"):
        assert client.get(path).status_code != 401, path
    assert client.get("/api/tasks", headers=bearer(secret)).status_code == 200
    assert revoke_key(task_engine, key_id)
    assert not revoke_key(task_engine, key_id)
    assert client.get("/api/tasks", headers=bearer(secret)).status_code == 401
    assert client.get("/api/tasks").status_code == 401  # the last key's end opens no door


def test_a_stranger_needs_a_key_even_where_there_is_none(make_client: Make) -> None:
    assert make_client(host="192.0.2.7").get("/api/tasks").status_code == 401
    assert make_client(host="192.0.2.7", allow_anonymous=True).get("/api/tasks").status_code == 200
    assert make_client(host="::1").get("/api/tasks").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api/download/", 404, "not_found"),
        ("PUT", "/api/tasks", 405, "method_not_allowed"),
        ("GET", URL, 405, "method_not_allowed"),
    ],
)
def test_every_error_is_a_problem(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, "about:blank")
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"]
    if status == 405:
        assert answer.headers["allow"]


def test_a_database_that_is_away_is_503(make_client: Make, task_engine: Engine) -> None:
    client = make_client(
        headers={"Accept-Language": "en"}, database_url="postgresql://127.0.0.1:1/x"
    )
    answer = client.get("/api/tasks")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("invalidated", "status", "code"),
    [(True, 503, "database_unavailable"), (False, 500, "gateway_error")],
)
def test_a_connection_that_broke_is_503_and_a_wrong_statement_a_defect(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    invalidated: bool,
    status: int,
    code: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise InternalError("SELECT", {}, Exception(), connection_invalidated=invalidated)

    monkeypatch.setattr("services.gateway.tasks.list_tasks", fail)
    answer = client.get("/api/tasks")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_defect_tells_nothing_but_its_request_id(
    client: TestClient, task_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("services.gateway.tasks.list_tasks", fail)
    answer = client.get("/api/tasks")
    assert (answer.status_code, answer.json()["code"]) == (500, "gateway_error")
    assert "secret" not in answer.text
    assert answer.json()["request_id"]


def test_no_database_work_is_done_on_the_event_loops_thread(
    make_client: Make, worker: Worker
) -> None:
    on_the_loop: list[str] = []

    def note(_: object) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        on_the_loop.append(threading.current_thread().name)

    event.listen(Engine, "begin", note)
    try:
        client = make_client()
        task_id = client.post(URL, json=BODY, headers={"Idempotency-Key": "k"}).json()["task_id"]
        name = worker.finish(worker.claim())
        for path in (f"tasks/{task_id}", "tasks", "exports", f"download/{name}"):
            assert client.get(f"/api/{path}").status_code == 200
        client.delete(f"/api/tasks/{task_id}")
        client.get("/readyz")
    finally:
        event.remove(Engine, "begin", note)
    assert on_the_loop == []


def test_a_sane_request_id_is_kept(client: TestClient) -> None:
    headers = {"X-Request-ID": "crm-1.2_3"}
    assert client.get("/healthz", headers=headers).headers["x-request-id"] == "crm-1.2_3"
    odd = client.get("/healthz", headers={"X-Request-ID": "a b\tc"}).headers["x-request-id"]
    assert odd.isalnum()


def test_the_documentation_is_all_our_own(client: TestClient) -> None:
    page = client.get("/docs")
    assert "http" not in page.text.replace("http-equiv", "")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for part in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert f"/docs/static/{part}" in page.text
        assert client.get(f"/docs/static/{part}").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert {URL, "/api/tasks/{task_id}", "/api/download/{file_name}", "/api/exports"} <= set(paths)


def test_health(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    ready = client.get("/readyz")
    assert ready.status_code == 503  # nothing listens at the broker's address
    checks = ready.json()["checks"]
    assert (checks["database"], checks["storage"]) == ("ok", "ok")
    assert checks["broker"] != "ok"
    assert b"python_info" in client.get("/metrics").content
