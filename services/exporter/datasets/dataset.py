"""How a dataset is declared. A new one is a new file with one of these, and no code of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from services.exporter.table import Column, Kind, Table
from shared.contracts.languages import Language

Text = Mapping[Language, str]


@dataclass(frozen=True)
class SourceColumn:
    """A column of a file, and where its values come from.

    Attributes:
        name: in the relation; None for the row number.
        kind: what its values are.
        heading: in each language.
        width: in characters.
        words: for `Kind.CHOICE`, what each value is called in each language.
    """

    name: str | None
    kind: Kind
    heading: Text
    width: float
    words: Mapping[str, Text] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """What can be exported.

    Attributes:
        relation: the view to read.
        title: of the file's sheet.
        columns: of the file; the first is the row number.
        date: the column that the range of days selects by.
        employee: the column that employee ids select by.
        order: the columns that give the rows one order.
    """

    relation: str
    title: Text
    columns: tuple[SourceColumn, ...]
    date: str
    employee: str
    order: tuple[str, ...]

    @property
    def source_names(self) -> tuple[str, ...]:
        """The columns that a row is read with, in order."""
        return tuple(column.name for column in self.columns if column.name is not None)

    @property
    def required_names(self) -> tuple[str, ...]:
        """The columns that the relation must have."""
        return tuple(dict.fromkeys((*self.order, self.date, self.employee, *self.source_names)))

    def table(self, language: Language, zone: ZoneInfo, total: int, created_at: datetime) -> Table:
        """Give the table of `total` rows that a file shows in a language and a time zone."""
        columns = tuple(
            Column(
                column.heading[language],
                column.kind,
                column.width,
                {value: text[language] for value, text in column.words.items()},
            )
            for column in self.columns
        )
        return Table(self.title[language], columns, total, zone, created_at)
