"""`bulkhead import`: CSV files into the sample source, all or nothing, a line at a time."""

import csv
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection, Engine, insert, select

from cli.errors import CliError
from cli.source import EMPLOYEE_ID_LENGTH, EMPLOYEES, WORK_LOGS
from shared.database import insert_or, read

BATCH_LINES = 2000
LOWEST_RATING, HIGHEST_RATING = 1, 5
STATUSES = ("completed", "in_progress", "pending")
EMPLOYEE_FIELDS = ("employee_id", "employee_name", "position")
WORK_LOG_FIELDS = (
    "employee_id", "log_date", "work_content", "completion_status", "problems_encountered",
    "tomorrow_plan", "self_rating", "supervisor_rating", "supervisor_comment", "created_at",
)  # fmt: skip

Report = Callable[[int], None]


class LineError(ValueError):
    """Why a line cannot be imported."""


class NotTextError(ValueError):
    """A line is not UTF-8; the CSV reader has not seen it yet."""


def import_employees(engine: Engine, path: Path, report: Report) -> int:
    """Insert employees, or update them by id; give how many lines were read.

    Raises:
        CliError: a line is wrong; nothing was changed. The message names the line and the reason.
    """

    def parse(fields: dict[str, str]) -> dict[str, Any]:
        return {name: _required(fields, name) for name in EMPLOYEE_FIELDS} | {
            "employee_id": _employee_id(fields)
        }

    def write(connection: Connection, rows: list[dict[str, Any]]) -> None:
        statement = insert_or(connection, EMPLOYEES)
        statement = statement.on_conflict_do_update(
            index_elements=["employee_id"],
            set_={name: statement.excluded[name] for name in EMPLOYEE_FIELDS[1:]},
        )
        connection.execute(statement, rows)

    return _import(engine, path, EMPLOYEE_FIELDS, EMPLOYEE_FIELDS, parse, write, report)


def import_work_logs(engine: Engine, path: Path, report: Report) -> int:
    """Append work logs in the file's order; otherwise like `import_employees`."""
    with read(engine) as connection:
        known = set(connection.scalars(select(EMPLOYEES.c.employee_id)))
    now = datetime.now(UTC)

    def parse(fields: dict[str, str]) -> dict[str, Any]:
        employee_id = _employee_id(fields)
        if employee_id not in known:
            raise LineError(f"there is no employee {employee_id!r}; import employees first")
        status = _required(fields, "completion_status")
        if status not in STATUSES:
            raise LineError(f"completion_status is {status!r}, not one of {', '.join(STATUSES)}")
        return {
            "employee_id": employee_id,
            "log_date": _day(_required(fields, "log_date")),
            "work_content": _required(fields, "work_content"),
            "completion_status": status,
            "problems_encountered": fields["problems_encountered"] or None,
            "tomorrow_plan": fields["tomorrow_plan"] or None,
            "self_rating": _rating(fields, "self_rating"),
            "supervisor_rating": _rating(fields, "supervisor_rating"),
            "supervisor_comment": fields["supervisor_comment"] or None,
            "created_at": _moment(fields.get("created_at", "")) or now,
        }

    def write(connection: Connection, rows: list[dict[str, Any]]) -> None:
        connection.execute(insert(WORK_LOGS), rows)

    required = WORK_LOG_FIELDS[:-1]
    return _import(engine, path, WORK_LOG_FIELDS, required, parse, write, report)


def _import(
    engine: Engine,
    path: Path,
    known: tuple[str, ...],
    required: tuple[str, ...],
    parse: Callable[[dict[str, str]], dict[str, Any]],
    write: Callable[[Connection, list[dict[str, Any]]], None],
    report: Report,
) -> int:
    count = 0
    with _opened(path) as file:
        reader = csv.reader(_lines(file), strict=True)
        with _line_errors(path, reader), engine.begin() as connection:
            header = _header(reader, known, required)
            rows = (
                parse(_fields(header, line))
                for line in reader
                if line  # a blank line is none
            )
            while batch := list(islice(rows, BATCH_LINES)):
                write(connection, batch)
                count += len(batch)
                report(count)
    return count


def _lines(file: TextIO) -> Iterator[str]:
    for line in file:
        if not line.isascii():
            try:
                line.encode()
            except UnicodeEncodeError:  # where a byte was none of UTF-8, a surrogate stands
                raise NotTextError("not UTF-8") from None
        yield line


def _header(reader: Any, known: tuple[str, ...], required: tuple[str, ...]) -> list[str]:
    header: list[str] = next(reader, [])
    missing = [name for name in required if name not in header]
    unknown = [name for name in header if name not in known]
    if missing:
        raise LineError(f"the header lacks {', '.join(missing)}")
    if unknown or len(set(header)) != len(header):
        raise LineError(f"the header should be {','.join(known)}")
    return header


def _fields(header: list[str], line: list[str]) -> dict[str, str]:
    if len(line) != len(header):
        raise LineError(f"{len(line)} fields, where the header has {len(header)}")
    for name, value in zip(header, line, strict=True):
        if "\0" in value:
            raise LineError(f"{name} holds a NUL character")
    return dict(zip(header, line, strict=True))


def _required(fields: dict[str, str], name: str) -> str:
    if not fields[name]:
        raise LineError(f"{name} is empty")
    return fields[name]


def _employee_id(fields: dict[str, str]) -> str:
    employee_id = _required(fields, "employee_id")
    if len(employee_id) > EMPLOYEE_ID_LENGTH:
        raise LineError(f"employee_id is longer than {EMPLOYEE_ID_LENGTH} characters")
    return employee_id


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise LineError(f"log_date is {text!r}, not a date as YYYY-MM-DD")
    return day


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise LineError(f"created_at is {text!r}, not ISO 8601") from None


def _rating(fields: dict[str, str], name: str) -> int | None:
    text = fields[name]
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 1:
        raise LineError(f"{name} is {text!r}, not {LOWEST_RATING} to {HIGHEST_RATING}")
    if not LOWEST_RATING <= int(text) <= HIGHEST_RATING:
        raise LineError(f"{name} is {text}, not {LOWEST_RATING} to {HIGHEST_RATING}")
    return int(text)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if str(path) == "-":
        yield io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig", "surrogateescape", newline="")
        return
    try:
        file = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        yield file


@contextmanager
def _line_errors(path: Path, reader: Any) -> Iterator[None]:
    """Say which line is wrong; leaving the transaction by an error has undone everything."""
    try:
        yield
    except NotTextError as error:
        raise _refusal(path, reader.line_num + 1, error) from error
    except (LineError, csv.Error) as error:
        raise _refusal(path, max(1, reader.line_num), error) from error


def _refusal(path: Path, line: int, reason: Exception) -> CliError:
    return CliError(f"{path}, line {line}: {reason}; nothing was imported")
