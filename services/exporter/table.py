"""A table as a file shows it: what datasets declare and formats write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

Row = Sequence[object]
Batch = Sequence[Row]
"""Rows as the database driver gives them; each has one value per column after the first."""


class Kind(StrEnum):
    """What the values of a column are."""

    ROW_NUMBER = "row_number"  # 1, 2, 3… in the file; not read from the source
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"  # a calendar date, never converted
    TIMESTAMP = "timestamp"  # an instant, UTC in the source, shown in the table's time zone
    CHOICE = "choice"  # a word from a list, shown in the reader's language


@dataclass(frozen=True)
class Column:
    """One column, in one language.

    Attributes:
        heading: what its first cell says.
        kind: what its values are.
        width: in characters, as Excel counts them.
        words: for `Kind.CHOICE`, what each value is shown as.
    """

    heading: str
    kind: Kind
    width: float
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """What a file holds.

    Attributes:
        title: of the document and its first sheet.
        columns: from left to right; the first one is the row number.
        total: rows to come.
        zone: the time zone that instants are shown in.
        created_at: of the document; aware.
    """

    title: str
    columns: tuple[Column, ...]
    total: int
    zone: ZoneInfo
    created_at: datetime
