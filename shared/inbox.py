"""The inbox: notifications kept for applications that show their own."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select, update

from shared.database import DatabaseNow, delete_some, insert_or, read
from shared.tasks.idempotency import IdempotencyKey, remember
from shared.tasks.models import INBOX

NO_TASK = ""
"""What a key leads to that came with something else than a submit."""


@dataclass(frozen=True)
class InboxEntry:
    """A notification. Times are aware, in UTC; `read_at` is None until somebody has read it."""

    id: str
    subject: str
    message: str
    created_at: datetime
    read_at: datetime | None


def put_entry(
    engine: Engine, *, task_id: str, owner: str, user_id: str, subject: str, message: str
) -> None:
    """Keep a notification; doing it again for the same task changes nothing."""
    with engine.begin() as connection:
        connection.execute(
            insert_or(connection, INBOX)
            .values(
                id=task_id,
                owner=owner,
                user_id=user_id,
                subject=subject,
                message=message,
                created_at=DatabaseNow(),
            )
            .on_conflict_do_nothing(index_elements=list(INBOX.primary_key))
        )


def list_entries(
    engine: Engine, owner: str, user_id: str, *, limit: int, before: str | None = None
) -> tuple[list[InboxEntry], int]:
    """List a user's entries, newest first, and count those that are unread in all."""
    mine = (INBOX.c.owner == owner, INBOX.c.user_id == user_id)
    columns = (INBOX.c.id, INBOX.c.subject, INBOX.c.message, INBOX.c.created_at, INBOX.c.read_at)
    statement = select(*columns).where(*mine).order_by(INBOX.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(INBOX.c.id < before)
    unread = select(func.count()).select_from(INBOX).where(*mine, INBOX.c.read_at.is_(None))
    with read(engine) as connection:
        entries = [InboxEntry(*row) for row in connection.execute(statement)]
        return entries, connection.execute(unread).scalar_one()


def mark_read(
    engine: Engine,
    owner: str,
    user_id: str,
    ids: list[str] | None,
    idempotency: IdempotencyKey | None = None,
) -> int:
    """Mark entries as read, all of a user's if no ids are given; count those that were unread.

    Under a key that came before it marks nothing: entries may have arrived since.

    Raises:
        IdempotencyConflictError: the key came with another body.
    """
    statement = update(INBOX).where(
        INBOX.c.owner == owner, INBOX.c.user_id == user_id, INBOX.c.read_at.is_(None)
    )
    if ids is not None:
        statement = statement.where(INBOX.c.id.in_(ids))
    with engine.begin() as connection:
        if idempotency and remember(connection, idempotency, owner, NO_TASK) is not None:
            return 0
        return connection.execute(statement.values(read_at=DatabaseNow())).rowcount


def remove_entries(engine: Engine, before: datetime) -> int:
    """Remove entries that were made before a moment, some at a time; give how many."""
    return delete_some(engine, INBOX, INBOX.c.created_at < before)
