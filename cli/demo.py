"""`make demo`: an instance with sample data, and one month of it in a file."""

import os
from pathlib import Path

from rich.console import Console

from cli.export import export_work_logs, open_gateway, print_result
from cli.instance import Instance
from cli.sample_data import count_work_logs, load
from cli.source import open_source
from cli.up import Up

ROWS = 100_000
MONTH = {"start_date": "2024-01-01", "end_date": "2024-01-31"}


def demo(host: str, port: int, data_dir: Path | None, *, once: bool) -> None:
    """Start everything, load sample work logs, export January 2024; then serve, unless `once`."""
    console = Console()
    os.environ.setdefault("BULKHEAD_LOG_LEVEL", "warning")
    instance = Instance.open(data_dir)
    service = Up(instance, host, port, exit_on_crash=once, console=console)
    with service.running() as is_ready:
        if not is_ready:
            return
        source = open_source(instance.settings)
        if not count_work_logs(source):
            console.print(f"Loading {ROWS:,} sample work logs...", highlight=False)
            load(source, ROWS, append=False, report=lambda _: None)
        console.print("Exporting January 2024 to xlsx:", highlight=False)
        folder = instance.settings.data_dir / "downloads"
        with open_gateway(service.url) as gateway:
            path, answer = export_work_logs(gateway, dict(MONTH), folder, console=console)
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
