"""Exports that tell their users, notifications and clean-ups, through real processes."""

from email import message_from_bytes
from email.policy import default
from typing import Any

import httpx

from tests.processes import Service
from tests.servers import wait_until
from tests.stack import Stack

GATEWAY, EXPORTER, NOTIFIER = "services.gateway", "services.exporter", "services.notifier"
JANITOR = "services.janitor"
MONTH = {"start_date": "2024-01-01", "end_date": "2024-01-31"}


def over(http: httpx.Client, gateway: Service, answer: httpx.Response) -> dict[str, Any]:
    """Wait until the task that was submitted is over; give its answer."""
    assert answer.status_code == 202
    url = f"{gateway.url}{answer.json()['status_url']}"
    wait_until(
        lambda: http.get(url).json()["status"] in {"completed", "failed"},
        seconds=60,
        what=f"{url} is over",
    )
    task: dict[str, Any] = http.get(url).json()
    return task


def test_a_finished_export_is_told_by_mail_and_in_the_inbox(
    loaded_stack: Stack, http: httpx.Client
) -> None:
    gateway = loaded_stack.service(GATEWAY).start()
    for module in (EXPORTER, NOTIFIER):
        loaded_stack.service(module).start()
    http.put(f"{gateway.url}/api/recipients/user_001", json={"email": "wang@example.org"})
    for channel in ("email", "inbox"):
        notify = {"user_id": "user_001", "notification_type": channel}
        task = over(
            http,
            gateway,
            http.post(f"{gateway.url}/api/export/work-logs", json={**MONTH, "notify": notify}),
        )
        url = f"{gateway.url}/api/tasks/{task['task_id']}"
        wait_until(
            lambda url=url: http.get(url).json()["notifications"][0]["status"] == "completed",  # type: ignore[misc]
            seconds=20,
            what="the user is told",
        )
    (path,) = (loaded_stack.data_dir / "mail").glob("*.eml")
    mail = message_from_bytes(path.read_bytes(), policy=default)
    assert mail["To"] == "wang@example.org"
    assert "2024-01-01" in str(mail["Subject"])
    inbox = http.get(f"{gateway.url}/api/inbox/user_001").json()
    assert inbox["unread"] == 1
    assert "work_logs_2024-01-01_2024-01-31_" in inbox["entries"][0]["message"]


def test_an_export_that_fails_is_told_and_one_that_cannot_be_told_is_done(
    loaded_stack: Stack, http: httpx.Client
) -> None:
    gateway = loaded_stack.service(GATEWAY).start()
    loaded_stack.service(NOTIFIER).start()
    exporter = loaded_stack.service(
        EXPORTER, BULKHEAD_SOURCE_DATABASE_URL=f"sqlite:///{loaded_stack.folder}/none.sqlite3"
    ).start()
    notify = {"user_id": "user_001", "notification_type": "inbox"}
    export = f"{gateway.url}/api/export/work-logs"
    task = over(http, gateway, http.post(export, json={**MONTH, "notify": notify}))
    assert task["error_code"] == "source_schema"
    wait_until(
        lambda: http.get(f"{gateway.url}/api/inbox/user_001").json()["unread"] == 1,
        seconds=20,
        what="the failure is told",
    )
    assert exporter.stop() == 0
    loaded_stack.service(EXPORTER).start()
    notify["notification_type"] = "email"
    task = over(http, gateway, http.post(export, json={**MONTH, "notify": notify}))
    url = f"{gateway.url}/api/tasks/{task['task_id']}"
    wait_until(
        lambda: http.get(url).json()["notifications"][0]["status"] == "failed",
        seconds=20,
        what="it cannot be told",
    )
    told = http.get(url).json()
    assert told["status"] == "completed"
    assert told["notifications"][0]["error_code"] == "recipient_unknown"


def test_the_documented_notification_and_clean_up(loaded_stack: Stack, http: httpx.Client) -> None:
    gateway = loaded_stack.service(GATEWAY).start()
    for module in (EXPORTER, NOTIFIER, JANITOR):
        loaded_stack.service(module).start()
    body = {"user_id": "user_001", "message": "您的报表已生成", "notification_type": "email"}
    task = over(http, gateway, http.post(f"{gateway.url}/api/notifications", json=body))
    assert (task["status"], task["error_code"]) == ("failed", "recipient_unknown")
    http.put(f"{gateway.url}/api/recipients/user_001", json={"email": "wang@example.org"})
    task = over(http, gateway, http.post(f"{gateway.url}/api/notifications", json=body))
    assert task["result"]["recipient"] == "w***@example.org"
    for export_format in ("xlsx", "csv"):
        file = over(
            http,
            gateway,
            http.post(
                f"{gateway.url}/api/export/work-logs",
                json={**MONTH, "export_format": export_format},
            ),
        )
    week = over(http, gateway, http.post(f"{gateway.url}/api/cleanup?days_old=7"))
    assert (week["result"]["deleted_count"], week["result"]["days_old"]) == (0, 7)
    all_there_is = over(http, gateway, http.post(f"{gateway.url}/api/cleanup?days_old=0"))
    result = all_there_is["result"]
    assert result["deleted_count"] == 2
    assert result["freed_bytes"] > 0
    assert result["cleaned_at"]
    assert http.get(f"{gateway.url}{file['result']['download_url']}").status_code == 410
    assert http.get(f"{gateway.url}/api/exports").json()["count"] == 0
    assert loaded_stack.files() == []
