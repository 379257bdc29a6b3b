"""Writes rows in a format, and reads files back with readers that are not ours."""

import csv
import io
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
from python_calamine import CalamineWorkbook

from services.exporter.datasets import WORK_LOGS
from services.exporter.formats import Format
from services.exporter.formats.excel_value import CellValue, excel_value
from services.exporter.formats.local_time import LocalTime
from services.exporter.table import Table
from shared.contracts.languages import Language

ZONE = ZoneInfo("Asia/Shanghai")
MOMENT = "2024-01-31 23:59:59.999999"
BATCH_ROWS = 3


def row(**values: object) -> tuple[object, ...]:
    """A row of the work logs with these values and plain ones."""
    plain: dict[str, object] = {
        "employee_id": "emp_001",
        "employee_name": "王伟",
        "position": "工程师",
        "log_date": "2024-01-31",
        "work_content": "内容",
        "completion_status": "completed",
        "problems_encountered": None,
        "tomorrow_plan": "plan",
        "self_rating": 5,
        "supervisor_rating": None,
        "supervisor_comment": "ok",
        "created_at": MOMENT,
    }
    assert values.keys() <= plain.keys()
    return tuple({**plain, **values}.values())


def table_for(rows: Sequence[object], language: Language = Language.CHINESE) -> Table:
    """The table that these rows make."""
    return WORK_LOGS.table(language, ZONE, len(rows), datetime(2024, 2, 1, 8, 30, 4, tzinfo=UTC))


def write(file_format: Format, path: Path, rows: Sequence[tuple[object, ...]]) -> Path:
    """Write rows into a file, a few at a time."""
    with file_format.open(path, table_for(rows)) as write_batch:
        for start in range(0, len(rows), BATCH_ROWS):
            write_batch(rows[start : start + BATCH_ROWS])
    return path


def expected_cells(number: int, row: Sequence[object]) -> list[CellValue]:
    """What the cells of a row should hold."""
    columns, local_time = table_for([row]).columns, LocalTime(ZONE)
    values = [
        excel_value(value, column, local_time)
        for value, column in zip(row, columns[1:], strict=True)
    ]
    return [number, *values]


def read_with_openpyxl(path: Path) -> list[list[list[Any]]]:
    """Read each sheet's rows below the heading; openpyxl leaves `_xHHHH_` as it is written."""
    workbook = openpyxl.load_workbook(path)
    return [
        [
            [unescape(cell.value) if isinstance(cell.value, str) else cell.value for cell in cells]
            for cells in sheet.iter_rows(min_row=2)
        ]
        for sheet in workbook.worksheets
    ]


def unescape(text: str) -> str:
    """Give the characters that `_xHHHH_` stand for."""
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)


def read_with_calamine(path: Path) -> list[list[list[Any]]]:
    """Read each sheet's rows below the heading."""
    workbook = CalamineWorkbook.from_path(str(path))
    return [
        workbook.get_sheet_by_index(index).to_python(skip_empty_area=False)[1:]
        for index in range(len(workbook.sheet_names))
    ]


def as_calamine_says(value: CellValue) -> object:
    """To calamine an empty cell is an empty text, a number a float, an instant at 0:00 a day."""
    if value is None:
        return ""
    if isinstance(value, datetime) and value.time() == time.min:
        return value.date()
    if isinstance(value, int):
        return float(value)
    return value


def as_openpyxl_says(value: object) -> object:
    """A day at midnight is a datetime to openpyxl."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001  (as it gives it)
    if isinstance(value, datetime):
        return (value + timedelta(microseconds=500_000)).replace(microsecond=0)
    return value


def read_csv(path: Path) -> list[list[str]]:
    """Read all records, the heading included."""
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
