"""Tasks as clients see them: answers, lists, cancelling."""

import pytest
from fastapi.testclient import TestClient

from shared.errors import SourceSchemaError, SourceUnavailableError
from shared.tasks.claims import Progress
from tests.integration.gateway.conftest import BODY, Worker


def submit(client: TestClient, **changes: object) -> str:
    return str(client.post("/api/export/work-logs", json={**BODY, **changes}).json()["task_id"])


def test_a_waiting_task(client: TestClient) -> None:
    task_id = submit(client, priority=7)
    answer = client.get(f"/api/tasks/{task_id}")
    assert answer.status_code == 200
    assert answer.headers["retry-after"] == "1"
    task = answer.json()
    assert (task["status"], task["state"], task["progress"]) == ("pending", "queued", 0)
    assert (task["kind"], task["priority"], task["attempt"]) == ("export.work_logs", 7, 0)
    assert task["started_at"] is None


def test_a_running_task_says_how_far_it_is(client: TestClient, worker: Worker) -> None:
    task_id = submit(client)
    arguments = {"format": "Excel", "written": 30, "total": 50}
    worker.store.heartbeat(worker.claim(), Progress(45, {"key": "writing", "arguments": arguments}))
    answer = client.get(f"/api/tasks/{task_id}", headers={"Accept-Language": "zh-CN"}).json()
    assert (answer["status"], answer["state"], answer["progress"]) == ("processing", "running", 45)
    assert answer["result"] == {
        "message": "正在写入 Excel 文件... (30/50)",
        "rows_written": 30,
        "rows_total": 50,
    }


def test_a_completed_task_has_the_documented_result(client: TestClient, worker: Worker) -> None:
    task_id = submit(client)
    name = worker.finish(worker.claim())
    answer = client.get(f"/api/tasks/{task_id}")
    assert "retry-after" not in answer.headers
    task = answer.json()
    assert (task["status"], task["state"], task["progress"]) == ("completed", "done", 100)
    result = task["result"]
    assert result["file_name"] == name
    assert result["records_count"] == 3
    assert (result["start_date"], result["end_date"]) == ("2024-01-01", "2024-01-31")
    assert result["status"] == "completed"
    assert result["created_at"] == "2024-02-01T08:00:00"
    assert len(result["sha256"]) == 64
    assert task["error"] is None


def test_a_failed_task_has_a_text_for_people(client: TestClient, worker: Worker) -> None:
    task_id = submit(client)
    worker.store.fail(worker.claim(), SourceSchemaError(reason="no column x"))
    task = client.get(f"/api/tasks/{task_id}").json()
    assert (task["status"], task["error_code"]) == ("failed", "source_schema")
    assert "no column x" in task["error"]
    assert task["result"] is None


def test_a_task_that_is_tried_again_is_pending(client: TestClient, worker: Worker) -> None:
    from datetime import timedelta

    task_id = submit(client)
    worker.store.retry(worker.claim(), SourceUnavailableError(), timedelta(hours=1))
    task = client.get(f"/api/tasks/{task_id}").json()
    assert (task["status"], task["state"]) == ("pending", "retrying")
    assert task["error"] is task["error_code"] is None


@pytest.mark.parametrize("task_id", ["0" * 32, "nonsense", "%00", "A" * 32, "1" * 3000, "é"])
def test_an_unknown_task_is_404(client: TestClient, task_id: str) -> None:
    for answer in (client.get(f"/api/tasks/{task_id}"), client.delete(f"/api/tasks/{task_id}")):
        assert answer.status_code == 404
        assert answer.json()["code"] == "task_unknown"


def test_a_waiting_task_is_cancelled_at_once(client: TestClient) -> None:
    task_id = submit(client)
    assert client.delete(f"/api/tasks/{task_id}").status_code == 202
    task = client.get(f"/api/tasks/{task_id}").json()
    assert (task["status"], task["state"]) == ("failed", "cancelled")
    assert task["error_code"] == "cancelled"
    assert task["error"] == "The task was cancelled"
    answer = client.delete(f"/api/tasks/{task_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "task_is_over")


def test_a_running_task_is_asked_to_stop(client: TestClient, worker: Worker) -> None:
    task_id = submit(client)
    worker.claim()
    for _ in range(2):
        answer = client.delete(f"/api/tasks/{task_id}")
        assert (answer.status_code, answer.json()["state"]) == (202, "cancelling")


def test_tasks_are_listed_newest_first_in_pages(client: TestClient, worker: Worker) -> None:
    ids = [submit(client) for _ in range(5)]
    worker.finish(worker.claim())
    found: list[str] = []
    cursor = None
    while True:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = client.get("/api/tasks", params=params).json()
        assert len(page["tasks"]) <= 2
        found += [task["task_id"] for task in page["tasks"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert found == ids[::-1]
    done = client.get("/api/tasks", params={"status": "completed"}).json()["tasks"]
    assert [task["task_id"] for task in done] == ids[:1]
    assert client.get("/api/tasks", params={"kind": "other"}).json()["tasks"] == []


@pytest.mark.parametrize("path", ["/api/tasks", "/api/exports"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"), ("limit", "1001"), ("limit", "x"), ("limit", "-1"), ("cursor", "x"),
        ("cursor", "\0"), ("cursor", "é"), ("cursor", ""), ("cursor", "x" * 600),
        ("cursor", "eHh4"),
    ],
)  # fmt: skip
def test_bad_paging_is_a_problem_that_names_the_field(
    client: TestClient, path: str, name: str, value: str
) -> None:
    answer = client.get(path, params={name: value})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [name]


@pytest.mark.parametrize(
    ("name", "value"), [("status", "done"), ("status", "\0"), ("kind", "A"), ("kind", "\0")]
)
def test_bad_filters_are_problems_that_name_the_field(
    client: TestClient, name: str, value: str
) -> None:
    answer = client.get("/api/tasks", params={name: value})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [name]
