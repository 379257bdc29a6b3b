"""Downloads: whole, in parts, conditional, gone, and names that are paths."""

from hashlib import sha256

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from shared.database import DatabaseNow
from shared.tasks.models import FILES
from tests.integration.gateway.conftest import BODY, CONTENT, Worker

ETAG = f'"{sha256(CONTENT).hexdigest()}"'
SIZE = len(CONTENT)


def test_a_download_is_the_file(client: TestClient, file_name: str) -> None:
    answer = client.get(f"/api/download/{file_name}")
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["etag"] == ETAG
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "application/x-test"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == (
        f"attachment; filename=\"{file_name}\"; filename*=UTF-8''{file_name}"
    )


def test_head_is_a_download_without_its_body(client: TestClient, file_name: str) -> None:
    got, head = (client.request(m, f"/api/download/{file_name}") for m in ("GET", "HEAD"))
    assert head.status_code == 200
    assert head.content == b""
    same = {name: value for name, value in got.headers.items() if name != "x-request-id"}
    assert {name: head.headers[name] for name in same} == same


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-99", 5, 100),
        ("bytes=100-", 100, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
        (f"bytes=-{SIZE + 5}", 0, SIZE),
        (f"bytes=7-{SIZE + 5}", 7, SIZE),
        ("BYTES=1-2", 1, 3),
    ],
)
def test_a_part_of_a_file(
    client: TestClient, file_name: str, header: str, start: int, end: int
) -> None:
    answer = client.get(f"/api/download/{file_name}", headers={"Range": header})
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("header", [f"bytes={SIZE}-", "bytes=-0", f"bytes={SIZE + 1}-{SIZE + 9}"])
def test_a_part_that_does_not_exist(client: TestClient, file_name: str, header: str) -> None:
    answer = client.get(f"/api/download/{file_name}", headers={"Range": header})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{SIZE}"
    assert answer.json()["code"] == "range_unsatisfiable"


@pytest.mark.parametrize(
    "header", ["bytes=5-4", "bytes=0-1,3-4", "items=0-1", "bytes=", "bytes=-", "x", "bytes=a-b"]
)
def test_a_range_that_cannot_be_served_is_ignored(
    client: TestClient, file_name: str, header: str
) -> None:
    answer = client.get(f"/api/download/{file_name}", headers={"Range": header})
    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize(
    ("if_range", "status"),
    [(ETAG, 206), (f"W/{ETAG}", 200), ('"other"', 200), ("Mon, 01 Jan 2024 00:00:00 GMT", 200)],
)
def test_a_range_counts_only_for_the_same_file(
    client: TestClient, file_name: str, if_range: str, status: int
) -> None:
    headers = {"Range": "bytes=0-9", "If-Range": if_range}
    assert client.get(f"/api/download/{file_name}", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("if_none_match", "status"),
    [(ETAG, 304), (f"W/{ETAG}", 304), ("*", 304), (f'"a", {ETAG}', 304), ('"a"', 200), ("a", 200)],
)
def test_a_file_that_the_client_has_is_not_sent_again(
    client: TestClient, file_name: str, if_none_match: str, status: int
) -> None:
    headers = (
        {"If-None-Match": if_none_match, "Range": "bytes=0-9"}
        if status == 304
        else {"If-None-Match": if_none_match}
    )
    answer = client.get(f"/api/download/{file_name}", headers=headers)
    assert answer.status_code == status
    assert answer.headers["etag"] == ETAG


@pytest.mark.parametrize(
    "name",
    [
        "nothing.xlsx", "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "a%00.xlsx",
        "..%5c..%5cx", "%c0%ae%c0%ae", "x" * 3000, "work_logs.xlsx%20", "é", "%ff",
    ],
)  # fmt: skip
def test_other_names_are_404(client: TestClient, file_name: str, name: str) -> None:
    for path in (name, f"{name}/{file_name}", f"{file_name}/{name}"):
        assert client.get(f"/api/download/{path}").status_code == 404
    assert client.get(f"/api/download/{file_name.upper()}").status_code == 404


def test_a_name_of_another_owner_is_404(client: TestClient, worker: Worker) -> None:
    from datetime import date

    from shared.contracts.tasks import WorkLogsExport

    january = WorkLogsExport(start_date=date(2024, 1, 1), end_date=date(2024, 1, 31))
    worker.store.submit(january, owner="somebody")
    name = worker.finish(worker.claim())
    assert client.get(f"/api/download/{name}").status_code == 404
    assert client.get("/api/exports").json()["files"] == []


def test_a_file_that_has_expired_is_410(client: TestClient, worker: Worker, file_name: str) -> None:
    with worker.store.engine.begin() as connection:
        connection.execute(update(FILES).values(expired_at=DatabaseNow()))
    answer = client.get(f"/api/download/{file_name}")
    assert (answer.status_code, answer.json()["code"]) == (410, "file_expired")
    (task,) = client.get("/api/tasks").json()["tasks"]
    assert (task["status"], task["state"]) == ("completed", "expired")
    assert client.get("/api/exports").json()["count"] == 0


def test_a_download_that_loses_the_race_with_expiry_is_410(
    client: TestClient, worker: Worker, file_name: str
) -> None:
    (task,) = client.get("/api/tasks").json()["tasks"]
    worker.storage.delete(f"{task['task_id']}/1.xlsx")
    assert client.get(f"/api/download/{file_name}").status_code == 410


def test_files_are_listed_newest_first_in_pages(client: TestClient, worker: Worker) -> None:
    names = []
    for _ in range(5):
        client.post("/api/export/work-logs", json=BODY)
        names.append(worker.finish(worker.claim()))
    page = client.get("/api/exports").json()
    assert page["count"] == 5
    assert page["next_cursor"] is None
    first = page["files"][0]
    assert first["download_url"] == f"/api/download/{first['file_name']}"
    assert first["size"] == SIZE
    assert len(first["created_at"]) == len("2024-01-15T10:30:00")
    assert sorted(file["file_name"] for file in page["files"]) == sorted(names)
    found: list[str] = []
    cursor = None
    while True:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        part = client.get("/api/exports", params=params).json()
        found += [file["file_name"] for file in part["files"]]
        if (cursor := part["next_cursor"]) is None:
            break
    assert found == [file["file_name"] for file in page["files"]]
