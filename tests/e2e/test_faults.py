"""Containers that are killed, frozen or crash: no task is lost, none ends twice."""

from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from tests.e2e.client import YEAR
from tests.e2e.compose import OURS, Container, docker, wait_until
from tests.e2e.conftest import ROWS, Stack

SERVERS = ("redis", "postgres")


def begun(stack: Stack, task_id: str) -> Container:
    """Wait until an export of the whole year is under way; give the container that runs it."""
    wait_until(lambda: stack.client.task(task_id)["progress"] > 5, seconds=60, what="it writes")
    (worker,) = stack.compose.sql(f"SELECT worker FROM tasks WHERE id = '{task_id}'")
    hostname = worker.partition(":")[0]
    return next(each for each in stack.compose.containers("exporter") if each.hostname == hostname)


def is_whole_and_there_once(stack: Stack, task: dict[str, Any], folder: Path) -> None:
    """The second attempt's file has every row, and is the only one."""
    assert (task["status"], task["attempt"]) == ("completed", 2)
    assert task["result"]["records_count"] == ROWS
    path = folder / "file.xlsx"
    path.write_bytes(stack.client.download(task))
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()[1:]
    assert [row[0] for row in rows] == [float(number) for number in range(1, ROWS + 1)]
    listed = stack.client.http.get("/api/exports").json()["files"]
    mine = [each for each in listed if each["file_name"] == task["result"]["file_name"]]
    assert len(mine) == 1
    gateway = stack.compose.container("gateway")
    kept = gateway.execute("find", f"/data/exports/{task['task_id']}", "-type", "f")
    assert kept == f"/data/exports/{task['task_id']}/2.xlsx"


def ends(stack: Stack, task_id: str) -> dict[str, list[str]]:
    """How each exporter says that the task ended there."""
    return {
        each.id: [
            line["ending"]
            for line in each.log()
            if line["event"] == "task_ended" and line["task_id"] == task_id
        ]
        for each in stack.compose.containers("exporter")
    }


def test_an_exporter_killed_in_the_middle_is_replaced_by_another(
    healthy: Stack, tmp_path: Path
) -> None:
    healthy.compose.scale("exporter", 2)
    task_id = healthy.client.export(**YEAR)
    victim = begun(healthy, task_id)
    docker("kill", "-s", "KILL", victim.id)
    assert victim.health == "exited"
    task = healthy.client.wait(task_id)
    is_whole_and_there_once(healthy, task, tmp_path)
    assert healthy.compose.sql(f"SELECT losses FROM tasks WHERE id = '{task_id}'") == ["1"]
    assert ends(healthy, task_id).pop(victim.id) == []


def test_an_exporter_frozen_in_the_middle_is_replaced_and_fenced_out(
    healthy: Stack, tmp_path: Path
) -> None:
    healthy.compose.scale("exporter", 2)
    task_id = healthy.client.export(**YEAR)
    victim = begun(healthy, task_id)
    victim.pause()
    assert victim.health == "paused"
    task = healthy.client.wait(task_id)
    victim.unpause()
    wait_until(lambda: ends(healthy, task_id)[victim.id], seconds=60, what="it sees that it lost")
    victim.wait_for("healthy")
    assert healthy.client.task(task_id) == task
    is_whole_and_there_once(healthy, task, tmp_path)


@pytest.mark.parametrize("service", OURS)
def test_a_service_that_crashes_is_restarted_and_loses_nothing(
    healthy: Stack, service: str
) -> None:
    container = healthy.compose.container(service)
    restarts = container.facts()["RestartCount"]
    tasks = _burst(healthy)
    container.signal_main("KILL")
    wait_until(
        lambda: container.facts()["RestartCount"] > restarts, seconds=60, what="it is restarted"
    )
    container.wait_for("healthy")
    healthy.client.completed(*tasks)


@pytest.mark.parametrize("service", [*OURS, *SERVERS])
def test_a_container_that_is_killed_by_hand_loses_nothing(healthy: Stack, service: str) -> None:
    container = healthy.compose.container(service)
    tasks = _burst(healthy)
    docker("kill", "-s", "KILL", container.id)
    # To the engine that was a person's wish, so a person starts it again.
    docker("start", container.id)
    container.wait_for("healthy")
    healthy.client.completed(*tasks)
    ids = ", ".join(f"'{each}'" for each in tasks)
    kinds = healthy.compose.sql(
        f"SELECT kind, count(*) FROM tasks WHERE id IN ({ids}) AND status = 'completed'"
        " GROUP BY kind ORDER BY kind"
    )
    assert kinds == ["clean_up|1", "export.work_logs|8", "notification|4"]


def _burst(stack: Stack) -> list[str]:
    client = stack.client
    message = {"user_id": "user_007", "message": "hello", "notification_type": "inbox"}
    week = {"start_date": "2024-05-01", "end_date": "2024-05-07"}
    return [
        *(client.export(**week) for _ in range(8)),
        *(client.submit("/api/notifications", message) for _ in range(4)),
        client.submit("/api/cleanup?days_old=7"),
    ]
