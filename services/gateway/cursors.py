"""Where the next page begins, as a text that clients hand back unread."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime

from services.gateway.problems import ProblemError

TASK_ID = re.compile(r"[0-9a-f]{32}")
_FILE = re.compile(r"([0-9T:.+-]{19,40}) ([\x21-\x7e]{1,255})")


def after_task(task_id: str) -> str:
    """Point behind a task."""
    return _encode(task_id)


def after_file(created_at: datetime, name: str) -> str:
    """Point behind a file."""
    return _encode(f"{created_at.isoformat()} {name}")


def read_task(cursor: str | None) -> str | None:
    """Give the task that a cursor points behind.

    Raises:
        ProblemError: 422, it is none of ours.
    """
    if cursor is None:
        return None
    text = _decode(cursor)
    if not TASK_ID.fullmatch(text):
        raise _unknown()
    return text


def read_file(cursor: str | None) -> tuple[datetime, str] | None:
    """Give the file that a cursor points behind; raises like `read_task`."""
    if cursor is None:
        return None
    found = _FILE.fullmatch(_decode(cursor))
    if not found:
        raise _unknown()
    try:
        created_at = datetime.fromisoformat(found[1])
    except ValueError:
        raise _unknown() from None
    if created_at.tzinfo is None:
        raise _unknown()
    return created_at, found[2]


def _encode(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        raise _unknown() from None


def _unknown() -> ProblemError:
    return ProblemError(422, "cursor_unknown", field="cursor")
