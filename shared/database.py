"""Engines for SQLite and PostgreSQL, and the one clock that leases go by: the database's.

Transactions are explicit: `engine.begin()` opens one that may write. On SQLite that is BEGIN
IMMEDIATE, for a deferred transaction that reads first and then writes fails with "database is
locked" under concurrency, whatever the busy timeout.
"""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Float,
    Table,
    create_engine,
    delete,
    event,
    literal,
    make_url,
    select,
    tuple_,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from shared.postgres import CONNECT_ARGS, bound

SQLITE_BUSY_SECONDS = 10
SQLITE_CONNECTIONS = 4
"""Of one process. SQLite lets one write, and whoever finds it busy sleeps a little and tries
again: of fifty that contend so, some wait for seconds. They take turns for a connection instead."""
SQLITE_QUEUE_SECONDS = 30
DELETED_AT_ONCE = 1000
READ_ONLY = "bulkhead_read_only"
UNAVAILABLE = (OperationalError, PoolTimeoutError)
"""What SQLAlchemy raises when a database does not answer; a task never fails for it."""


def normalise_url(url: str) -> URL:
    """Parse a database address; plain `postgresql://` and `postgres://` mean psycopg 3."""
    parsed = make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def create_database_engine(url: str, *, pool_size: int = 5, may_take_long: bool = False) -> Engine:
    """Make an engine; nothing connects yet. Make it in the process that uses it, after any fork.

    Args:
        url: `sqlite:///path` or `postgresql://user:password@host/name`.
        pool_size: connections kept open at the most; twice as many may be open for a moment, on
            SQLite never more than `SQLITE_CONNECTIONS`. 0 opens one for each use.
        may_take_long: whether statements, and the time between two of them, may take long, as where
            a file is fed or a schema is changed. PostgreSQL ends any other transaction that idles:
            a process that was frozen in the middle of one would keep its rows locked, and nobody
            could take its task over. And a server that does not answer, frozen or cut off, is given
            up as one that is gone.

    Raises:
        ValueError: another kind of database.
    """
    parsed = normalise_url(url)
    pooling: dict[str, Any] = {"poolclass": NullPool}
    if pool_size:
        pooling = {"pool_size": pool_size, "max_overflow": pool_size, "pool_timeout": 5}
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        if pool_size:
            pooling = {
                "pool_size": min(pool_size, SQLITE_CONNECTIONS),
                "max_overflow": 0,
                "pool_timeout": SQLITE_QUEUE_SECONDS,
            }
        engine = create_engine(parsed, connect_args={"timeout": SQLITE_BUSY_SECONDS}, **pooling)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.drivername == "postgresql+psycopg":
        engine = create_engine(parsed, pool_pre_ping=True, connect_args=CONNECT_ARGS, **pooling)
        if not may_take_long:
            bound(engine)
        return engine
    raise ValueError(f"Use sqlite:/// or postgresql://, not {parsed.drivername}://")


def patient(engine: Engine) -> Engine:
    """Give an engine to the same database whose statements may take long."""
    url = engine.url.render_as_string(hide_password=False)
    return create_database_engine(url, pool_size=0, may_take_long=True)


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads; on SQLite it does not wait for a writer."""
    with engine.connect().execution_options(**{READ_ONLY: True}) as connection, connection.begin():
        yield connection


def insert_or(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Begin an INSERT that may go on with ON CONFLICT; both databases spell it alike."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def delete_some(engine: Engine, table: Table, *conditions: ColumnElement[bool]) -> int:
    """Delete rows in one short transaction, at most `DELETED_AT_ONCE`; give how many."""
    keys = [*table.primary_key]
    some = select(*keys).where(*conditions).limit(DELETED_AT_ONCE)
    with engine.begin() as connection:
        return connection.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount


def is_disconnect(error: BaseException) -> bool:
    """Whether the error says that the database went away, rather than that a statement is wrong."""
    return isinstance(error, UNAVAILABLE) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def now(connection: Connection) -> datetime:
    """Ask the database what time it is; aware, in UTC."""
    told: datetime = connection.execute(
        select(type_coerce(DatabaseNow(), UtcDateTime))
    ).scalar_one()
    return told


def _prepare_sqlite(dbapi_connection: Any, _record: object) -> None:
    # The driver's own transaction control is switched off: _begin_sqlite does it.
    # Source: https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#pysqlite-serializable
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    _use_wal(cursor)
    # FULL: a commit that was answered survives a power cut, also in WAL mode.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Put the file into WAL mode, which it keeps.

    Two processes that do so at once may both be refused without the driver's waiting, since each
    holds what the other one needs. Source: https://www.sqlite.org/c3ref/busy_handler.html
    """
    give_up_at = time.monotonic() + SQLITE_BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > give_up_at:
                raise
        else:
            return
        time.sleep(random.uniform(0.005, 0.05))  # noqa: S311  (no secret)


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, always aware and in UTC; SQLite stores it as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"A naive time cannot be stored: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give UTC back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class DatabaseNow(FunctionElement[datetime]):
    """The database's own clock, `plus` some time. Stable within one statement.

    Leases are compared with this and nothing else: workers' clocks differ.
    """

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, plus: timedelta = timedelta()) -> None:
        super().__init__(literal(plus.total_seconds(), Float()))


@compiles(DatabaseNow, "postgresql")
def _now_on_postgresql(element: DatabaseNow, compiler: SQLCompiler, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(statement_timestamp() + make_interval(secs => CAST({seconds} AS double precision)))"


@compiles(DatabaseNow, "sqlite")
def _now_on_sqlite(element: DatabaseNow, compiler: SQLCompiler, **options: Any) -> str:
    # Milliseconds, filled up to the six digits in which SQLAlchemy stores times, so that texts
    # compare as times do. Source: https://www.sqlite.org/lang_datefunc.html
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', printf('%+.3f seconds', {seconds}))"
