"""The documented flow through real, separate processes, and what happens when one goes away."""

import hashlib
import os
import re
import signal
from pathlib import Path
from typing import Any

import httpx
from python_calamine import CalamineWorkbook

from cli.sample_data import work_logs
from tests.processes import Service, is_running
from tests.servers import promised, wait_until
from tests.stack import Stack
from tests.system.conftest import ROWS

GATEWAY, EXPORTER, JANITOR = "services.gateway", "services.exporter", "services.janitor"
YEAR = {"start_date": "2024-01-01", "end_date": "2024-12-31"}


def submit(http: httpx.Client, gateway: Service, **changes: object) -> str:
    answer = http.post(f"{gateway.url}/api/export/work-logs", json={**YEAR, **changes})
    assert answer.status_code == 202
    return str(answer.json()["task_id"])


def ask(http: httpx.Client, gateway: Service, task_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = http.get(f"{gateway.url}/api/tasks/{task_id}").json()
    return answer


def wait_until_over(
    http: httpx.Client, gateway: Service, task_id: str, *, seconds: float = 60
) -> dict[str, Any]:
    wait_until(
        lambda: ask(http, gateway, task_id)["status"] in {"completed", "failed"},
        seconds=seconds,
        what=f"{task_id} is over",
    )
    return ask(http, gateway, task_id)


def wait_until_it_writes(http: httpx.Client, gateway: Service, task_id: str) -> None:
    wait_until(
        lambda: ask(http, gateway, task_id)["progress"] > 5, seconds=30, what=f"{task_id} writes"
    )


def numbers_in(content: bytes, folder: Path) -> list[Any]:
    """The row numbers of a workbook."""
    path = folder / "downloaded.xlsx"
    path.write_bytes(content)
    return [
        row[0]
        for row in CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()[1:]
    ]


def test_the_documented_flow(loaded_stack: Stack, http: httpx.Client, tmp_path: Path) -> None:
    gateway = loaded_stack.service(GATEWAY).start()
    exporter = loaded_stack.service(EXPORTER).start()
    task_id = submit(http, gateway, start_date="2024-02-01", end_date="2024-02-29")
    task = wait_until_over(http, gateway, task_id)
    assert (task["status"], task["progress"]) == ("completed", 100)
    name = task["result"]["file_name"]
    assert re.fullmatch(r"work_logs_2024-02-01_2024-02-29_\w+\.xlsx", name)
    download = http.get(f"{gateway.url}/api/download/{name}")
    assert hashlib.sha256(download.content).hexdigest() == task["result"]["sha256"]
    count = task["result"]["records_count"]
    assert count == sum(each["log_date"].month == 2 for each in work_logs(ROWS))
    assert numbers_in(download.content, tmp_path) == list(range(1, count + 1))
    listed = http.get(f"{gateway.url}/api/exports").json()["files"]
    assert [file["file_name"] for file in listed] == [name]
    assert exporter.stop() == 0
    gateway.stop()


def test_without_an_exporter_exports_wait_and_are_done_later(
    loaded_stack: Stack, http: httpx.Client
) -> None:
    gateway = loaded_stack.service(GATEWAY).start()
    exporter = loaded_stack.service(EXPORTER).start()
    assert exporter.stop() == 0
    tasks = [submit(http, gateway, export_format=each) for each in ("xlsx", "csv")]
    assert {ask(http, gateway, each)["status"] for each in tasks} == {"pending"}
    assert http.get(f"{gateway.url}/healthz").status_code == 200
    loaded_stack.service(EXPORTER).start()
    for task_id in tasks:
        task = wait_until_over(http, gateway, task_id)
        assert task["result"]["records_count"] == ROWS


def test_without_a_broker_exports_are_accepted_at_once_and_done_later(
    loaded_stack: Stack, http: httpx.Client
) -> None:
    gateway = loaded_stack.service(GATEWAY).start()
    loaded_stack.service(JANITOR).start()
    loaded_stack.service(EXPORTER).start()
    loaded_stack.redis.kill()
    began = http.post(f"{gateway.url}/api/export/work-logs", json=YEAR)
    assert began.status_code == 202
    assert began.elapsed.total_seconds() < promised(2)
    assert http.get(f"{gateway.url}/healthz").status_code == 200
    loaded_stack.redis.start()
    task = wait_until_over(http, gateway, began.json()["task_id"])
    assert (task["status"], task["attempt"]) == ("completed", 1)


def test_a_killed_child_in_the_middle_of_an_export(
    loaded_stack: Stack, http: httpx.Client, tmp_path: Path
) -> None:
    gateway = loaded_stack.service(GATEWAY).start()
    loaded_stack.service(JANITOR).start()
    exporter = loaded_stack.service(EXPORTER, BULKHEAD_EXPORTER_BATCH_ROWS="1").start()
    task_id = submit(http, gateway)
    wait_until_it_writes(http, gateway, task_id)
    (child,) = exporter.children()
    os.kill(child, signal.SIGKILL)
    _is_completed_once(loaded_stack, http, gateway, task_id, tmp_path)


def test_a_killed_exporter_in_the_middle_of_an_export(
    loaded_stack: Stack, http: httpx.Client, tmp_path: Path
) -> None:
    gateway = loaded_stack.service(GATEWAY).start()
    loaded_stack.service(JANITOR).start()
    exporter = loaded_stack.service(EXPORTER, BULKHEAD_EXPORTER_BATCH_ROWS="1").start()
    task_id = submit(http, gateway)
    wait_until_it_writes(http, gateway, task_id)
    children = exporter.children()
    os.kill(exporter.running.pid, signal.SIGKILL)
    exporter.running.wait()
    wait_until(lambda: not any(map(is_running, children)), seconds=5, what="no child is left")
    loaded_stack.service(EXPORTER).start()
    _is_completed_once(loaded_stack, http, gateway, task_id, tmp_path)


def _is_completed_once(
    stack: Stack, http: httpx.Client, gateway: Service, task_id: str, folder: Path
) -> None:
    task = wait_until_over(http, gateway, task_id)
    assert (task["status"], task["attempt"]) == ("completed", 2)
    assert task["result"]["records_count"] == ROWS
    download = http.get(f"{gateway.url}/api/download/{task['result']['file_name']}")
    assert numbers_in(download.content, folder) == list(range(1, ROWS + 1))
    (file,) = http.get(f"{gateway.url}/api/exports").json()["files"]
    assert file["file_name"] == task["result"]["file_name"]
    wait_until(
        lambda: f"{task_id}/2.xlsx" in stack.files(), seconds=5, what="the second attempt's file"
    )
    assert f"{task_id}/1.xlsx" not in stack.files()


def test_a_running_export_is_cancelled(loaded_stack: Stack, http: httpx.Client) -> None:
    gateway = loaded_stack.service(GATEWAY).start()
    loaded_stack.service(EXPORTER, BULKHEAD_EXPORTER_BATCH_ROWS="1").start()
    task_id = submit(http, gateway)
    wait_until_it_writes(http, gateway, task_id)
    assert http.delete(f"{gateway.url}/api/tasks/{task_id}").status_code == 202
    task = wait_until_over(http, gateway, task_id, seconds=5)
    assert (task["status"], task["error_code"]) == ("failed", "cancelled")
    wait_until(lambda: loaded_stack.files() == [], seconds=5, what="nothing is left in storage")
