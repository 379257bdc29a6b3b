"""Calendar days: what a database gives for one, whatever type the view's author chose."""

import re
from datetime import date, datetime

# A time behind the day is left out, and an offset with it: a calendar day is never converted.
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T][0-9:.]*(?:Z|[+-][0-9:]+)?)?")


def calendar_day(value: object) -> date | None:
    """Read a day from a date, a datetime or ISO 8601 text; None if the value is none of them."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str) and (found := _DAY.fullmatch(value)):
        try:
            return date.fromisoformat(found[1])
        except ValueError:  # the 30th of February
            return None
    return None
