"""What is in a file, and what must be in it."""

import csv
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook

from cli.sample_data import work_logs

ROWS = 3000
"""Work logs of 2024 in every source of the faults."""

Cells = list[tuple[int, str, str]]


def cells(path: Path) -> Cells:
    """Number, employee and content of every row in a file."""
    rows: list[list[Any]]
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    else:
        rows = [*CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()]
    return [(int(row[0]), str(row[1]), str(row[5])) for row in rows[1:]]


@cache
def expected_cells(first: str = "2024-01-01", last: str = "2024-12-31") -> Cells:
    """What a file of these days must hold."""
    days = (date.fromisoformat(first), date.fromisoformat(last))
    wanted = (row for row in work_logs(ROWS) if days[0] <= row["log_date"] <= days[1])
    return [
        (number, row["employee_id"], row["work_content"]) for number, row in enumerate(wanted, 1)
    ]
