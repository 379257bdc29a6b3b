"""Where a row becomes XML: whole columns of a batch at once.

Most columns of most batches hold texts that are plain, or need no more than escapes. One look at a
column's joined texts finds that out; then they are escaped all at once and go straight into the
row's template. Whatever is odd becomes a fragment, one value at a time. All of it is UTF-8 from
there on, for a whole column is encoded in one call.

Source of the elements: ECMA-376 part 1, section 18.3.1.4 (c), 18.3.1.73 (row), 18.18.11 (types).
"""

import operator
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from services.exporter.formats.excel_value import (
    LONGEST_TEXT,
    CellValue,
    excel_value,
    serial,
)
from services.exporter.formats.local_time import DAY, LocalTime
from services.exporter.table import Batch, Column, Kind

EMPTY = b"/>"
TEXT = b' t="inlineStr"><is><t>'
# An XML reader may take blanks away from an end, unless it is told to preserve them.
PRESERVED = b' t="inlineStr"><is><t xml:space="preserve">'
TEXT_END = b"</t></is></c>"
LARGEST_CACHE = 10_000
FIRST_ORDINAL = date(1900, 1, 1).toordinal()

# `_xHHHH_` stands for a character, so a text that holds one is escaped, each that can be found from
# left to right, overlaps included. A carriage return has no other form that XML leaves alone; its
# own first `_` may be the last one of another.
# Source: ECMA-376 part 1, section 22.4.2.4 (bstr)
_ESCAPED = re.compile(b"[&<>\r]|_(?=x[0-9A-Fa-f]{4}[_\r])")
_ESCAPES = {b"&": b"&amp;", b"<": b"&lt;", b">": b"&gt;", b"\r": b"_x000D_", b"_": b"_x005F_"}
_CONTROLS = bytes([*range(1, 9), 11, 12, *range(14, 32)])
"""The bytes of a text in UTF-8 that XML cannot hold, beside NUL."""

_NOT_CHARACTERS = ("\ufffe".encode(), "\uffff".encode())

_FRACTIONS = [f"{second / DAY:.11f}"[1:].encode() for second in range(DAY)]
"""A second of the day as a fraction of a day, to a microsecond."""

SEPARATOR = "\0"
ONE = b"%b"


class Cells:
    """One column of a batch: its part of the row's template, and what goes there in each row."""

    __slots__ = ("part", "values")

    def __init__(self, part: bytes, values: Sequence[bytes]) -> None:
        self.part = part
        self.values = values


