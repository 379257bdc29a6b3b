"""`bulkhead`: runs Bulkhead on one machine, exports, administers. Each command is a module."""

import os
import shlex
import sys
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from sqlalchemy.exc import SQLAlchemyError

from cli import ask
from cli.demo import demo
from cli.errors import CliError, Status
from cli.export import export_work_logs, open_gateway, print_result
from cli.import_csv import import_employees, import_work_logs
from cli.instance import Instance
from cli.keys import keys
from cli.options import AsJson, DataDir, Url
from cli.prepare import prepare
from cli.sample_data import EMPLOYEE_COUNT, load, register_user
from cli.schedule import schedule
from cli.source import open_source
from cli.up import up
from shared.contracts.tasks import ExportFormat
from shared.database import create_database_engine
from shared.migrations import Schema, migrate

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Bulkhead: asynchronous bulk export. "
    "Exit status: 0 done, 1 failed, 2 wrong usage or refused, 3 no gateway, 130 interrupted.",
)
export_app = typer.Typer(no_args_is_help=True, help="Export data through a gateway.")
app.add_typer(export_app, name="export")
app.add_typer(keys, name="keys")
app.add_typer(ask.recipients, name="recipients")
app.add_typer(schedule, name="schedule")
for command in (ask.notify, ask.cleanup, ask.tasks, ask.cancel):
    app.command()(command)

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the gateway.")]


class Importable(StrEnum):
    """What `import` knows."""

    EMPLOYEES = "employees"
    WORK_LOGS = "work-logs"


@app.callback(invoke_without_command=True)
def about(
    show_version: Annotated[bool, typer.Option("--version", help="Say which release.")] = False,
) -> None:
    """Handle what comes before a command."""
    if show_version:
        try:
            typer.echo(f"bulkhead {version('bulkhead')}")
        except PackageNotFoundError:
            typer.echo("bulkhead, from a checkout")
        raise typer.Exit


@app.command("up")
def up_command(
    port: Port = 8000,
    host: Host = "127.0.0.1",
    data_dir: DataDir = None,
    exit_on_crash: Annotated[
        bool, typer.Option("--exit-on-crash", help="End when a service crashes; do not restart it.")
    ] = False,
    flower: Annotated[
        bool, typer.Option("--flower", help="Run Flower too, on this machine only.")
    ] = False,
    flower_port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 5555,
) -> None:
    """Run everything on this machine: broker, gateway, exporter, notifier, janitor."""
    up(
        host,
        port,
        data_dir,
        exit_on_crash=exit_on_crash,
        flower_port=flower_port if flower else None,
    )


@app.command("demo", hidden=True)
def demo_command(
    port: Port = 8000,
    host: Host = "127.0.0.1",
    data_dir: DataDir = None,
    once: Annotated[bool, typer.Option("--once", help="Stop after the file.")] = False,
) -> None:
    """Run everything with sample data, and export one month of it."""
    demo(host, port, data_dir, once=once)


@app.command("env")
def env_command(data_dir: DataDir = None) -> None:
    """Print the variables with which a service started by hand joins this instance."""
    for name, value in Instance.open(data_dir).environment().items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


