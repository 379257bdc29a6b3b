"""The package around the rows: parts, styles, sheets, zip records."""

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
from lxml import etree

from services.exporter.formats.xlsx import Xlsx
from services.exporter.formats.xlsx_rows import column_letters
from services.exporter.formats.zip_writer import ZipWriter
from tests.conformance.workbooks import read_with_calamine, row, write

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
# ECMA-376 part 1, section 18.3.1.99: the order of a worksheet's elements.
ORDER = ["sheetPr", "dimension", "sheetViews", "sheetFormatPr", "cols", "sheetData", "autoFilter",
         "pageMargins"]  # fmt: skip


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    return write(Xlsx(), tmp_path / "file.xlsx", [row(self_rating=n) for n in range(7)])


def test_a_reader_sees_the_frame(workbook: Path) -> None:
    book = openpyxl.load_workbook(workbook)
    sheet = book.worksheets[0]
    assert sheet.title == "工作日志"
    headings = [cell.value for cell in sheet[1]]
    assert headings[:3] == ["序号", "员工编号", "员工姓名"]
    assert headings[-1] == "创建时间"
    assert all(cell.font.b and cell.fill.fill_type == "solid" for cell in sheet[1])
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:M8"
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.dimensions == "A1:M8"
    assert sheet.column_dimensions["F"].width == 50
    assert sheet["E2"].number_format == "yyyy-mm-dd"
    assert sheet["M2"].number_format == "yyyy-mm-dd hh:mm:ss"
    assert book.properties.title == "工作日志"
    assert book.properties.creator == "Bulkhead"
    assert book.properties.created == datetime(2024, 2, 1, 8, 30, 4)  # noqa: DTZ001


def test_the_sheet_is_well_formed_and_in_order(workbook: Path) -> None:
    with zipfile.ZipFile(workbook) as archive:
        sheet = etree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    assert [child.tag.removeprefix(MAIN) for child in sheet] == ORDER
    references = [cell.get("r") for cell in sheet.iter(f"{MAIN}c")]
    letters = [column_letters(index) for index in range(1, 14)]
    assert references == [f"{letter}{number}" for number in range(1, 9) for letter in letters]


def test_the_zip_is_plain(workbook: Path) -> None:
    with zipfile.ZipFile(workbook) as archive:
        assert archive.testzip() is None
        entries = archive.infolist()
        assert entries[0].filename == "[Content_Types].xml"
        assert all(entry.flag_bits == 0 for entry in entries)  # no data descriptor
        assert all(entry.extract_version == 20 and entry.extra == b"" for entry in entries)
        assert entries[0].date_time == (2024, 2, 1, 8, 30, 4)
    assert b"PK\x06\x06" not in workbook.read_bytes()


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 8, 9, 21])
def test_rows_beyond_a_sheet_go_on_in_the_next(tmp_path: Path, rows: int) -> None:
    path = write(Xlsx(rows_per_sheet=4), tmp_path / "many.xlsx", [row()] * rows)
    sheets = read_with_calamine(path)
    assert len(sheets) == max(1, -(-rows // 4))
    assert [cells[0] for sheet in sheets for cells in sheet] == list(range(1, rows + 1))
    book = openpyxl.load_workbook(path)
    assert book.sheetnames[1:] == [f"工作日志 ({n})" for n in range(2, len(sheets) + 1)]
    last = book.worksheets[-1]
    assert last.auto_filter.ref == last.dimensions
    assert last.freeze_panes == "A2"


@pytest.mark.parametrize("limit", [10, 2000, 2**32 - 1])
def test_zip64_is_written_where_it_is_needed(limit: int) -> None:
    file = io.BytesIO()
    writer = ZipWriter(file, datetime(2024, 1, 1, tzinfo=UTC), limit=limit)
    contents = {f"part{number}": bytes([number]) * 1500 * number for number in range(4)}
    for name, content in contents.items():
        writer.begin(name)
        writer.write(content[:700])
        writer.write(content[700:])
        writer.end()
    writer.close()
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == contents
        assert [entry.file_size for entry in archive.infolist()] == [0, 1500, 3000, 4500]
    assert (b"PK\x06\x06" in file.getvalue()) is (limit == 10)


def test_columns_are_named_as_in_a_sheet() -> None:
    assert [column_letters(n) for n in (1, 26, 27, 52, 703)] == ["A", "Z", "AA", "AZ", "AAA"]
