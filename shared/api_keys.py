"""API keys: whose requests these are. Stored hashed, shown once.

A key is 256 random bits, so nobody can guess one from its hash however fast the hash is; SHA-256
without a salt lets a key be found by an index. (Slow hashes are for secrets that people choose.)
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Engine, insert, select, update

from shared.database import DatabaseNow, read
from shared.tasks.models import API_KEYS

PREFIX = "bhk_"
LOCAL = "local"
"""The owner of everything, where there are no keys."""


@dataclass(frozen=True)
class ApiKey:
    """A key as it may be shown: without its secret. Times are aware, in UTC."""

    id: str
    name: str
    owner: str
    created_at: datetime
    revoked_at: datetime | None


def create_key(engine: Engine, name: str, owner: str) -> tuple[str, str]:
    """Make a key; give its id and its secret, which is stored nowhere."""
    key_id, secret = secrets.token_hex(6), PREFIX + secrets.token_urlsafe(32)
    with engine.begin() as connection:
        connection.execute(
            insert(API_KEYS).values(
                id=key_id,
                name=name,
                owner=owner,
                secret_sha256=_hash(secret),
                created_at=DatabaseNow(),
            )
        )
    return key_id, secret


def list_keys(engine: Engine) -> list[ApiKey]:
    """List all keys ever made, oldest first."""
    columns = (
        API_KEYS.c.id,
        API_KEYS.c.name,
        API_KEYS.c.owner,
        API_KEYS.c.created_at,
        API_KEYS.c.revoked_at,
    )
    with read(engine) as connection:
        rows = connection.execute(select(*columns).order_by(API_KEYS.c.created_at, API_KEYS.c.id))
        return [ApiKey(*row) for row in rows]


def revoke_key(engine: Engine, key_id: str) -> bool:
    """End a key's life; False if there is no such key, or it is revoked already."""
    with engine.begin() as connection:
        changed = connection.execute(
            update(API_KEYS)
            .where(API_KEYS.c.id == key_id, API_KEYS.c.revoked_at.is_(None))
            .values(revoked_at=DatabaseNow())
        )
        return bool(changed.rowcount)


def find_owner(engine: Engine, secret: str) -> str | None:
    """Say whose key this is; None if nobody's, or if it is revoked."""
    statement = select(API_KEYS.c.owner).where(
        API_KEYS.c.secret_sha256 == _hash(secret), API_KEYS.c.revoked_at.is_(None)
    )
    with read(engine) as connection:
        return connection.scalar(statement)


def has_keys(engine: Engine) -> bool:
    """Whether a key was ever made; revoking the last one does not open the door again."""
    with read(engine) as connection:
        return connection.scalar(select(API_KEYS.c.id).limit(1)) is not None


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
