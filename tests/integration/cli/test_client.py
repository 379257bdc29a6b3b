"""`bulkhead export` when things go wrong: broken connections, absences, interrupts, strangers."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.client import Gateway
from cli.errors import CliError, Status
from shared.process import tied
from tests.integration.cli.commands import bulkhead, environment
from tests.integration.cli.relay import Relay
from tests.processes import ROOT, Service
from tests.servers import RedisServer, free_port, wait_until
from tests.stack import Stack

BODY = {"start_date": "2024-01-01", "end_date": "2024-01-31"}
EXPORT = ("export", "work-logs", "--from", "2024-01-01", "--to", "2024-01-31")


@pytest.fixture
def gateway(stack: Stack) -> Service:
    """A gateway without any worker: tasks wait."""
    return stack.service("services.gateway").start()


@pytest.fixture
def relay(gateway: Service) -> Iterator[Relay]:
    relay = Relay(gateway.url)
    yield relay
    relay.close()


def tasks(gateway: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{gateway.url}/api/tasks").json()["tasks"]
    return found


def begin(url: str, folder: Path) -> "subprocess.Popen[str]":
    """Begin an export that waits."""
    return subprocess.Popen(
        tied([sys.executable, "-m", "cli", *EXPORT, "--url", url, "-o", str(folder)]),
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_submit_whose_answer_is_lost_makes_one_task(gateway: Service, relay: Relay) -> None:
    relay.cut_answers_after(20, 0)
    with Gateway(relay.url, "", "en") as client:
        task_id = client.submit("/api/export/work-logs", BODY)
    assert relay.cuts == 2
    assert [task["task_id"] for task in tasks(gateway)] == [task_id]


def test_ctrl_c_cancels_the_task(gateway: Service, relay: Relay, tmp_path: Path) -> None:
    process = begin(relay.url, tmp_path)
    (task,) = wait_until(lambda: tasks(gateway), seconds=20, what="it is submitted")
    wait_until(lambda: relay.answers >= 4, seconds=20, what="it follows the task")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert f"task {task['task_id']} is cancelled" in err
    assert (out, "Traceback" in err) == ("", False)
    assert tasks(gateway)[0]["state"] == "cancelled"
    assert list(tmp_path.glob("work_logs*")) == []


def test_it_outlasts_an_absence_and_tells_of_a_failure(
    gateway: Service, relay: Relay, tmp_path: Path
) -> None:
    process = begin(relay.url, tmp_path)
    (task,) = wait_until(lambda: tasks(gateway), seconds=20, what="it is submitted")
    relay.go_away()
    wait_until(lambda: relay.refused >= 3, seconds=20, what="it asks again and again")
    assert process.poll() is None
    httpx.delete(f"{gateway.url}/api/tasks/{task['task_id']}")
    relay.come_back()
    out, err = process.communicate(timeout=20)
    assert process.returncode == 1, err
    assert "cancelled" in err
    assert out == ""


def test_an_address_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    for url in ("localhost:8000", "http://[", "http://127.0.0.1:80000"):
        done = bulkhead(*EXPORT, "--url", url, "-o", tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"{url} is no address like http://127.0.0.1:8000\n"


def test_what_answers_may_be_a_stranger(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.client.PATIENCE_SECONDS", 0)
    with (
        Gateway(f"http://127.0.0.1:{redis_server.port}", "", "en") as client,
        pytest.raises(CliError, match="No gateway answers") as raised,
    ):
        client.submit("/api/export/work-logs", BODY)
    assert raised.value.status is Status.UNREACHABLE


def test_a_proxy_is_for_other_machines(gateway: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Gateway(gateway.url, "", "en") as client:
        assert client.submit("/api/export/work-logs", BODY)
