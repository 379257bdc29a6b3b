"""`bulkhead up`: separate processes, started together, mended, stopped, none left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from shared.process import tied
from tests.integration.cli.commands import UpProcess, bulkhead, environment
from tests.processes import ROOT, is_running
from tests.servers import free_port, wait_until

SERVICES = ("gateway", "exporter", "notifier", "janitor")
Start = Callable[..., UpProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts instances in folders of their own: `start("name", *options)`."""
    started: list[UpProcess] = []

    def start_one(name: str = "data", *options: str) -> UpProcess:
        up = UpProcess(tmp_path / name, free_port(), *options)
        started.append(up)
        return up.wait_until_ready()

    yield start_one
    for up in started:
        up.kill()


def nobody_is_left(family: list[int]) -> None:
    wait_until(lambda: not any(map(is_running, family)), seconds=20, what="no process is left")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_separate_processes_and_stops_them_all(
    start: Start, number: signal.Signals
) -> None:
    up = start()
    pids = {up.child(f"services.{name}") for name in SERVICES}
    assert len(pids) == len(SERVICES)
    assert httpx.get(f"{up.url}/readyz").status_code == 200
    family = up.whole_family()
    assert up.stop(number) == 0
    nobody_is_left(family)
    assert "Traceback" not in up.text
    for name in SERVICES[1:]:
        assert f"{name:<9}│ " in up.text


def test_killed_hard_it_leaves_no_process_behind(start: Start) -> None:
    up = start()
    family = up.whole_family()
    up.kill()
    nobody_is_left(family)


def test_a_second_ctrl_c_kills_at_once(start: Start) -> None:
    up = start()
    family = up.whole_family()
    janitor = up.child("services.janitor")
    os.kill(up.child("services.gateway"), signal.SIGSTOP)
    up.process.send_signal(signal.SIGINT)
    wait_until(lambda: not is_running(janitor), seconds=10, what="the others stop")
    assert up.process.poll() is None
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(4) == 0
    nobody_is_left(family)


def test_a_service_that_crashes_is_started_again(start: Start) -> None:
    up = start()
    first = up.child("services.exporter")
    os.kill(first, signal.SIGKILL)
    wait_until(
        lambda: "exporter ended with signal SIGKILL; it starts again in 1 s" in up.text,
        seconds=10,
        what="it says so",
    )
    # The first one's own line may not have come: its health answers before it consumes.
    wait_until(
        lambda: "exporter-" in up.text.rpartition("it starts again")[2],
        seconds=30,
        what="the exporter is back",
    )
    assert up.child("services.exporter") != first
    assert up.stop(signal.SIGHUP) == 0


def test_with_exit_on_crash_it_ends_and_names_who_crashed(start: Start) -> None:
    up = start("data", "--exit-on-crash")
    family = up.whole_family()
    os.kill(up.child("services.janitor"), signal.SIGKILL)
    assert up.process.wait(40) == 1
    assert "janitor ended with signal SIGKILL; stopping" in up.text
    nobody_is_left(family)


def test_two_instances_run_side_by_side_and_a_third_is_refused(start: Start) -> None:
    first, second = start("one"), start("two")
    ids = [
        httpx.post(
            f"{up.url}/api/export/work-logs",
            json={"start_date": "2024-01-01", "end_date": "2024-01-31"},
        ).json()["task_id"]
        for up in (first, second)
    ]
    for up, own, other in ((first, *ids), (second, *reversed(ids))):
        assert httpx.get(f"{up.url}/api/tasks/{own}").status_code == 200
        assert httpx.get(f"{up.url}/api/tasks/{other}").status_code == 404
    refused = bulkhead("up", "--data-dir", first.data_dir, "--port", str(free_port()))
    assert refused.returncode == 1
    assert f"running in {first.data_dir} already" in refused.stderr
    assert f"process {first.process.pid}, {first.url}" in refused.stderr
    port = first.url.rpartition(":")[2]
    taken = bulkhead("up", "--data-dir", first.data_dir.with_name("three"), "--port", port)
    assert taken.returncode == 1
    assert f"Port {port} of 127.0.0.1 is in use" in taken.stderr


def test_wrong_settings_end_it_with_what_is_wrong(tmp_path: Path) -> None:
    for name, value, says in (
        ("BULKHEAD_GATEWAY_SHUTDOWN_SECONDS", "-1", "SHUTDOWN_SECONDS"),
        ("BULKHEAD_LEASE_SECONDS", "0", "BULKHEAD_LEASE_SECONDS"),
    ):
        ended = bulkhead(
            "up", "--data-dir", tmp_path / name, "--port", str(free_port()), **{name: value}
        )
        assert ended.returncode != 0
        assert says in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stdout + ended.stderr


def test_it_says_why_a_service_cannot_start(tmp_path: Path) -> None:
    ended = bulkhead(
        "up", "--data-dir", tmp_path / "data", "--port", str(free_port()), "--host", "0.0.0.0"
    )
    assert ended.returncode == 1
    assert "gateway ended with status 78" in ended.stderr
    assert "does not listen on 0.0.0.0 without API keys" in ended.stderr
    elsewhere = bulkhead(
        "up", "--data-dir", tmp_path / "data", "--port", str(free_port()), "--host", "192.0.2.1"
    )
    assert elsewhere.returncode == 1
    assert "of 192.0.2.1 cannot be used" in elsewhere.stderr


def test_a_service_started_by_hand_joins(start: Start, tmp_path: Path) -> None:
    up = start()
    lines = bulkhead("env", "--data-dir", up.data_dir).stdout.splitlines()
    assert all(line.startswith("export BULKHEAD_") for line in lines)
    lines += ["export BULKHEAD_GATEWAY_PORT=$1", "exec python -m services.gateway"]
    script = "\n".join(lines)
    port = free_port()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        tied(["sh", "-c", script, "sh", str(port)]),
        env=environment(PATH=path),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, seconds=30, what="the second gateway is ready")
        task = httpx.post(
            f"http://127.0.0.1:{port}/api/export/work-logs",
            json={"start_date": "2024-01-01", "end_date": "2024-01-31"},
        ).json()
        assert httpx.get(f"{up.url}/api/tasks/{task['task_id']}").status_code == 200
    finally:
        process.terminate()
        process.wait(20)


def test_flower_shows_the_workers_and_what_each_bell_led_to(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "true")
    port = free_port()
    up = start("data", "--flower", "--flower-port", str(port))

    def ask(what: str) -> str:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/api/{what}", timeout=20).text
        except httpx.TransportError:
            return ""

    wait_until(
        lambda: all(f"{name}-" in ask("workers?refresh=true") for name in SERVICES[1:]),
        seconds=30,
        what="Flower knows the workers",
    )
    task_id = httpx.post(
        f"{up.url}/api/export/work-logs",
        json={"start_date": "2024-01-01", "end_date": "2024-01-31"},
    ).json()["task_id"]
    wait_until(
        lambda: f"export.work_logs {task_id}" in ask("tasks"),
        seconds=20,
        what="Flower shows which task the bell led to",
    )
    assert up.stop() == 0
