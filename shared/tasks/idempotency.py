"""Idempotency keys: a POST that is repeated gives the task that it gave before.

Kept 24 hours per owner and route. Part of the store: called inside its transactions only.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, select

from shared.database import DatabaseNow, insert_or
from shared.errors import BulkheadError
from shared.tasks.models import IDEMPOTENCY_KEYS as KEYS

KEPT = timedelta(hours=24)


class IdempotencyConflictError(BulkheadError):
    """The key was used with another body less than 24 hours ago."""

    code = "idempotency_key_reused"


@dataclass(frozen=True)
class IdempotencyKey:
    """A client's `Idempotency-Key`, with the route and a digest of the body it came with."""

    route: str
    key: str
    body_sha256: str

    @classmethod
    def for_body(cls, route: str, key: str, body: dict[str, Any]) -> "IdempotencyKey":
        """Make it from a body's meaning: the order of fields and their spacing do not matter."""
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        return cls(route, key, sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


def remember(connection: Connection, key: IdempotencyKey, owner: str, task_id: str) -> str | None:
    """Note the key for a new task, or give the id of the task that has it already.

    Two at once: the second waits for the first one's transaction, then finds its key.

    Raises:
        IdempotencyConflictError: the key came with another body.
    """
    mine = (KEYS.c.owner == owner, KEYS.c.route == key.route, KEYS.c.key == key.key)
    connection.execute(delete(KEYS).where(*mine, KEYS.c.created_at <= DatabaseNow(-KEPT)))
    inserted = connection.execute(
        insert_or(connection, KEYS)
        .values(
            owner=owner,
            route=key.route,
            key=key.key,
            body_sha256=key.body_sha256,
            task_id=task_id,
            created_at=DatabaseNow(),
        )
        .on_conflict_do_nothing(index_elements=list(KEYS.primary_key))
        .returning(KEYS.c.task_id)
    )
    if inserted.one_or_none():
        return None
    earlier = connection.execute(select(KEYS.c.body_sha256, KEYS.c.task_id).where(*mine)).one()
    if earlier.body_sha256 != key.body_sha256:
        raise IdempotencyConflictError(key=key.key)
    return str(earlier.task_id)
