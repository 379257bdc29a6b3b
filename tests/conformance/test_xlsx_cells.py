"""Every cell of a workbook equals what `excel_value` says, to two readers that are not ours."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.exporter.formats.xlsx import Xlsx
from tests.conformance.workbooks import (
    as_calamine_says,
    as_openpyxl_says,
    expected_cells,
    read_with_calamine,
    read_with_openpyxl,
    row,
    write,
)

TEXTS = [
    "=1+1",
    "+86 138",
    "-5",
    "@x",
    "<b>&\"'",
    "😀 emoji 👩‍👩‍👧",
    "x" * 40_000,
    "😀" * 20_000,
    "控" * 32_767,
    "a\x00b\x01c\x08d\x0be\x0cf\x1fg",
    "\ufffe\uffff",
    "line\r\nnext\rlast\n",
    "_x000D_",
    "_x0041_",
    "_x005F_x000D_",
    "_x000D_x0041_",
    "_xD83D_",
    "_X000D_",
    "_x000d_",
    "007",
    "0",
    "   ",
    "\t",
    "\n",
    " lead",
    "trail ",
    "\nlead",
    "trail\n",
    "　全角空格　",
    "",
    None,
    "\ud800",
    "a\udc00b",
    "\x7f\x80\x9f",
    "&amp;",
    "]]>",
    "<!--",
    "\u2028",
    "TRUE",
    "#N/A",
    "2024-01-01",
    "1e5",
    "'quoted",
    "\u200bzero\u200bwidth",
]

VALUES: list[tuple[str, object]] = [
    *(("work_content", text) for text in TEXTS),
    *(("problems_encountered", text) for text in TEXTS),
    *(("employee_id", value) for value in ("007", "", None, 7, 0, False, b"bytes", 1.5)),
    *(
        ("self_rating", value)
        for value in (
            0,
            1,
            5,
            -3,
            True,
            2**53,
            2**53 + 1,
            -(2**53) - 1,
            10**30,
            1.5,
            -0.25,
            1e300,
            5e-324,
            float("nan"),
            float("inf"),
            -float("inf"),
            Decimal("4.50"),
            Decimal("NaN"),
            Decimal(3),
            Decimal("0.1234567890123456789"),
            Decimal(2**53 + 1),
            Decimal("1E+400"),
            Decimal("1E+5000"),
            "4",
            "four",
            "",
            None,
        )
    ),
    *(
        ("log_date", value)
        for value in (
            "1899-12-31",
            "1900-01-01",
            "1900-02-28",
            "1900-03-01",
            "2024-02-29",
            "9999-12-31",
            "0001-01-01",
            "2024-02-30",
            "2024-01-31 23:59:59",
            "2024-01-31T23:59:59.999",
            "2024-01-31T23:59:59Z",
            "2024-01-31 23:59:59+00",
            "31.1.2024",
            1,
            1.0,
            date(2024, 2, 29),
            date(1900, 1, 1),
            date(1899, 12, 31),
            datetime(2024, 1, 31, 23, 59, tzinfo=UTC),
            "",
            None,
            20240131,
        )
    ),
    *(
        ("created_at", value)
        for value in (
            "2024-01-31 15:59:59.999999",
            "2024-01-31 16:00:00",
            "2024-01-31T16:00:00Z",
            "2024-01-31 16:00:00+08:00",
            "2024-01-31 16:00:00.5+08",
            "2024-01-31 15:59:59.999999+00",
            "infinity",
            "0044-03-15 00:00:00 BC",
            "1899-12-31 15:59:59",
            "1899-12-31 16:00:00",
            "1900-02-28 15:59:59",
            "1900-02-28 16:00:00",
            "0001-01-01 00:00:00",
            "9999-12-31 15:59:59",
            "9999-12-31 23:59:59",
            "2024-01-31",
            "yesterday",
            "",
            None,
            "2024-01-31 24:00:00",
            "2024-13-01 00:00:00",
            "2024-01-31 10:60:00",
            datetime(2024, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2024, 1, 31, 12, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
            datetime(2024, 6, 30, 12, 30, 1),  # noqa: DTZ001
            datetime(1986, 5, 4, 1, tzinfo=UTC),
        )
    ),
    *(
        ("completion_status", value)
        for value in ("completed", "in_progress", "pending", "new", None, 1, 1.0, True)
    ),
]


@pytest.fixture(scope="module")
def edge_rows() -> list[tuple[object, ...]]:
    return [row(**{name: value}) for name, value in VALUES]


@pytest.fixture(scope="module")
def edge_file(
    edge_rows: list[tuple[object, ...]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return write(Xlsx(), tmp_path_factory.mktemp("edges") / "edges.xlsx", edge_rows)


def test_edge_cases_are_equal_to_calamine(
    edge_file: Path, edge_rows: list[tuple[object, ...]]
) -> None:
    (found,) = read_with_calamine(edge_file)
    for number, (expected, cells) in enumerate(zip(edge_rows, found, strict=True), 1):
        wanted = [as_calamine_says(value) for value in expected_cells(number, expected)]
        assert cells == wanted, VALUES[number - 1]


def test_edge_cases_are_equal_to_openpyxl(
    edge_file: Path, edge_rows: list[tuple[object, ...]]
) -> None:
    (found,) = read_with_openpyxl(edge_file)
    for number, (expected, cells) in enumerate(zip(edge_rows, found, strict=True), 1):
        wanted = [as_openpyxl_says(value) for value in expected_cells(number, expected)]
        assert [as_openpyxl_says(cell) for cell in cells] == wanted, VALUES[number - 1]


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
TRICKY = st.lists(
    st.sampled_from(["_x", "000D", "_", "x0041_", "\r", "\n", " ", "&", "<", "\x00", "😀", "a"]),
    max_size=8,
).map("".join)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(st.none() | ANY_TEXT | TRICKY, min_size=1, max_size=7))
@example(texts=["", None])
@example(texts=["_x005F_x000D_"])
def test_any_text_is_equal_to_calamine(tmp_path: Path, texts: list[str | None]) -> None:
    rows = [row(work_content=text, supervisor_comment=text) for text in texts]
    (found,) = read_with_calamine(write(Xlsx(), tmp_path / "any.xlsx", rows))
    for number, (expected, cells) in enumerate(zip(rows, found, strict=True), 1):
        assert cells == [as_calamine_says(value) for value in expected_cells(number, expected)]
