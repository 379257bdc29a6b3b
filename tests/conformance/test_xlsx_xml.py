"""What stands in a sheet's XML, in literals; ECMA-376 part 1, section 18.3.1.4 (c)."""

import zipfile
from pathlib import Path

import pytest

from services.exporter.formats.xlsx import Xlsx
from tests.conformance.workbooks import row, table_for, write


def cells_of(path: Path, column: str) -> list[str]:
    """The XML of a column's cells below the heading, without the reference."""
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    cells = sheet.partition("</row>")[2].split('<c r="')[1:]
    below = [cell.partition("</row>")[0].partition('"') for cell in cells]
    return [xml for reference, _, xml in below if reference.rstrip("0123456789") == column]


def text(content: str) -> str:
    return f' t="inlineStr"><is><t>{content}</t></is></c>'


def preserved(content: str) -> str:
    return f' t="inlineStr"><is><t xml:space="preserve">{content}</t></is></c>'


EMPTY = "/>"


@pytest.mark.parametrize(
    ("value", "xml"),
    [
        ("=1+1", text("=1+1")),
        ("007", text("007")),
        ("<b>&\"'", text("&lt;b&gt;&amp;\"'")),
        ("a\r\nb\rc\td", text("a_x000D_\nb_x000D_c\td")),
        ("_x000D_", text("_x005F_x000D_")),
        ("_x0041_", text("_x005F_x0041_")),
        ("_x005F_x000D_", text("_x005F_x005F_x005F_x000D_")),
        ("_x000D_x0041_", text("_x005F_x000D_x005F_x0041_")),
        ("_x00e9_", text("_x005F_x00e9_")),
        ("_x000D\r", preserved("_x005F_x000D_x000D_")),
        ("_X000D_ _x00D_ _x000G_", text("_X000D_ _x00D_ _x000G_")),
        ("a\x01b", text("ab")),
        ("   ", preserved("   ")),
        (" a", preserved(" a")),
        ("a\n", preserved("a\n")),
        ("a\x01 ", preserved("a ")),
        ("", EMPTY),
        (None, EMPTY),
        ("\x01\x02", EMPTY),
        ("\ud800", EMPTY),
    ],
)
def test_a_text_alone_and_among_others(tmp_path: Path, value: object, xml: str) -> None:
    batches = ([value], ["a", value, "b"], [None, value, "b"], ["\0", value, "\ud800"])
    alone, *among = (
        cells_of(
            write(Xlsx(), tmp_path / "a.xlsx", [row(work_content=each) for each in batch]), "F"
        )
        for batch in batches
    )
    assert alone == [xml]
    # Beside a text with a space at an end all may say that theirs be preserved.
    assert all(cells[1] in {xml, xml.replace("<t>", '<t xml:space="preserve">')} for cells in among)


@pytest.mark.parametrize(
    ("value", "xml"),
    [(5, "><v>5</v></c>"), (-1.5, "><v>-1.5</v></c>"), (True, "><v>1</v></c>"), (None, EMPTY),
     (2**53 + 1, text("9007199254740993")), (float("nan"), EMPTY), ("4", text("4"))],
)  # fmt: skip
def test_a_number(tmp_path: Path, value: object, xml: str) -> None:
    path = write(Xlsx(), tmp_path / "file.xlsx", [row(self_rating=value)])
    assert cells_of(path, "J") == [xml]


def test_days_and_instants_are_serials_with_a_style(tmp_path: Path) -> None:
    moments = ["2024-01-31 16:00:00", "2024-01-31 15:59:59.999999", "2024-02-01 04:00:00+00"]
    path = write(Xlsx(), tmp_path / "file.xlsx", [row(created_at=moment) for moment in moments])
    assert cells_of(path, "E") == [' s="1"><v>45322</v></c>'] * 3
    assert cells_of(path, "M") == [
        ' s="2"><v>45323.00000000000</v></c>',
        ' s="2"><v>45322.99998842593</v></c>',
        ' s="2"><v>45323.50000000000</v></c>',
    ]


def test_more_rows_than_were_announced_are_refused(tmp_path: Path) -> None:
    def write_one_too_many() -> None:
        with Xlsx(rows_per_sheet=2).open(tmp_path / "file.xlsx", table_for([row()])) as write_batch:
            write_batch([row()] * 3)

    with pytest.raises(ValueError, match="more rows"):
        write_one_too_many()