@export_app.command("work-logs")
def export_command(
    start: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")],
    end: Annotated[str, typer.Option("--to", help="Last day, inclusive.")],
    employee: Annotated[
        list[str] | None, typer.Option(help="Only this employee's; may be repeated.")
    ] = None,
    export_format: Annotated[
        ExportFormat, typer.Option("--format", help="Format of the file.")
    ] = ExportFormat.XLSX,
    url: Url = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the file.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Export work logs, download the file and verify it. The key is read from BULKHEAD_API_KEY."""
    body: dict[str, Any] = {
        "start_date": start,
        "end_date": end,
        "export_format": export_format.value,
    }
    console = Console(stderr=True)
    if employee:
        body["employee_ids"] = employee
    with open_gateway(url) as gateway:
        path, answer = export_work_logs(gateway, body, output, console=console)
    print_result(path, answer, console, as_json=as_json)


@app.command("sample-data")
def sample_data_command(
    rows: Annotated[int, typer.Option(min=1, help="How many work logs.")],
    data_dir: DataDir = None,
    append: Annotated[
        bool, typer.Option("--append", help="Also where work logs are already.")
    ] = False,
) -> None:
    """Fill the source with work logs of 2024: the same ones every time."""
    settings = Instance.open(data_dir).settings
    source = open_source(settings)
    register_user(settings)
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("sample data", total=rows)
        load(source, rows, append=append, report=lambda n: progress.update(bar, completed=n))
    verb = "added to" if append else "written to"
    typer.echo(
        f"{rows:,} work logs of {EMPLOYEE_COUNT} employees, 2024-01-01 to 2024-12-31, "
        f"{verb} {source.url.render_as_string(hide_password=True)}"
    )


@app.command("import")
def import_command(
    what: Annotated[Importable, typer.Argument(help="What the file holds.")],
    file: Annotated[Path, typer.Argument(help="UTF-8 CSV with a header; - is standard input.")],
    data_dir: DataDir = None,
) -> None:
    """Import a CSV file into the source, all of it or, if a line is wrong, nothing."""
    source = open_source(Instance.open(data_dir).settings)
    run = import_employees if what is Importable.EMPLOYEES else import_work_logs
    with Progress(*Progress.get_default_columns()[:1], console=Console(stderr=True)) as progress:
        bar = progress.add_task("import", total=None)
        count = run(
            source, file, lambda n: progress.update(bar, description=f"import: {n:,} lines")
        )
    typer.echo(f"{count:,} {what.value} imported.")


@app.command("migrate")
def migrate_command(data_dir: DataDir = None) -> None:
    """Bring the databases to this release's schema; safe at any time."""
    instance = Instance.open(data_dir)
    migrate(create_database_engine(instance.settings.database_url, pool_size=0), Schema.TASKS)
    typer.echo("The task database is up to date.")
    if instance.has_own_source:
        open_source(instance.settings).dispose()
        typer.echo("The sample source is up to date.")


@app.command("prepare", hidden=True)
def prepare_command(
    folders: Annotated[list[Path], typer.Argument(help="Folders that the services write to.")],
    secrets: Annotated[Path, typer.Option(help="Where passwords and addresses are kept.")],
    user: Annotated[int, typer.Option(help="User and group of the services.")],
    allow_anonymous: Annotated[
        bool, typer.Option(envvar="BULKHEAD_ALLOW_ANONYMOUS", help="No API key is needed.")
    ] = False,
) -> None:
    """Make what a set of containers needs: secrets, ownership, databases. Safe to repeat."""
    prepare(secrets, folders, user, needs_key=not allow_anonymous)


def main() -> None:
    """Run a command; an error is one readable text and an exit status."""
    try:
        app()
    except CliError as error:
        _fail(str(error), error.status)
    except KeyboardInterrupt:
        _fail("Interrupted.", Status.INTERRUPTED)
    except SQLAlchemyError as error:
        _unexpected("The database refused", error)
    except OSError as error:
        _unexpected("The system refused", error)
    except Exception as error:  # noqa: BLE001  (people get one line; a developer asks for more)
        _unexpected(f"A defect, {type(error).__name__}", error)


def _unexpected(what: str, error: Exception) -> None:
    if os.environ.get("BULKHEAD_LOG_LEVEL") == "debug":
        raise error
    reason = str(getattr(error, "orig", None) or error)
    _fail(f"{what}: {reason} (BULKHEAD_LOG_LEVEL=debug shows more)", Status.FAILED)


def _fail(text: str, status: Status) -> None:
    sys.stderr.write(f"{text}\n")
    raise SystemExit(status.value)


if __name__ == "__main__":
    main()
