"""Recipients: where a user of an owner's is reached, one address per channel."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, func, select

from shared.database import DatabaseNow, insert_or, read
from shared.tasks.models import RECIPIENTS

SECRET_PREFIX = "whsec_"  # noqa: S105  (says what follows; the Standard Webhooks specification)
SECRET_BYTES = 24


@dataclass(frozen=True)
class Recipient:
    """A user's addresses.

    Attributes:
        user_id: the application's name for the user.
        email: an address, or None.
        webhook_url: http or https, or None.
        webhook_secret: what the webhook's calls are signed with; made with the first URL and kept.
        updated_at: aware, in UTC.
    """

    user_id: str
    email: str | None
    webhook_url: str | None
    webhook_secret: str | None
    updated_at: datetime


def save_recipient(
    engine: Engine, owner: str, user_id: str, *, email: str | None, webhook_url: str | None
) -> Recipient:
    """Register a user's addresses; what was there before is replaced."""
    secret = None
    if webhook_url is not None:
        secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    with engine.begin() as connection:
        statement = insert_or(connection, RECIPIENTS).values(
            owner=owner,
            user_id=user_id,
            email=email,
            webhook_url=webhook_url,
            webhook_secret=secret,
            updated_at=DatabaseNow(),
        )
        new = statement.excluded
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(RECIPIENTS.primary_key),
                set_={
                    "email": new.email,
                    "webhook_url": new.webhook_url,
                    "webhook_secret": func.coalesce(
                        RECIPIENTS.c.webhook_secret, new.webhook_secret
                    ),
                    "updated_at": new.updated_at,
                },
            )
        )
        saved = find_recipient(connection, owner, user_id)
    if saved is None:
        raise LookupError(user_id)  # removed within its own transaction: cannot be
    return saved


def remove_recipient(engine: Engine, owner: str, user_id: str) -> bool:
    """Forget a user; False if nobody of that name was registered."""
    with engine.begin() as connection:
        removed = connection.execute(
            delete(RECIPIENTS).where(RECIPIENTS.c.owner == owner, RECIPIENTS.c.user_id == user_id)
        )
        return bool(removed.rowcount)


def load_recipient(engine: Engine, owner: str, user_id: str) -> Recipient | None:
    """Look a user up in a transaction of its own."""
    with read(engine) as connection:
        return find_recipient(connection, owner, user_id)


def find_recipient(connection: Connection, owner: str, user_id: str) -> Recipient | None:
    """Look a user up."""
    row = connection.execute(
        select(
            RECIPIENTS.c.user_id,
            RECIPIENTS.c.email,
            RECIPIENTS.c.webhook_url,
            RECIPIENTS.c.webhook_secret,
            RECIPIENTS.c.updated_at,
        ).where(RECIPIENTS.c.owner == owner, RECIPIENTS.c.user_id == user_id)
    ).one_or_none()
    return Recipient(*row) if row else None
