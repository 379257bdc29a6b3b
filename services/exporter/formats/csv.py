"""Comma-separated values for spreadsheets: UTF-8 with a byte order mark, RFC 4180 quoting.

A text that a spreadsheet would take for a formula gets an apostrophe in front; numbers, negative
ones too, stay numbers. Source: OWASP, "CSV Injection".
"""

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from services.exporter.formats.calendar_day import calendar_day
from services.exporter.formats.format import Format
from services.exporter.formats.local_time import LocalTime
from services.exporter.table import Batch, Column, Kind, Table

FORMULA_STARTS = frozenset("=+-@\t\r＝＋－＠")
BUFFER = 1024 * 1024
SEPARATOR = "\0"

# NUL ends a file for many readers, and half a surrogate pair has no form in UTF-8. Any other
# character is kept. Dropped before the first one is looked at, which they could hide.
_NOT_IN_CSV = re.compile("[\0\ud800-\udfff]")
_FORMULA = re.compile(f"{SEPARATOR}[{re.escape(''.join(sorted(FORMULA_STARTS)))}]")
_TWO_DIGITS = [f"{number:02}" for number in range(60)]


class Csv(Format):
    """Writes the values that xlsx shows, as text.

    Args:
        formula_guard: whether texts that look like formulas get an apostrophe.
    """

    media_type = "text/csv; charset=utf-8"
    label = "CSV"

    def __init__(self, *, formula_guard: bool = True) -> None:
        self._guarded = FORMULA_STARTS if formula_guard else frozenset[str]()
        self._formula_guard = formula_guard

    @contextmanager
    def open(self, path: Path, table: Table) -> Iterator[Callable[[Batch], None]]:
        """Begin a file; see `Format.open`."""
        with path.open("w", BUFFER, "utf-8-sig", newline="") as file:
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
                return lambda values: [
                    self._text(value) if local is None else _moment(*local)
                    for value, local in zip(values, local_time.locals(values), strict=True)
                ]
            case Kind.CHOICE:
                words = column.words
                return lambda values: self._texts(
                    [words.get(value, value) if isinstance(value, str) else value
                     for value in values]
                )  # fmt: skip
        return self._texts

    def _texts(self, values: Sequence[Any]) -> Sequence[object]:
        """Give the texts as they are if all of them are plain; else look at each."""
        present = values if all(values) else [value for value in values if value]
        if len(present) + values.count(None) + values.count("") != len(values):
            present = []  # a zero, or the like, is no empty text
        if self._are_plain(present):
            return values
        return [self._text(value) for value in values]

    def _are_plain(self, texts: Sequence[Any]) -> bool:
        try:
            joined = SEPARATOR + SEPARATOR.join(texts)
            joined.encode()
        except (TypeError, UnicodeEncodeError):  # no text; half a surrogate pair
            return False
        if joined.count(SEPARATOR) != len(texts):
            return False
        return not (self._formula_guard and _FORMULA.search(joined))

    def _text(self, value: object) -> str:
        if value is None:
            return ""
        if isinstance(value, (bytes, memoryview)):
            value = bytes(value).decode("utf-8", "replace")
        text = _NOT_IN_CSV.sub("", str(value))
        return "'" + text if text[:1] in self._guarded else text

    def _number(self, value: object) -> object:
        if value is None or type(value) is int:
            return value
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else ""
        if isinstance(value, Decimal):
            return value if value.is_finite() else ""
        return self._text(value)

    def _date(self, value: object) -> str:
        day = calendar_day(value)
        return self._text(value) if day is None else day.isoformat()


def _moment(day: int, second: int) -> str:
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{_day_text(day)} {_TWO_DIGITS[hour]}:{_TWO_DIGITS[minute]}:{_TWO_DIGITS[second]}"


@lru_cache(maxsize=4096)
def _day_text(day: int) -> str:
    return date.fromordinal(day).isoformat()
