"""The application's database, opened so that nothing can be written to it."""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from shared.database import SQLITE_BUSY_SECONDS, create_database_engine, normalise_url


def create_source_engine(url: str) -> Engine:
    """Make an engine that reads; nothing connects yet, and no file or folder is made.

    An SQLite file is opened with `mode=ro`: it keeps the journal mode that its owner chose, and it
    may be one that this process cannot write to. PostgreSQL's transactions are made read only where
    they begin. Source: https://www.sqlite.org/uri.html

    Args:
        url: `sqlite:///path` or `postgresql://user:password@host/name`.

    Raises:
        ValueError: another kind of database.
    """
    parsed = normalise_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_database_engine(url, pool_size=0, may_take_long=True)
    file = Path(parsed.database or "").absolute().as_uri()

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"{file}?mode=ro",
            uri=True,
            timeout=SQLITE_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,  # another thread may interrupt it
        )

    engine = create_engine(parsed, creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
