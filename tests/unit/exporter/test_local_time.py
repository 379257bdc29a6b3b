"""Every instant is shown as `zoneinfo` shows it, one at a time or many at once."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.exporter.formats.local_time import LocalTime, as_datetime

# Daylight saving, half hours, three quarters, half an hour of daylight saving, local mean times.
ZONES = ["Asia/Shanghai", "UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata",
         "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Monrovia"]  # fmt: skip
MOMENTS = st.datetimes(datetime(1850, 1, 1), datetime(2150, 1, 1))  # noqa: DTZ001
FORMS = ["{:%Y-%m-%d %H:%M:%S}", "{:%Y-%m-%dT%H:%M:%S}", "{:%Y-%m-%d %H:%M:%S.%f}",
         "{:%Y-%m-%d %H:%M:%S}+00", "{:%Y-%m-%d %H:%M:%S.%f}+00", "{:%Y-%m-%dT%H:%M:%S.%f}Z",
         "{:%Y-%m-%d %H:%M:%S}+00:00"]  # fmt: skip


@given(
    zone=st.sampled_from(ZONES),
    moments=st.lists(MOMENTS, min_size=1, max_size=20),
    form=st.sampled_from(FORMS),
)
@example("Europe/Berlin", [datetime(2024, 3, 31, 0, 59, 59), datetime(2024, 3, 31, 1)], FORMS[0])  # noqa: DTZ001
@example("Australia/Lord_Howe", [datetime(2024, 4, 6, 14, 59), datetime(2024, 4, 6, 15)], FORMS[3])  # noqa: DTZ001
@example("Asia/Kolkata", [datetime(2024, 1, 1, 18, 29, 59), datetime(2024, 1, 1, 18, 30)], FORMS[2])  # noqa: DTZ001
@example("Pacific/Apia", [datetime(2011, 12, 30, 9, 59, 59), datetime(2011, 12, 30, 10)], FORMS[0])  # noqa: DTZ001
def test_texts_and_datetimes_are_as_zoneinfo_says(
    zone: str, moments: list[datetime], form: str
) -> None:
    here = ZoneInfo(zone)
    expected = [
        each.replace(tzinfo=UTC, microsecond=0).astimezone(here).replace(tzinfo=None, fold=0)
        for each in moments
    ]
    texts: list[object] = [form.format(each) for each in moments]
    aware: list[object] = [each.replace(tzinfo=UTC) for each in moments]
    elsewhere: list[object] = [
        each.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=-5))) for each in moments
    ]
    for values in (texts, aware, elsewhere, list[object](moments)):
        found = LocalTime(here).locals(values)
        assert [as_datetime(each) if each else None for each in found] == expected
        # The same once the hours are known, and one at a time.
        local_time = LocalTime(here)
        assert local_time.locals(values) == local_time.locals(values) == found
        assert [LocalTime(here).local(value) for value in values] == found


ODD = ["", "yesterday", "2024-01-31", "2024-01-31 24:00:00", "2024-01-31 10:60:00", "infinity",
       "2024-01-31 10:00:00 BC", "2024-01-31 10:00:00\n", "2024-01-31 10:00:00.", None, 0, 1.5,
       b"2024-01-31 10:00:00", ["2024-01-31 10:00:00"], "9999-12-31 23:59:59",
       "２０２４-01-31 10:00:00", "2024-01-31 10:00:00.５"]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_value_among_plain_ones_changes_nothing_for_them(odd: object) -> None:
    plain = "2024-01-31 10:00:00.123456"
    local_time = LocalTime(ZoneInfo("Asia/Shanghai"))
    alone = local_time.local(odd)
    first, found, last = local_time.locals([plain, odd, plain])
    assert first == last == (datetime(2024, 1, 31).toordinal(), 18 * 3600)  # noqa: DTZ001
    assert found == alone
    assert local_time.locals([odd]) == [alone]
