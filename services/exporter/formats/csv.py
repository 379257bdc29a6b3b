"""Comma-separated values for spreadsheets: UTF-8 with a byte order mark, RFC 4180 quoting.

A text that a spreadsheet would take for a formula gets an apostrophe in front; numbers, negative
ones too, stay numbers. Source: OWASP, "CSV Injection".
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from services.exporter.formats.format import Format
from services.exporter.formats.local_time import LocalTime
from services.exporter.table import Batch, Column, Kind, Table

FORMULA_STARTS = frozenset("=+-@\t\r＝＋－＠")
BUFFER = 1024 * 1024


class Csv(Format):
    """Writes the values that xlsx shows, as text.

    Args:
        formula_guard: whether texts that look like formulas get an apostrophe.
    """

    media_type = "text/csv; charset=utf-8"
    label = "CSV"

    def __init__(self, *, formula_guard: bool = True) -> None:
        self._guarded = FORMULA_STARTS if formula_guard else frozenset[str]()

    @contextmanager
    def open(self, path: Path, table: Table) -> Iterator[Callable[[Batch], None]]:
        """Begin a file; see `Format.open`."""
        # A lone surrogate, half a character, has no form in UTF-8.
        with path.open("w", BUFFER, "utf-8-sig", errors="ignore", newline="") as file:
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow([column.heading for column in table.columns])
            columns = [self._column(column, table) for column in table.columns[1:]]
            written = 0

            def write(batch: Batch) -> None:
                nonlocal written
                values = [
                    column(values)
                    for column, values in zip(columns, zip(*batch, strict=True), strict=True)
                ]
                numbers = range(written + 1, written + len(batch) + 1)
                writer.writerows(zip(numbers, *values, strict=True))
                written += len(batch)

            yield write

    def _column(
        self, column: Column, table: Table
    ) -> Callable[[Sequence[object]], Sequence[object]]:
        match column.kind:
            case Kind.NUMBER:
                return lambda values: [self._number(value) for value in values]
            case Kind.DATE:
                return lambda values: [self._date(value) for value in values]
            case Kind.TIMESTAMP:
                local_time = LocalTime(table.zone)
                return lambda values: [self._moment(value, local_time) for value in values]
            case Kind.CHOICE:
                words = column.words
                return lambda values: [
                    self._text(words.get(value, value) if isinstance(value, str) else value)
                    for value in values
                ]
        return lambda values: [self._text(value) for value in values]

    def _text(self, value: object) -> str:
        if value is None:
            return ""
        if isinstance(value, (bytes, memoryview)):
            value = bytes(value).decode("utf-8", "replace")
        text = str(value)
        if "\0" in text:  # which ends a file for many readers
            text = text.replace("\0", "")
        return "'" + text if text[:1] in self._guarded else text

    def _number(self, value: object) -> object:
        if isinstance(value, float) and not -float("inf") < value < float("inf"):
            return ""
        if isinstance(value, str):
            return self._text(value)
        return int(value) if isinstance(value, bool) else value

    def _date(self, value: object) -> str:
        if isinstance(value, datetime):
            return value.date().isoformat()
        return value.isoformat() if isinstance(value, date) else self._text(value)

    def _moment(self, value: object, local_time: LocalTime) -> str:
        local = local_time.local(value)
        if local is None:
            return self._text(value)
        day, second = local
        return f"{_day_text(day)} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


@lru_cache(maxsize=4096)
def _day_text(day: int) -> str:
    return date.fromordinal(day).isoformat()
