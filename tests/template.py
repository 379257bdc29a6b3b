"""A process that has imported the libraries and forks itself into services: they start fast so.

Most of what a service's start computes is the imports of other people's libraries, the same each
time; that is most of what these tests would compute, too. What is forked becomes a process as
`python -m <module>` would be: its own session, environment, files and signals, and it imports all
of this project's code by itself. Cold starts are tested where users have them: `bulkhead up`, the
commands, and the containers.

`python -m tests.template DESCRIPTOR` is that process; it ends with the one that started it, and all
that it has forked ends with it.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.process import die_with_parent
from tests.privileges import drop_capabilities

LONGEST_MESSAGE = 200_000
LIBRARIES = (
    "alembic.command",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.concurrency.thread",
    "cronsim",
    "fastapi",
    "httpx",
    "jinja2",
    "kombu.transport.redis",
    "obstore.store",
    "openpyxl",
    "psycopg",
    "pydantic_settings",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "standardwebhooks",
    "structlog",
    "uuid6",
    "uvicorn.protocols.http.h11_impl",
)


class ForkedProcess:
    """A process that a template has forked; what tests use of `subprocess.Popen`."""

    def __init__(self, template: "Template", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._template = template

    def poll(self) -> int | None:
        """Give its exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._template.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if (status := self.poll()) is not None:
            return status
        ended = os.pidfd_open(self.pid)
        try:
            select.select([ended], [], [], timeout)
        finally:
            os.close(ended)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Template:
    """The template process of this test process; started when it is first needed.

    Args:
        folder: where everything runs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None  # ends when the socket is closed
        self._lock = threading.Lock()

    def start(
        self, module: str, environment: Mapping[str, str], log: Path, *, privileged: bool
    ) -> ForkedProcess:
        """Start `python -m module` in a session of its own, with its output behind a log."""
        with log.open("ab") as file:
            pid = self.ask(
                {"run": module, "environment": {**environment}, "privileged": privileged},
                file.fileno(),
            )
        return ForkedProcess(self, pid)

    def ask(self, request: dict[str, Any], *descriptors: int) -> Any:
        """Send a request and give the answer."""
        with self._lock:
            if self._socket is None:
                self._socket = self._launch()
            socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
            return json.loads(self._socket.recv(LONGEST_MESSAGE))

    def _launch(self) -> socket.socket:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.template", str(its.fileno())]
        with its:
            self._process = subprocess.Popen(command, cwd=self._folder, pass_fds=[its.fileno()])
        return mine


def serve(requests: socket.socket) -> dict[str, Any] | None:
    """Fork and tell; None when nobody asks any more, in a fork the request that it is for."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, LONGEST_MESSAGE, 1)
        if not message:
            return None
        request: dict[str, Any] = json.loads(message)
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            parent = os.getpid()
            is_fork = os.fork() == 0
            if is_fork:
                os.setsid()
                os.dup2(descriptors[0], 1)
                os.dup2(descriptors[0], 2)
            os.close(descriptors[0])
            if not is_fork:
                continue  # it answers for itself, once it has its session
            answer = os.getpid()
        requests.send(json.dumps(answer).encode())
        if "run" in request:
            return {**request, "parent": parent}


def become(request: dict[str, Any]) -> None:
    """Be what was asked for, to the end of this process."""
    die_with_parent(request["parent"], signal.SIGKILL)
    if not request["privileged"]:
        drop_capabilities()
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["run"]]
    runpy.run_module(request["run"], run_name="__main__", alter_sys=True)


def main() -> None:
    """Import, then serve."""
    for name in LIBRARIES:
        importlib.import_module(name)
    for name in [each for each in sys.modules if each.partition(".")[0] in {"shared", "tests"}]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()  # a fork that collects garbage would copy all of it
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        request = serve(requests)
    if request:
        become(request)


if __name__ == "__main__":
    main()
