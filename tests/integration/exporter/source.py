"""A small source database and exports of it."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from cli.source import EMPLOYEES, WORK_LOGS
from services.exporter.export import Export
from services.exporter.formats import build_formats
from services.exporter.reader import Reader
from services.exporter.source import create_source_engine
from shared.contracts.queues import Queue
from shared.contracts.tasks import ExportFormat, WorkLogsExport
from shared.settings import Settings
from shared.tasks.claims import Claim, Finished
from shared.tasks.context import TaskContext
from tests.conformance.workbooks import read_csv


def add_work_logs(engine: Engine, *rows: dict[str, Any]) -> None:
    """Add employees emp_001 to emp_003, once, and work logs of these values and plain ones."""
    plain = {
        **{column.name: None for column in WORK_LOGS.columns if column.nullable},
        "employee_id": "emp_001",
        "log_date": date(2024, 1, 15),
        "work_content": "text",
        "completion_status": "completed",
        "created_at": datetime(2024, 1, 15, 10, tzinfo=UTC),
    }
    with engine.begin() as connection:
        if connection.execute(EMPLOYEES.select()).first() is None:
            people = [
                {"employee_id": f"emp_{n:03}", "employee_name": f"Name {n}", "position": "工程师"}
                for n in range(1, 4)
            ]
            connection.execute(insert(EMPLOYEES), people)
        if rows:
            connection.execute(insert(WORK_LOGS), [{**plain, **row} for row in rows])


def january(**values: Any) -> WorkLogsExport:
    """An export of January 2024 as csv, but for these values."""
    plain = {
        "start_date": date(2024, 1, 1),
        "end_date": date(2024, 1, 31),
        "export_format": ExportFormat.CSV,
    }
    return WorkLogsExport(**{**plain, **values})


def context_in(folder: Path) -> TaskContext:
    """A task's context with scratch in a folder."""
    claim = Claim("task", 1, "local", WorkLogsExport.kind, Queue.EXPORT, {}, 0)
    return TaskContext(claim, folder / "scratch")


def run(
    url: str, parameters: WorkLogsExport, context: TaskContext, batch_rows: int = 3
) -> Finished:
    """Export from the source at a URL."""
    engine = create_source_engine(url)
    try:
        return Export(Reader(engine, batch_rows), build_formats(), Settings())(parameters, context)
    finally:
        engine.dispose()


def contents(finished: Finished) -> list[str]:
    """The work contents in a csv file, after a look at its size and checksum."""
    assert finished.file is not None
    content = finished.file.path.read_bytes()
    assert finished.file.size == len(content)
    assert finished.file.sha256 == hashlib.sha256(content).hexdigest()
    return [row[5] for row in read_csv(finished.file.path)[1:]]


def texts(values: Iterable[str]) -> list[dict[str, Any]]:
    """Work logs of these contents."""
    return [{"work_content": value} for value in values]
