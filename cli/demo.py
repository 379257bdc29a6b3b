"""`make demo`: an instance with sample data, and one month of it in a file."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from cli.errors import CliError
from cli.export import export_work_logs, open_gateway, print_result
from cli.instance import Instance
from cli.ports import free_port, is_free
from cli.sample_data import count_work_logs, load, register_user
from cli.source import open_source
from cli.up import Up

ROWS = 100_000
MONTH = {"start_date": "2024-01-01", "end_date": "2024-01-31"}
LOAD_AND_EXPORT_SECONDS = 900.0

Value = TypeVar("Value")


def demo(host: str, port: int, data_dir: Path | None, *, once: bool) -> None:
    """Start everything, load sample work logs, export January 2024; then serve, unless `once`."""
    console = Console()
    os.environ.setdefault("BULKHEAD_LOG_LEVEL", "warning")
    instance = Instance.open(data_dir)
    if not is_free(port, host):
        if not once:
            raise CliError(
                f"Port {port} of {host} is in use. Choose another: PORT={free_port()} make demo"
            )
        port = free_port()
    service = Up(instance, host, port, exit_on_crash=once, console=console)
    with service.running() as is_ready:
        if not is_ready:
            return
        # In a thread, for this one looks after the services, and heeds Ctrl-C.
        made = _begin(lambda: _export_a_month(instance, service.url, console))
        try:
            if not service.supervisor.wait_for(
                made.done, seconds=LOAD_AND_EXPORT_SECONDS, what="the sample export"
            ):
                return
        finally:
            console.show_cursor()
        path, answer = made.result()
        if not once:
            print_result(path, answer, console, as_json=False)
            console.print(
                f"Serving at {service.url}; its documentation is at {service.url}/docs. "
                "Ctrl-C stops it.",
                highlight=False,
            )
            service.supervisor.run()
    if once:
        print_result(path, answer, console, as_json=False)


def _export_a_month(instance: Instance, url: str, console: Console) -> tuple[Path, dict[str, Any]]:
    source = open_source(instance.settings)
    if not count_work_logs(source):
        console.print(f"Loading {ROWS:,} sample work logs...", highlight=False)
        load(source, ROWS, append=False, report=lambda _: None)
        register_user(instance.settings)
    console.print("Exporting January 2024 to xlsx:", highlight=False)
    folder = instance.settings.data_dir / "downloads"
    with open_gateway(url) as gateway:
        return export_work_logs(gateway, dict(MONTH), folder, console=console)


def _begin(work: Callable[[], Value]) -> Future[Value]:
    future: Future[Value] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  (it is raised where the result is asked)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
