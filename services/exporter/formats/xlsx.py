"""Excel workbooks: openpyxl's frame, our rows, one pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.exporter.formats.format import Format
from services.exporter.formats.local_time import LocalTime
from services.exporter.formats.xlsx_frame import Frame, build_frame
from services.exporter.formats.xlsx_rows import RowSerializer
from services.exporter.formats.zip_writer import ZipWriter
from services.exporter.table import Batch, Table

BUFFER = 1024 * 1024
ROWS_PER_SHEET = 1_048_575
"""Rows of a sheet beside its heading.
Source: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3"""


class Xlsx(Format):
    """Writes Office Open XML workbooks (ECMA-376).

    Args:
        rows_per_sheet: more rows go on in another sheet.
    """

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    label = "Excel"

    def __init__(self, rows_per_sheet: int = ROWS_PER_SHEET) -> None:
        self._rows_per_sheet = rows_per_sheet

    @contextmanager
    def open(self, path: Path, table: Table) -> Iterator[Callable[[Batch], None]]:
        """Begin a workbook; see `Format.open`."""
        frame = build_frame(table, self._rows_per_sheet)
        # Buffered: an unbuffered write may take a part only, when the disk is nearly full.
        with path.open("wb", BUFFER) as file:
            package = ZipWriter(file, table.created_at)
            for name, content in frame.parts.items():
                package.begin(name)
                package.write(content)
                package.end()
            sheets = _Sheets(package, frame, table, self._rows_per_sheet)
            yield sheets.write
            sheets.end()
            package.close()


class _Sheets:
    """Spreads rows over the frame's sheets."""

    def __init__(self, package: ZipWriter, frame: Frame, table: Table, rows_per_sheet: int) -> None:
        self._package = package
        self._frames = iter(frame.sheets)
        self._rows_per_sheet = rows_per_sheet
        self._serializer = RowSerializer(
            table.columns, LocalTime(table.zone), frame.date_style, frame.moment_style
        )
        self._written = 0
        self._begin()

    def write(self, batch: Batch) -> None:
        """Write rows, into as many sheets as they need."""
        while batch:
            place = self._written % self._rows_per_sheet
            if place == 0 and self._written:
                self._package.write(self._frame.tail)
                self._package.end()
                self._begin()
            fits = batch[: self._rows_per_sheet - place]
            self._package.write(self._serializer.serialize(fits, place + 2, self._written + 1))
            self._written += len(fits)
            batch = batch[len(fits) :]

    def end(self) -> None:
        """End the sheet that was written last."""
        self._package.write(self._frame.tail)
        self._package.end()

    def _begin(self) -> None:
        frame = next(self._frames, None)
        if frame is None:
            raise ValueError("more rows than the table was said to have")
        self._frame = frame
        self._package.begin(self._frame.name)
        self._package.write(self._frame.head)
