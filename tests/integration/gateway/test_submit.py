"""POST /api/export/work-logs: the documented bodies, and every bad input."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.integration.gateway.conftest import BODY, Worker

URL = "/api/export/work-logs"


def test_the_documented_request_gets_the_documented_answer(client: TestClient) -> None:
    body = {**BODY, "employee_ids": ["emp_001", "emp_002"], "export_format": "xlsx"}
    answer = client.post(URL, json=body, headers={"Accept-Language": ""})
    assert answer.status_code == 202
    task_id = answer.json()["task_id"]
    assert answer.json() == {
        "task_id": task_id,
        "status": "processing",
        "message": "导出任务已提交，请使用 task_id 查询进度",
        "status_url": f"/api/tasks/{task_id}",
    }
    assert answer.headers["location"] == f"/api/tasks/{task_id}"
    assert answer.headers["retry-after"] == "1"
    assert re.fullmatch("[0-9a-f]{32}", task_id)


def test_what_is_left_out_has_a_default(client: TestClient, worker: Worker) -> None:
    answer = client.post(URL, json={**BODY, "unknown": {"field": 1}}, params={"unknown": "1"})
    assert answer.status_code == 202
    assert worker.claim().parameters == {
        **BODY,
        "employee_ids": None,
        "export_format": "xlsx",
        "language": "en",
        "notify": None,
    }


def test_a_repeated_id_counts_once(client: TestClient, worker: Worker) -> None:
    ids = ["emp_2", "emp_1", "emp_2", "员工"]
    client.post(URL, json={**BODY, "employee_ids": ids})
    assert worker.claim().parameters["employee_ids"] == ["emp_2", "emp_1", "员工"]


@pytest.mark.parametrize(
    "changes",
    [
        {"end_date": "2024-01-01"},
        {"end_date": "2026-12-31"},
        {"employee_ids": None, "export_format": None, "priority": None},
        {"employee_ids": ["x" * 128]},
        {"employee_ids": [f"emp_{n}" for n in range(5000)]},
        {"priority": 0},
        {"priority": 9},
        {"start_date": "2024-02-29", "end_date": "2024-02-29"},
        {"export_format": "csv"},
        {"notify": None},
        {"notify": {"user_id": "user_001"}},
        {"notify": {"user_id": "user_001", "notification_type": "inbox"}},
    ],
)
def test_the_edge_of_what_is_allowed(client: TestClient, changes: dict[str, Any]) -> None:
    assert client.post(URL, json={**BODY, **changes}).status_code == 202


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start_date": None}, "start_date"),
        ({"start_date": "2024-02-30"}, "start_date"),
        ({"start_date": "01.01.2024"}, "start_date"),
        ({"start_date": "20240101"}, "start_date"),
        ({"start_date": "2024-01-01T00:00:00"}, "start_date"),
        ({"start_date": 1704067200}, "start_date"),
        ({"start_date": ""}, "start_date"),
        ({"start_date": "２０２４-01-01"}, "start_date"),
        ({"start_date": "2024-01-01\n"}, "start_date"),
        ({"end_date": "2023-12-31"}, "end_date"),
        ({"end_date": "2027-01-01"}, "end_date"),
        ({"end_date": True}, "end_date"),
        ({"export_format": "pdf"}, "export_format"),
        ({"export_format": "XLSX"}, "export_format"),
        ({"export_format": 1}, "export_format"),
        ({"export_format": ["xlsx"]}, "export_format"),
        ({"employee_ids": []}, "employee_ids"),
        ({"employee_ids": "emp_001"}, "employee_ids"),
        ({"employee_ids": {"a": 1}}, "employee_ids"),
        ({"employee_ids": [1]}, "employee_ids"),
        ({"employee_ids": [None]}, "employee_ids"),
        ({"employee_ids": [""]}, "employee_ids"),
        ({"employee_ids": ["x" * 129]}, "employee_ids"),
        ({"employee_ids": ["a\nb"]}, "employee_ids"),
        ({"employee_ids": ["a\0b"]}, "employee_ids"),
        ({"employee_ids": ["\x7f"]}, "employee_ids"),
        ({"employee_ids": [f"emp_{n}" for n in range(5001)]}, "employee_ids"),
        ({"notify": "user_001"}, "notify"),
        ({"notify": {"user_id": "a\nb"}}, "notify"),
        ({"notify": {"user_id": "a", "notification_type": "pigeon"}}, "notify"),
        ({"priority": -1}, "priority"),
        ({"priority": 10}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"priority": "5"}, "priority"),
        ({"priority": True}, "priority"),
    ],
)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_bad_input_is_a_problem_that_names_the_field(
    client: TestClient, changes: dict[str, Any], field: str, language: str
) -> None:
    answer = client.post(URL, json={**BODY, **changes}, headers={"Accept-Language": language})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == language
    problem = answer.json()
    assert problem["code"] == "invalid_request"
    assert problem["status"] == 422
    assert isinstance(problem["detail"], str)
    (error,) = problem["errors"]
    assert error["field"] == field
    assert "{" not in error["message"]
    assert error["message"].isascii() is (language == "en")


def test_all_wrong_fields_are_named_at_once(client: TestClient) -> None:
    answer = client.post(URL, json={"end_date": "x", "priority": 11})
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"start_date", "end_date", "priority"}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'"text"', b"null", b"\xff\xfe", b'{"start_date": NaN}', b"[" * 50],
)
def test_a_body_that_is_no_object_is_a_problem(client: TestClient, content: bytes) -> None:
    answer = client.post(URL, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


def test_half_a_character_is_refused(client: TestClient) -> None:
    content = b'{"start_date":"2024-01-01","end_date":"2024-01-31","employee_ids":["\\ud800"]}'
    answer = client.post(URL, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    content = b'{"start_date":"\\ud800","end_date":"2024-01-31"}'
    answer = client.post(URL, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_a_body_above_one_mebibyte_is_refused(client: TestClient) -> None:
    large = b'{"x": "' + b"x" * 1024 * 1024 + b'"}'
    headers = {"Content-Type": "application/json"}
    assert client.post(URL, content=large, headers=headers).status_code == 413

    def chunks() -> Any:
        yield from (large[start : start + 4096] for start in range(0, len(large), 4096))

    answer = client.post(URL, content=chunks(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


def test_a_key_gives_the_same_task_to_the_same_body(client: TestClient) -> None:
    headers = {"Idempotency-Key": "key-1"}
    first = client.post(URL, json=BODY, headers=headers)
    again = client.post(URL, json=dict(reversed(BODY.items())), headers=headers)
    assert again.status_code == 202
    assert again.json() == first.json()
    other = client.post(URL, json={**BODY, "priority": 6}, headers=headers)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"
    assert len(client.get("/api/tasks").json()["tasks"]) == 1


def test_two_posts_with_one_key_at_once_give_one_task(client: TestClient) -> None:
    together = threading.Barrier(4)

    def post(_: int) -> str:
        together.wait()
        answer = client.post(URL, json=BODY, headers={"Idempotency-Key": "k"})
        return str(answer.json()["task_id"])

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(post, range(4)))) == 1


def test_a_refused_request_does_not_use_the_key_up(client: TestClient) -> None:
    headers = {"Idempotency-Key": "key-1"}
    assert client.post(URL, json={}, headers=headers).status_code == 422
    assert client.post(URL, json=BODY, headers=headers).status_code == 202


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\xe4"])
def test_a_malformed_key_is_refused(client: TestClient, key: str) -> None:
    answer = client.post(URL, json=BODY, headers={b"Idempotency-Key": key.encode("latin-1")})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
