"""csv: bytes as spreadsheets want them, and no formula that came from a text."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.exporter.formats.csv import FORMULA_STARTS, Csv
from tests.conformance.workbooks import read_csv, row, write

DAY, CONTENT, PROBLEMS, RATING = 4, 5, 7, 9


def test_bytes_are_as_excel_wants_them(tmp_path: Path) -> None:
    text = 'a,"b"\r\nc'
    content = write(Csv(), tmp_path / "file.csv", [row(work_content=text)]).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf" + "序号,员工编号".encode())
    assert content.endswith(b"ok,2024-02-01 07:59:59\r\n")
    assert b'"a,""b""\r\nc"' in content


@pytest.mark.parametrize("start", sorted(FORMULA_STARTS))
def test_a_text_that_looks_like_a_formula_is_guarded(tmp_path: Path, start: str) -> None:
    text = f"{start}1+1"
    rows = [row(work_content=text, problems_encountered=text)]
    for guard in (True, False):
        (_, cells) = read_csv(write(Csv(formula_guard=guard), tmp_path / "file.csv", rows))
        assert cells[CONTENT] == cells[PROBLEMS] == ("'" + text if guard else text)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-5, "-5"), (2**60, str(2**60)), (-1.5, "-1.5"), (True, "1"), (None, ""),
        (float("nan"), ""), (float("-inf"), ""), (Decimal("-4.50"), "-4.50"), ("-x", "'-x"),
        (Decimal("NaN"), ""), (Decimal("-Infinity"), ""), (Decimal("1E+5000"), "1E+5000"),
    ],
)  # fmt: skip
def test_numbers_stay_numbers(tmp_path: Path, value: object, cell: str) -> None:
    (_, cells) = read_csv(write(Csv(), tmp_path / "file.csv", [row(self_rating=value)]))
    assert cells[RATING] == cell


@pytest.mark.parametrize("value", ["007", " ", "😀", "x" * 40_000, "_x000D_", "a\tb\x01"])
def test_texts_are_whole(tmp_path: Path, value: str) -> None:
    (_, cells) = read_csv(write(Csv(), tmp_path / "file.csv", [row(work_content=value)]))
    assert cells[CONTENT] == value


def test_what_no_csv_can_hold_is_dropped(tmp_path: Path) -> None:
    (_, cells) = read_csv(write(Csv(), tmp_path / "file.csv", [row(work_content="a\0b\ud800c")]))
    assert cells[CONTENT] == "abc"


@pytest.mark.parametrize("hidden_by", ["\0", "\ud800", "\udfff\0"])
def test_what_is_dropped_hides_no_formula(tmp_path: Path, hidden_by: str) -> None:
    (_, cells) = read_csv(write(Csv(), tmp_path / "file.csv", [row(work_content=hidden_by + "=1")]))
    assert cells[CONTENT] == "'=1"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (0, "0"), (False, "False"), (-1.5, "'-1.5"), (b"", ""), (b"=1", "'=1"),
        (memoryview(b"a\xff"), "a\ufffd"), (["=1"], "['=1']"),
    ],
)  # fmt: skip
def test_a_value_that_is_no_text_among_texts(tmp_path: Path, value: object, cell: str) -> None:
    rows = [row(work_content=each) for each in ("a", value, None)]
    (_, *found) = read_csv(write(Csv(), tmp_path / "file.csv", rows))
    assert [cells[CONTENT] for cells in found] == ["a", cell, ""]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("2024-01-31 23:59:59", "2024-01-31"), (date(2024, 1, 31), "2024-01-31"),
        ("2024-02-30", "2024-02-30"), ("infinity", "infinity"), ("=1", "'=1"), (None, ""),
    ],
)  # fmt: skip
def test_days(tmp_path: Path, value: object, cell: str) -> None:
    (_, cells) = read_csv(write(Csv(), tmp_path / "file.csv", [row(log_date=value)]))
    assert cells[DAY] == cell


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(
        st.none() | st.text(st.characters(exclude_categories=()), max_size=30),
        min_size=1,
        max_size=7,
    ),
    formula_guard=st.booleans(),
)
def test_any_text_is_read_back(
    tmp_path: Path, texts: list[str | None], formula_guard: bool
) -> None:
    rows = [row(work_content=text) for text in texts]
    (_, *found) = read_csv(write(Csv(formula_guard=formula_guard), tmp_path / "any.csv", rows))
    expected = [re.sub("[\0\ud800-\udfff]", "", text or "") for text in texts]
    if formula_guard:
        expected = ["'" + text if text and text[0] in FORMULA_STARTS else text for text in expected]
    assert [cells[CONTENT] for cells in found] == expected