class RowSerializer:
    """Turns batches into the `<row>` elements of a sheet.

    Args:
        columns: of the table; the first is the row number.
        local_time: the time zone that instants are shown in.
        date_style: index of the cell format of dates, in the workbook's styles.
        moment_style: of instants.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        local_time: LocalTime,
        date_style: int,
        moment_style: int,
    ) -> None:
        self._columns = columns
        self._local_time = local_time
        self._date_style = date_style
        self._moment_style = moment_style
        self._days = _Cache(self._day)
        self._serializers = [self._serializer(column) for column in columns[1:]]
        self._templates: dict[tuple[bytes, ...], Callable[[tuple[object, ...]], bytes]] = {}

    def serialize(self, batch: Batch, first_row: int, first_number: int) -> bytes:
        """Give the XML of a batch, in UTF-8.

        Args:
            batch: not empty.
            first_row: the sheet's row that its first row goes to, counted from 1.
            first_number: the number that the first row shows.
        """
        cells = [
            serializer(values)
            for serializer, values in zip(self._serializers, zip(*batch, strict=True), strict=True)
        ]
        parts = tuple(each.part for each in cells)
        template = self._templates.get(parts) or self._template(parts)
        rows = [b"%d" % row for row in range(first_row, first_row + len(batch))]
        numbers = range(first_number, first_number + len(batch))
        arguments: list[Sequence[object]] = [rows, rows, numbers]
        for each in cells:
            arguments += (rows, each.values)
        return b"".join(map(template, zip(*arguments, strict=True)))

    def _template(self, parts: tuple[bytes, ...]) -> Callable[[tuple[object, ...]], bytes]:
        cells = b"".join(
            b'<c r="' + column_letters(index).encode() + b'%b"' + part
            for index, part in enumerate(parts, 2)
        )
        template = (b'<row r="%b"><c r="A%b"><v>%d</v></c>' + cells + b"</row>").__mod__
        self._templates[parts] = template
        return template

    def _serializer(self, column: Column) -> Callable[[Sequence[object]], Cells]:
        if column.kind is Kind.TEXT:
            return lambda values: self._texts(values, column)
        if column.kind is Kind.TIMESTAMP:
            return lambda values: self._moments(values, column)
        # 1, 1.0 and True are one key: as numbers they are the same cell, as words they are not.
        kept = object if column.kind is Kind.NUMBER else (str, date, type(None))
        fragments = _Cache(lambda value: self._fragment(value, column), kept)

        def cached(values: Sequence[object]) -> Cells:
            try:
                return Cells(ONE, list(map(fragments.__getitem__, values)))
            except TypeError:  # a value that cannot be a key, an array say
                return Cells(ONE, [self._fragment(value, column) for value in values])

        return cached

    def _texts(self, values: Sequence[object], column: Column) -> Cells:
        present: Sequence[object] = values
        if not all(values):
            present = [value for value in values if value]
            if len(present) + values.count(None) + values.count("") != len(values):
                present = []  # a zero, or the like, is no empty text
        escaped = _escape_all(present) if present else None
        if escaped is None:
            return Cells(ONE, [self._fragment(value, column) for value in values])
        start, texts = escaped
        if len(texts) == len(values):
            return Cells(start + ONE + TEXT_END, texts)
        following = iter(texts)
        return Cells(
            ONE,
            [start + next(following) + TEXT_END if value else EMPTY for value in values],
        )

    def _moments(self, values: Sequence[object], column: Column) -> Cells:
        days = self._days
        return Cells(
            ONE,
            [
                self._fragment(value, column)
                if local is None or local[0] < FIRST_ORDINAL
                else days[local[0]] + _FRACTIONS[local[1]] + b"</v></c>"
                for value, local in zip(values, self._local_time.locals(values), strict=True)
            ],
        )

    def _day(self, ordinal: int) -> bytes:
        return b' s="%d"><v>%d' % (self._moment_style, serial(ordinal))

    def _fragment(self, value: object, column: Column) -> bytes:
        return self._cell(excel_value(value, column, self._local_time))

    def _cell(self, value: CellValue) -> bytes:
        """Give a cell's XML after its reference."""
        match value:
            case None:
                return EMPTY
            case str():
                start = TEXT if value == value.strip() else PRESERVED
                return start + escape(value.encode()) + TEXT_END
            case datetime():
                second = 3600 * value.hour + 60 * value.minute + value.second
                day = value.date().toordinal()
                return self._days[day] + _FRACTIONS[second] + b"</v></c>"
            case date():
                return b' s="%d"><v>%d</v></c>' % (self._date_style, serial(value))
        return b"><v>%a</v></c>" % value


class _Cache(dict[Any, bytes]):
    """Remembers what a value became; few distinct values make up most columns."""

    def __init__(
        self, make: Callable[[Any], bytes], kept: type | tuple[type, ...] = object
    ) -> None:
        super().__init__()
        self._make = make
        self._kept = kept

    def __missing__(self, value: Any) -> bytes:
        fragment = self._make(value)
        if isinstance(value, self._kept):
            if len(self) >= LARGEST_CACHE:
                self.clear()
            self[value] = fragment
        return fragment


def column_letters(index: int) -> str:
    """Name a column as a cell reference does: 1 is A, 27 is AA."""
    letters = ""
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def escape(text: bytes) -> bytes:
    """Write a text as the content of an element; it has no character that XML cannot hold."""
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], text)


def _escape_all(values: Sequence[object]) -> tuple[bytes, Sequence[bytes]] | None:
    """Encode and escape many texts at once, and give what stands before each of them.

    None if one of them is odd: no text, too long for a cell, or nothing once it is cleaned.
    """
    texts: Sequence[Any] = values
    try:
        joined = SEPARATOR.join(texts)
        encoded = joined.encode()
    except (TypeError, UnicodeEncodeError):  # half a surrogate pair
        return None
    if encoded.count(b"\0") != len(values) - 1 or any(each in encoded for each in _NOT_CHARACTERS):
        return None
    cleaned = encoded.translate(None, _CONTROLS)
    if len(cleaned) != len(encoded):
        encoded = cleaned
        texts = cleaned.decode().split(SEPARATOR)
        if not all(texts):
            return None
    if len(joined) > LONGEST_TEXT // 2 and max(map(len, texts)) > LONGEST_TEXT // 2:
        return None
    # One text with a space at an end marks its whole column of the batch: they are rarely alone.
    start = PRESERVED if any(map(operator.is_not, map(str.strip, texts), texts)) else TEXT
    if b"_x" in encoded or b"\r" in encoded:
        encoded = escape(encoded)
    elif b"&" in encoded or b"<" in encoded or b">" in encoded:
        encoded = encoded.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    return start, encoded.split(b"\0")
