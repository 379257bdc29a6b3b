"""`bulkhead schedule`: what runs by the clock."""

import json
import sys
from dataclasses import asdict
from datetime import datetime

import typer
from rich.console import Console
from rich.table import Table

from cli.instance import Instance
from cli.options import AsJson, DataDir
from shared.database import create_database_engine
from shared.migrations import Schema, migrate
from shared.tasks.schedules import list_schedules

schedule = typer.Typer(no_args_is_help=True, help="What runs by the clock.")


@schedule.callback()
def about() -> None:
    """Schedules are rows; the janitor's settings say when they run."""


@schedule.command("list")
def list_all(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List what runs by the clock, and when it runs next."""
    settings = Instance.open(data_dir).settings
    engine = create_database_engine(settings.database_url, pool_size=0)
    migrate(engine, Schema.TASKS)
    found = list_schedules(engine)
    if as_json:
        sys.stdout.write(json.dumps([asdict(each) for each in found], default=str) + "\n")
        return
    table = Table("name", "cron", "time zone", "next", "last", "last task")

    def local(moment: datetime | None) -> str:
        return f"{moment.astimezone(settings.zone):%Y-%m-%d %H:%M}" if moment else ""

    for each in found:
        table.add_row(
            each.name,
            each.cron,
            each.timezone,
            local(each.next_run_at),
            local(each.last_run_at),
            each.last_task_id or "",
        )
    Console().print(table)
