"""Orphans: what is in storage and cannot be wanted."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from sqlalchemy import Engine

from shared.storage import SCRATCH, Storage
from shared.tasks.files import Place, places

LONGEST_WAIT = timedelta(days=1)
"""How long something without a record is left alone: its record may be on its way."""


def remove_orphans(
    engine: Engine, storage: Storage, now: datetime, checkpoint: Callable[[], None]
) -> int:
    """Remove them; give how many.

    Args:
        engine: the task database.
        storage: to look through.
        now: aware; by the clock that storage dates with.
        checkpoint: called often; may raise to stop.
    """
    removed = 0
    for batch in storage.list():
        named = {key: named_by(key) for key, _ in batch}
        known = places(engine, sorted({name[0] for name in named.values() if name}))
        for key, modified_at in batch:
            checkpoint()
            name = named[key]
            if name and is_orphan(known.get(name[0]), key, name[1], now - modified_at):
                storage.delete(key)
                removed += 1
    return removed


def named_by(key: str) -> tuple[str, int] | None:
    """Give the task id and the attempt that a key names; None if it is none of ours."""
    parts = PurePosixPath(key).parts
    if parts[:1] == (SCRATCH,):
        parts = parts[1:3]
    if len(parts) != 2:  # noqa: PLR2004  (a task and an attempt)
        return None
    attempt = parts[1].partition(".")[0]
    return (parts[0], int(attempt)) if attempt.isdecimal() else None


def is_orphan(place: Place | None, key: str, attempt: int, age: timedelta) -> bool:
    """Whether nobody can want it: whatever is unsure stays."""
    if place is None:
        return age > LONGEST_WAIT
    if attempt < place.attempt and key != place.key:
        return True
    return place.has_ended and key != place.key
