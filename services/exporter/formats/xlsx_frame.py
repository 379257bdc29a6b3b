"""The workbook around the rows, made by openpyxl: styles, heading, widths, filter, properties."""

import io
import zipfile
from dataclasses import dataclass
from datetime import UTC

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from services.exporter.formats.xlsx_rows import column_letters
from services.exporter.table import Table

DATE_FORMAT = "yyyy-mm-dd"
MOMENT_FORMAT = "yyyy-mm-dd hh:mm:ss"
HEADER_FONT = Font(bold=True, color="FFFFFFFF")
HEADER_FILL = PatternFill("solid", fgColor="FF2F5597")
HEADER_ALIGNMENT = Alignment(vertical="center")
LONGEST_TITLE = 31
"""Characters of a sheet's name. Source: ECMA-376 part 1, section 18.2.19"""
ROWS_END = b"</sheetData>"


@dataclass(frozen=True)
class SheetFrame:
    """A sheet without its rows: the part's name, what stands before them, and what after."""

    name: str
    head: bytes
    tail: bytes
    rows: int


@dataclass(frozen=True)
class Frame:
    """A workbook without its rows.

    Attributes:
        parts: the other parts by name, the content types first.
        sheets: in order.
        date_style: index of the cell format of dates.
        moment_style: of instants.
    """

    parts: dict[str, bytes]
    sheets: tuple[SheetFrame, ...]
    date_style: int
    moment_style: int


def build_frame(table: Table, rows_per_sheet: int) -> Frame:
    """Make the workbook for a table; more rows than a sheet holds go on in the next one."""
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    workbook.properties.title = table.title
    workbook.properties.creator = "Bulkhead"
    created_at = table.created_at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    workbook.properties.created = workbook.properties.modified = created_at
    counts = [
        min(rows_per_sheet, table.total - start)
        for start in range(0, max(table.total, 1), rows_per_sheet)
    ]
    for number, count in enumerate(counts, 1):
        suffix = f" ({number})" if number > 1 else ""
        sheet = workbook.create_sheet(table.title[: LONGEST_TITLE - len(suffix)] + suffix)
        _lay_out(sheet, table, count)
    # A style is registered with the workbook by a cell that has it; the cell itself is not kept.
    styles = [WriteOnlyCell(workbook.worksheets[0]) for _ in (DATE_FORMAT, MOMENT_FORMAT)]
    for cell, number_format in zip(styles, (DATE_FORMAT, MOMENT_FORMAT), strict=True):
        cell.number_format = number_format
    date_style, moment_style = (cell.style_id for cell in styles)
    saved = io.BytesIO()
    workbook.save(saved)
    with zipfile.ZipFile(saved) as archive:
        parts = {name: archive.read(name) for name in sorted(archive.namelist())}
    sheets = tuple(
        _cut(f"xl/worksheets/sheet{number}.xml", parts, table, count)
        for number, count in enumerate(counts, 1)
    )
    return Frame(parts, sheets, date_style, moment_style)


def _lay_out(sheet: Worksheet, table: Table, rows: int) -> None:
    sheet.append([column.heading for column in table.columns])
    for index, column in enumerate(table.columns, 1):
        cell = sheet.cell(1, index)
        cell.font, cell.fill, cell.alignment = HEADER_FONT, HEADER_FILL, HEADER_ALIGNMENT
        sheet.column_dimensions[column_letters(index)].width = column.width
    sheet.row_dimensions[1].height = 20
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{_last_cell(table, rows)}"
    sheet.print_title_rows = "1:1"


def _cut(name: str, parts: dict[str, bytes], table: Table, rows: int) -> SheetFrame:
    head, end, tail = parts.pop(name).partition(ROWS_END)
    alone = f"A1:{column_letters(len(table.columns))}1"
    dimension = f'<dimension ref="A1:{_last_cell(table, rows)}"'.encode()
    head = head.replace(f'<dimension ref="{alone}"'.encode(), dimension)
    return SheetFrame(name, head, end + tail, rows)


def _last_cell(table: Table, rows: int) -> str:
    return f"{column_letters(len(table.columns))}{rows + 1}"
