"""Notifications, recipients, inboxes and clean-ups over REST."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from shared.api_keys import create_key
from shared.contracts.queues import Queue
from shared.contracts.tasks import CleanUp, Notification
from shared.errors import RecipientUnknownError
from shared.inbox import put_entry
from tests.integration.gateway.conftest import BODY, Worker

URL = "/api/notifications"
DOCUMENTED = {"user_id": "user_001", "message": "您的报表已生成", "notification_type": "email"}


def test_the_documented_notification_gets_the_documented_answer(
    client: TestClient, worker: Worker
) -> None:
    answer = client.post(URL, json=DOCUMENTED, headers={"Accept-Language": ""})
    assert answer.status_code == 202
    task_id = answer.json()["task_id"]
    assert answer.json()["status"] == "processing"
    assert answer.json()["message"] == "通知任务已提交，请使用 task_id 查询进度"
    assert answer.headers["location"] == f"/api/tasks/{task_id}"
    claim = worker.store.claim(
        Queue.NOTIFICATION, "host:1", {Notification.kind: Notification.limits}
    )
    assert claim is not None
    assert claim.parameters["facts"] == {"text": "您的报表已生成"}
    error = RecipientUnknownError(user_id="user_001", channel="email")
    worker.store.fail(claim, error)
    task = client.get(f"/api/tasks/{task_id}").json()
    assert (task["status"], task["error_code"]) == ("failed", "recipient_unknown")
    assert "PUT /api/recipients/user_001" in task["error"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user_id": ""}, "user_id"),
        ({"user_id": "x" * 129}, "user_id"),
        ({"user_id": "a\r\nb"}, "user_id"),
        ({"user_id": None}, "user_id"),
        ({"user_id": 1}, "user_id"),
        ({"message": ""}, "message"),
        ({"message": "x" * 10_001}, "message"),
        ({"message": None}, "message"),
        ({"message": "a\0b"}, "message"),
        ({"notification_type": "pigeon"}, "notification_type"),
        ({"notification_type": 1}, "notification_type"),
    ],
)
def test_bad_input_names_the_field(client: TestClient, changes: dict[str, Any], field: str) -> None:
    answer = client.post(URL, json={**DOCUMENTED, **changes})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "changes",
    [{"message": "x" * 10_000}, {"message": "<b>\r\n😀"}, {"notification_type": "inbox"}, {"x": 1}],
)
def test_the_edge_of_what_is_allowed(client: TestClient, changes: dict[str, Any]) -> None:
    assert client.post(URL, json={**DOCUMENTED, **changes}).status_code == 202


def test_a_recipient_is_registered_shown_and_forgotten(client: TestClient) -> None:
    path = "/api/recipients/user_001"
    assert client.get(path).status_code == 404
    assert client.delete(path).json()["code"] == "recipient_not_registered"
    put = client.put(path, json={"email": "Wang@Example.ORG", "webhook_url": "https://x.example/h"})
    assert put.status_code == 200
    saved = put.json()
    assert saved["email"] == "Wang@example.org"
    assert saved["webhook_secret"].startswith("whsec_")
    assert client.get(path).json() == saved
    only = client.put(path, json={"email": "wang@example.org"}).json()
    assert only == {
        "user_id": "user_001",
        "email": "wang@example.org",
        "webhook_url": None,
        "webhook_secret": None,
    }
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "a@b\r\nBcc: c@d.example"}, "email"),
        ({"email": 5}, "email"),
        ({"email": ""}, "email"),
        ({"webhook_url": "ftp://x.example"}, "webhook_url"),
        ({"webhook_url": "https://"}, "webhook_url"),
        ({"webhook_url": "x"}, "webhook_url"),
        ({"webhook_url": "https://x.example/\n"}, "webhook_url"),
        ({"webhook_url": "https://x.example:99999/"}, "webhook_url"),
        ({"webhook_url": "https://x.example/" + "x" * 2000}, "webhook_url"),
        ({"webhook_url": ["https://x.example"]}, "webhook_url"),
    ],
)
def test_a_bad_address_is_refused(client: TestClient, body: dict[str, Any], field: str) -> None:
    answer = client.put("/api/recipients/user_001", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("user_id", ["%00", "a%0d%0ab", "x" * 129])
def test_a_bad_user_id_in_a_path_is_refused(client: TestClient, user_id: str) -> None:
    for path in (f"/api/recipients/{user_id}", f"/api/inbox/{user_id}"):
        answer = client.get(path)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "user_id"


def test_a_repeated_read_marks_nothing_that_came_since(
    client: TestClient, task_engine: Engine
) -> None:
    def put(number: int) -> None:
        put_entry(
            task_engine,
            task_id=f"{number:032}",
            owner="local",
            user_id="u",
            subject="s",
            message="m",
        )

    put(1)
    key = {"Idempotency-Key": "once"}
    assert client.post("/api/inbox/u/read", headers=key).json() == {"marked": 1}
    put(2)
    assert client.post("/api/inbox/u/read", headers=key).json() == {"marked": 0}
    assert client.get("/api/inbox/u").json()["unread"] == 1
    other = client.post("/api/inbox/u/read", headers=key, json={"ids": ["0" * 32]})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert client.post(f"/api/inbox/{'v' * 128}/read", headers=key).status_code == 422
    fresh = {"Idempotency-Key": "another"}
    assert client.post(f"/api/inbox/{'v' * 128}/read", headers=fresh).json() == {"marked": 0}


def test_an_inbox_is_read_in_pages(client: TestClient, task_engine: Engine) -> None:
    ids = [f"{number:032x}" for number in range(1, 6)]
    for entry in ids:
        put_entry(
            task_engine, task_id=entry, owner="local", user_id="u", subject="s", message=entry
        )
    page = client.get("/api/inbox/u", params={"limit": 3}).json()
    assert page["unread"] == 5
    assert [entry["id"] for entry in page["entries"]] == ids[:1:-1]
    assert page["entries"][0]["read"] is False
    rest = client.get("/api/inbox/u", params={"cursor": page["next_cursor"]}).json()
    assert [entry["id"] for entry in rest["entries"]] == ids[1::-1]
    assert rest["next_cursor"] is None
    assert client.post("/api/inbox/u/read", json={"ids": ids[:2]}).json() == {"marked": 2}
    assert client.get("/api/inbox/u").json()["unread"] == 3
    assert client.post("/api/inbox/u/read").json() == {"marked": 3}
    assert client.post("/api/inbox/u/read", json={"ids": ["x"]}).status_code == 422
    assert client.get("/api/inbox/other").json() == {
        "unread": 0,
        "entries": [],
        "next_cursor": None,
    }


def test_owners_are_apart(make_client: Callable[..., TestClient], task_engine: Engine) -> None:
    ann, bob = (
        make_client(headers={"Authorization": f"Bearer {create_key(task_engine, 'key', owner)[1]}"})
        for owner in ("ann", "bob")
    )
    ann.put("/api/recipients/u", json={"email": "a@example.org"})
    assert bob.get("/api/recipients/u").status_code == 404
    assert bob.delete("/api/recipients/u").status_code == 404
    bob.put("/api/recipients/u", json={"email": "b@example.org"})
    assert ann.get("/api/recipients/u").json()["email"] == "a@example.org"


def clean_up_of(worker: Worker) -> CleanUp:
    claim = worker.store.claim(Queue.CLEANUP, "host:1", {CleanUp.kind: CleanUp.limits})
    assert claim is not None
    return CleanUp.model_validate(claim.parameters)


def test_a_clean_up_is_fixed_when_it_is_submitted(client: TestClient, worker: Worker) -> None:
    answer = client.post("/api/cleanup", headers={"Accept-Language": ""})
    assert answer.status_code == 202
    assert set(answer.json()) == {"task_id", "status", "message", "status_url"}
    week = clean_up_of(worker)
    client.post("/api/cleanup", params={"days_old": 0})
    today = clean_up_of(worker)
    assert (week.days_old, today.days_old, week.owner) == (7, 0, "local")
    assert 6.9 < (today.before - week.before).total_seconds() / 86400 < 7.1


@pytest.mark.parametrize("days_old", ["-1", "36501", "x", "1.5", ""])
def test_a_bad_age_names_the_field(client: TestClient, days_old: str) -> None:
    answer = client.post("/api/cleanup", params={"days_old": days_old})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["days_old"]


def test_a_key_stands_for_a_clean_up_with_its_age(client: TestClient) -> None:
    headers = {"Idempotency-Key": "k"}
    first, again, other = (
        client.post("/api/cleanup", params={"days_old": days}, headers=headers)
        for days in (7, 7, 8)
    )
    assert first.json()["task_id"] == again.json()["task_id"]
    assert other.status_code == 422


def test_an_exports_task_shows_whom_it_told(client: TestClient, worker: Worker) -> None:
    notify = {"user_id": "user_001", "notification_type": "inbox"}
    answer = client.post("/api/export/work-logs", json={**BODY, "notify": notify})
    task_id = answer.json()["task_id"]
    assert client.get(f"/api/tasks/{task_id}").json()["notifications"] == []
    claim = worker.claim()
    name = worker.finish(claim, rings=[Queue.NOTIFICATION])
    (told,) = client.get(f"/api/tasks/{task_id}").json()["notifications"]
    assert (told["user_id"], told["notification_type"]) == ("user_001", "inbox")
    assert (told["status"], told["error"]) == ("pending", None)
    told_claim = worker.store.claim(
        Queue.NOTIFICATION, "host:1", {Notification.kind: Notification.limits}
    )
    assert told_claim is not None
    assert told_claim.parameters["facts"]["file_name"] == name
    worker.store.fail(told_claim, RecipientUnknownError(user_id="user_001", channel="inbox"))
    task = client.get(f"/api/tasks/{task_id}").json()
    assert task["status"] == "completed"
    assert task["notifications"][0]["error_code"] == "recipient_unknown"
