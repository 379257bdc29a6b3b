"""What each value becomes in a cell, in literals: files are only compared with the rules."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.exporter.formats.excel_value import excel_value, serial
from services.exporter.formats.local_time import LocalTime
from services.exporter.table import Column, Kind

SHANGHAI = LocalTime(ZoneInfo("Asia/Shanghai"))
WORDS = {"completed": "已完成"}


def value_of(kind: Kind, value: object) -> object:
    return excel_value(value, Column("heading", kind, 10, WORDS), SHANGHAI)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "=1+1"),
        ("007", "007"),
        ("   ", "   "),
        ("a\r\nb\tc", "a\r\nb\tc"),
        ("_x000D_", "_x000D_"),
        ("a\x00b\x01c\x1fd\ufffee\uffff", "abcde"),
        ("\ud800a\udc00", "a"),
        ("\x7f\x80", "\x7f\x80"),
        ("x" * 40_000, "x" * 32_767),
        ("😀" * 40_000, "😀" * 16_383),
        ("x" + "😀" * 16_383, "x" + "😀" * 16_383),
        ("\x01" * 9 + "x" * 32_767, "x" * 32_767),
        ("", None),
        ("\x01\x02", None),
        (None, None),
        (7, "7"),
        (0, "0"),
        (True, "True"),
        (1.5, "1.5"),
        (Decimal("1.50"), "1.50"),
        (b"a\xff", "a\ufffd"),
        (memoryview(b"a"), "a"),
    ],
)
def test_texts(value: object, cell: object) -> None:
    assert value_of(Kind.TEXT, value) == cell


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (5, 5),
        (-3, -3),
        (True, 1),
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (-(2**53), -(2**53)),
        (-(2**53) - 1, "-9007199254740993"),
        (1.5, 1.5),
        (float("nan"), None),
        (float("inf"), None),
        (Decimal("4.50"), 4.5),
        (Decimal("1E+3"), 1000),
        (Decimal(2**53), 2**53),
        (Decimal(2**53 + 1), "9007199254740993"),
        (Decimal("9007199254740992.5"), "9007199254740992.5"),
        (Decimal("0.123456789012345"), 0.123456789012345),
        (Decimal("0.1234567890123456"), "0.1234567890123456"),
        (Decimal("100000000000.25"), 100000000000.25),
        (Decimal("0.00000000000000000001"), 1e-20),
        (Decimal("1E+400"), "1E+400"),
        (Decimal("1E+5000"), "1E+5000"),
        (Decimal("NaN"), None),
        (Decimal("-Infinity"), None),
        ("4", "4"),
        ("", None),
        (None, None),
    ],
)
def test_numbers(value: object, cell: object) -> None:
    found = value_of(Kind.NUMBER, value)
    assert (found, type(found)) == (cell, type(cell))


def test_a_decimal_of_more_digits_than_a_text_holds_is_cut() -> None:
    assert value_of(Kind.NUMBER, Decimal("1" * 40_000)) == "1" * 32_767


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("2024-02-29", date(2024, 2, 29)),
        ("2024-02-30", "2024-02-30"),
        ("2024-01-31 23:59:59.999999", date(2024, 1, 31)),
        ("2024-01-31T23:59:59Z", date(2024, 1, 31)),
        ("2024-01-31 23:59:59+00", date(2024, 1, 31)),
        (datetime(2024, 1, 31, 23, 59, tzinfo=UTC), date(2024, 1, 31)),
        ("1900-01-01", date(1900, 1, 1)),
        ("1899-12-31", "1899-12-31"),
        (date(1899, 12, 31), "1899-12-31"),
        ("9999-12-31", date(9999, 12, 31)),
        ("infinity", "infinity"),
        ("0044-03-15 BC", "0044-03-15 BC"),
        (20240131, "20240131"),
        ("", None),
    ],
)
def test_days_are_never_converted(value: object, cell: object) -> None:
    assert value_of(Kind.DATE, value) == cell


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("2024-01-31 15:59:59.999999", datetime(2024, 1, 31, 23, 59, 59)),  # noqa: DTZ001
        ("2024-01-31 16:00:00+00", datetime(2024, 2, 1)),  # noqa: DTZ001
        ("2024-01-31T16:00:00.5+08:00", datetime(2024, 1, 31, 16)),  # noqa: DTZ001
        (datetime(2024, 1, 31, 16, tzinfo=UTC), datetime(2024, 2, 1)),  # noqa: DTZ001
        ("1899-12-31 12:00:00", "1899-12-31 20:05:43"),  # local mean time, 8:05:43 from UTC
        ("9999-12-31 23:59:59", "9999-12-31 23:59:59"),  # the year 10000 in Shanghai
        ("infinity", "infinity"),
        ("yesterday", "yesterday"),
        (None, None),
    ],
)
def test_instants_are_shown_in_the_time_zone(value: object, cell: object) -> None:
    assert value_of(Kind.TIMESTAMP, value) == cell


@pytest.mark.parametrize(
    ("value", "cell"), [("completed", "已完成"), ("new", "new"), (1, "1"), ("", None), (None, None)]
)
def test_words_are_shown_in_the_language(value: object, cell: object) -> None:
    assert value_of(Kind.CHOICE, value) == cell


@pytest.mark.parametrize(
    ("day", "number"),
    [
        # Source: ECMA-376 part 1, section 18.17.4.1; 60 is the 29th of February 1900, which never
        # was.
        (date(1900, 1, 1), 1),
        (date(1900, 2, 28), 59),
        (date(1900, 3, 1), 61),
        (date(2024, 2, 29), 45351),
        (date(9999, 12, 31), 2_958_465),
    ],
)
def test_days_are_counted_as_excel_does(day: date, number: int) -> None:
    assert serial(day) == serial(day.toordinal()) == number
