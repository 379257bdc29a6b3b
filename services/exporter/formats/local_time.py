"""Instants in a time zone, to the second: `(day, second of the day)`, millions of them.

The time zone is asked once for each hour that occurs, not once for each value.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Local = tuple[int, int]
"""The day as `date.toordinal` counts, and the second of that day, 0 to 86,399."""

DAY = 86_400
HOUR = 3_600
LARGEST_CACHE = 100_000
_SECONDS = {f":{m:02}:{s:02}": 60 * m + s for m in range(60) for s in range(60)}
# What may follow the second: a fraction, and the offset that PostgreSQL writes for UTC.
_TAIL = re.compile(r"(?:\.[0-9]+)?(?:\+00)?")
_TAILS = re.compile(r"(?:(?:\.[0-9]+)?(?:\+00)?\n)+")


class LocalTime:
    """Converts what a database gives for an instant: a datetime, or ISO 8601 text.

    Args:
        zone: to show instants in. Values without an offset are UTC.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._hours: dict[str | tuple[int, int], Local | None] = {}
        self._whole_hours: dict[str, Local] = {}

    def local(self, value: object) -> Local | None:
        """Give the local time, or None if the value is no instant that can be shown.

        A fraction of a second is cut off: rounding could move it to another day.
        """
        if isinstance(value, str):
            return self._from_text(value)
        if isinstance(value, datetime):
            return self._from_datetime(value)
        return None

    def locals(self, values: Sequence[object]) -> list[Local | None]:
        """Give the local times of many values: what `local` gives for each."""
        return self._all_texts(values) or [self.local(value) for value in values]

    def _all_texts(self, values: Sequence[Any]) -> list[Local | None] | None:
        """Convert a batch of texts in the form that databases give; None if one is different."""
        try:
            tails = "\n".join([value[19:] for value in values]) + "\n"
            if tails.count("\n") != len(values) or not _TAILS.fullmatch(tails):
                return None
            hours, seconds_of = self._whole_hours, _SECONDS
            for hour in {value[:13] for value in values} - hours.keys():
                self._learn(hour)
            return [
                (start[0], start[1] + seconds_of[value[13:19]])
                for value in values
                for start in (hours[value[:13]],)
            ]
        except (KeyError, TypeError):
            return None

    def _learn(self, hour: str) -> None:
        """Remember an hour that begins and ends on one local day."""
        start = self._start_of_text(hour)
        if start is not None and start[1] <= DAY - HOUR:
            if len(self._whole_hours) >= LARGEST_CACHE:
                self._whole_hours.clear()
            self._whole_hours[hour] = start

    def _from_text(self, text: str) -> Local | None:
        # The form that databases give: 2024-01-31 23:59:59, perhaps with a fraction.
        hour, seconds = text[:13], _SECONDS.get(text[13:19])
        if seconds is not None and _TAIL.fullmatch(text, 19):
            start = self._hours[hour] if hour in self._hours else self._start_of_text(hour)
            if start is not None:
                return _later(start, seconds)
        try:
            return self._slowly(datetime.fromisoformat(text))
        except ValueError:
            return None

    def _from_datetime(self, value: datetime) -> Local | None:
        if value.tzinfo is not None and value.tzinfo is not UTC and value.utcoffset():
            return self._slowly(value)
        hour = (value.toordinal(), value.hour)
        if hour in self._hours:
            start = self._hours[hour]
        else:
            start = self._start_of(hour, value.replace(minute=0, second=0, microsecond=0))
        if start is None:
            return self._slowly(value)
        return _later(start, 60 * value.minute + value.second)

    def _start_of_text(self, hour: str) -> Local | None:
        try:
            return self._start_of(hour, datetime.fromisoformat(f"{hour}:00:00"))
        except ValueError:
            return None

    def _start_of(self, key: str | tuple[int, int], hour: datetime) -> Local | None:
        """Give the local time at which an hour begins; None if the zone's offset changes in it."""
        start, end = self._slowly(hour), self._slowly(hour + timedelta(minutes=59, seconds=59))
        if start is None or end is None or _later(start, 3599) != end:
            start = None
        if len(self._hours) >= LARGEST_CACHE:
            self._hours.clear()
        self._hours[key] = start
        return start

    def _slowly(self, value: datetime) -> Local | None:
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        try:
            local = aware.astimezone(self._zone)
        except OverflowError:  # beyond the years 1 to 9999
            return None
        return local.toordinal(), 3600 * local.hour + 60 * local.minute + local.second


def as_datetime(local: Local) -> datetime:
    """Give a local time as a naive datetime."""
    day, second = local
    return datetime.combine(date.fromordinal(day), datetime.min.time()) + timedelta(seconds=second)


def _later(start: Local, seconds: int) -> Local:
    day, second = start[0], start[1] + seconds
    return (day, second) if second < DAY else (day + 1, second - DAY)
