"""What a database value becomes in a cell: the one function that says so.

The serializer in `xlsx_rows` writes whole columns at once and comes here for whatever is not plain;
the tests compare the cells of finished files with this function.

Limits are Excel's: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
"""

import math
import re
from datetime import date, datetime
from decimal import Decimal

from services.exporter.formats.calendar_day import calendar_day
from services.exporter.formats.local_time import LocalTime, as_datetime
from services.exporter.table import Column, Kind

CellValue = str | int | float | date | datetime | None

LONGEST_TEXT = 32_767
"""UTF-16 units in one cell."""
LARGEST_INTEGER = 2**53
"""Excel's numbers are IEEE 754 doubles; an integer beyond this would be another one."""
MOST_DIGITS = 15
"""Excel's numbers keep 15 significant digits."""
FIRST_DAY = date(1900, 1, 1)
"""Day 1 of the 1900 date system; ECMA-376 part 1, section 18.17.4.1."""

# Characters that no XML 1.0 document can hold, not even escaped.
# Source: https://www.w3.org/TR/xml/#charsets
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def excel_value(value: object, column: Column, local_time: LocalTime) -> CellValue:
    """Say what a cell holds for a value; None is an empty cell.

    Args:
        value: as the database driver gives it.
        column: its kind decides.
        local_time: the time zone that instants are shown in.
    """
    match column.kind:
        case Kind.NUMBER:
            return _number(value)
        case Kind.DATE:
            return _date(value)
        case Kind.TIMESTAMP:
            local = local_time.local(value)
            if local is None:
                return _text(value)
            moment = as_datetime(local)
            return moment if moment.date() >= FIRST_DAY else str(moment)
        case Kind.CHOICE if isinstance(value, str):
            return _text(column.words.get(value, value))
    return _text(value)


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, (bytes, memoryview)):
        value = bytes(value).decode("utf-8", "replace")
    return fit(NOT_IN_XML.sub("", str(value))) or None


def fit(text: str) -> str:
    """Cut a text to the longest that a cell holds, and never inside a surrogate pair."""
    if len(text) <= LONGEST_TEXT // 2:
        return text
    units = text.encode("utf-16-le")
    return units[: 2 * LONGEST_TEXT].decode("utf-16-le", "ignore")


def _number(value: object) -> CellValue:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):  # a bool is 0 or 1
        return int(value) if abs(value) <= LARGEST_INTEGER else str(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    return _text(value)


def _decimal(value: Decimal) -> CellValue:
    if not value.is_finite():
        return None
    # Compared before it is converted: PostgreSQL's numeric has up to 131,072 digits.
    if abs(value) > LARGEST_INTEGER:
        return _text(value)
    if value == value.to_integral_value():
        return int(value)
    # Not `normalize`, which rounds to the context's precision.
    digits = "".join(map(str, value.as_tuple().digits)).strip("0")
    return float(value) if len(digits) <= MOST_DIGITS else _text(value)


def _date(value: object) -> CellValue:
    day = calendar_day(value)
    if day is None:
        return _text(value)
    return day if day >= FIRST_DAY else day.isoformat()


def serial(day: date | int) -> int:
    """Count a day as Excel does, which believes that 1900 was a leap year.

    Source: ECMA-376 part 1, section 18.17.4.1, the 1900 date base system.
    """
    ordinal = day if isinstance(day, int) else day.toordinal()
    number = ordinal - date(1899, 12, 30).toordinal()
    return number if number >= 61 else number - 1  # noqa: PLR2004  (61 is the 1st of March 1900)
