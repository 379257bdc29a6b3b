"""Where a row becomes XML: whole columns of a batch at once.

Most columns of most batches hold texts that are plain, or need no more than escapes. One look at a
column's joined texts finds that out; then they are escaped all at once and go straight into the
row's template. Whatever is odd becomes a fragment, one value at a time.

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

EMPTY = "/>"
LARGEST_CACHE = 10_000
FIRST_ORDINAL = date(1900, 1, 1).toordinal()

# `_xHHHH_` stands for a character, so a text that holds one is escaped, each that can be found from
# left to right, overlaps included. A carriage return has no other form that XML leaves alone; its
# own first `_` may be the last one of another.
# Source: ECMA-376 part 1, section 22.4.2.4 (bstr)
_ESCAPED = re.compile("[&<>\r]|_(?=x[0-9A-Fa-f]{4}[_\r])")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "_x000D_", "_": "_x005F_"}
_SPACES = (" ", "\t", "\n")
"""What an XML reader may take away from an end, unless it is told to preserve it."""

_CONTROLS = bytes([*range(1, 9), 11, 12, *range(14, 32)])
"""The bytes of a text in UTF-8 that XML cannot hold, beside NUL."""

_FRACTIONS = [f"{second / DAY:.11f}"[1:] for second in range(DAY)]
"""A second of the day as a fraction of a day, to a microsecond."""

SEPARATOR = "\0"


class Cells:
    """One column of a batch: its part of the row's template, and what goes there in each row."""

    __slots__ = ("part", "values")

    def __init__(self, part: str, values: Sequence[object]) -> None:
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
        self._templates: dict[tuple[str, ...], Callable[[tuple[object, ...]], str]] = {}

    def serialize(self, batch: Batch, first_row: int, first_number: int) -> str:
        """Give the XML of a batch.

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
        rows = list(map(str, range(first_row, first_row + len(batch))))
        numbers = range(first_number, first_number + len(batch))
        arguments: list[Sequence[object]] = [rows, rows, numbers]
        for each in cells:
            arguments += (rows, each.values)
        return "".join(map(template, zip(*arguments, strict=True)))

    def _template(self, parts: tuple[str, ...]) -> Callable[[tuple[object, ...]], str]:
        cells = "".join(
            f'<c r="{column_letters(index)}%s"{part}' for index, part in enumerate(parts, 2)
        )
        template = f'<row r="%s"><c r="A%s"><v>%d</v></c>{cells}</row>'.__mod__
        self._templates[parts] = template
        return template

    def _serializer(self, column: Column) -> Callable[[Sequence[object]], Cells]:
        if column.kind is Kind.TEXT:
            return lambda values: self._texts(values, column)
        if column.kind is Kind.TIMESTAMP:
            return lambda values: self._moments(values, column)
        fragments = _Cache(lambda value: self._fragment(value, column))

        def cached(values: Sequence[object]) -> Cells:
            try:
                return Cells("%s", list(map(fragments.__getitem__, values)))
            except TypeError:  # a value that cannot be a key, an array say
                return Cells("%s", [self._fragment(value, column) for value in values])

        return cached

    def _texts(self, values: Sequence[object], column: Column) -> Cells:
        present: Sequence[object] = values
        if not all(values):
            present = [value for value in values if value]
            if len(present) + values.count(None) + values.count("") != len(values):
                present = []  # a zero, or the like, is no empty text
        texts = _escape_all(present) if present else None
        if texts is None:
            return Cells("%s", [self._fragment(value, column) for value in values])
        if len(texts) == len(values):
            return Cells(' t="inlineStr"><is><t>%s</t></is></c>', texts)
        following = iter(texts)
        return Cells(
            "%s",
            [
                f' t="inlineStr"><is><t>{next(following)}</t></is></c>' if value else EMPTY
                for value in values
            ],
        )

    def _moments(self, values: Sequence[object], column: Column) -> Cells:
        days, fragments = self._days, []
        for value, local in zip(values, self._local_time.locals(values), strict=True):
            if local is None or local[0] < FIRST_ORDINAL:
                fragments.append(self._fragment(value, column))
            else:
                fragments.append(f"{days[local[0]]}{_FRACTIONS[local[1]]}</v></c>")
        return Cells("%s", fragments)

    def _day(self, ordinal: int) -> str:
        return f' s="{self._moment_style}"><v>{serial(ordinal)}'

    def _fragment(self, value: object, column: Column) -> str:
        return self._cell(excel_value(value, column, self._local_time))

    def _cell(self, value: CellValue) -> str:
        """Give a cell's XML after its reference."""
        match value:
            case None:
                return EMPTY
            case str():
                return f' t="inlineStr"><is>{_text_element(value)}</is></c>'
            case datetime():
                second = 3600 * value.hour + 60 * value.minute + value.second
                day = serial(value.date())
                return f' s="{self._moment_style}"><v>{day}{_FRACTIONS[second]}</v></c>'
            case date():
                return f' s="{self._date_style}"><v>{serial(value)}</v></c>'
        return f"><v>{value!r}</v></c>"


class _Cache(dict[Any, str]):
    """Remembers what a value became; few distinct values make up most columns."""

    def __init__(self, make: Callable[[Any], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, value: Any) -> str:
        if len(self) >= LARGEST_CACHE:
            self.clear()
        fragment = self[value] = self._make(value)
        return fragment


def column_letters(index: int) -> str:
    """Name a column as a cell reference does: 1 is A, 27 is AA."""
    letters = ""
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def escape(text: str) -> str:
    """Write a text as the content of an element; it has no character that XML cannot hold."""
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], text)


def _text_element(text: str) -> str:
    at_an_end = text.startswith(_SPACES) or text.endswith(_SPACES)
    space = ' xml:space="preserve"' if at_an_end else ""
    return f"<t{space}>{escape(text)}</t>"


def _escape_all(texts: Sequence[object]) -> Sequence[object] | None:
    """Escape many texts at once; None if one is odd: no text, too long, to be cut or preserved."""
    try:
        joined = SEPARATOR.join(texts)  # type: ignore[arg-type]  # that is what TypeError tells
        encoded = joined.encode()
    except (TypeError, UnicodeEncodeError):  # half a surrogate pair
        return None
    if (
        encoded.count(b"\0") != len(texts) - 1
        or len(encoded.translate(None, _CONTROLS)) != len(encoded)
        or "\ufffe" in joined
        or "\uffff" in joined
        or any(map(operator.is_not, map(str.strip, texts), texts))  # type: ignore[arg-type]
    ):
        return None
    if len(joined) > LONGEST_TEXT // 2 and max(map(len, texts)) > LONGEST_TEXT // 2:  # type: ignore[arg-type]
        return None
    if b"_x" in encoded or b"\r" in encoded:
        return escape(joined).split(SEPARATOR)
    if b"&" in encoded or b"<" in encoded or b">" in encoded:
        joined = joined.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return joined.split(SEPARATOR)
    return texts
