"""The probe that a container's health check runs, against a real health server."""

import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from shared.health import HealthServer
from tests.processes import ROOT


def probe(port: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "shared.probe", str(port)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def away() -> None:
    raise ConnectionRefusedError


@pytest.mark.parametrize(
    ("alive", "check", "status", "said"),
    [
        (True, bool, 0, ""),
        (False, bool, 1, '/healthz: 503 {"status": "stuck"}'),
        (True, away, 1, '"checks": {"broker": "ConnectionRefusedError"}'),
    ],
)
def test_it_says_what_is_wrong(
    alive: bool, check: Callable[[], object], status: int, said: str
) -> None:
    server = HealthServer("127.0.0.1", 0, alive=lambda: alive, checks={"broker": check})
    port = int(server.start().rpartition(":")[2])
    asked = probe(port)
    assert (asked.returncode, said in asked.stdout, asked.stderr) == (status, True, "")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    asked = probe(port)
    assert asked.returncode == 1
    assert "ConnectionRefusedError" in asked.stdout


def test_somebody_listens_and_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = probe(silent.getsockname()[1])
    assert asked.returncode == 1
    assert "TimeoutError" in asked.stdout
