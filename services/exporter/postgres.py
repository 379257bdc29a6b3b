"""What reading from PostgreSQL needs beside SQL: a session, a cursor of its own, a way to cancel.

Days and instants are taken as the server writes them: all that it can hold comes through, also
`infinity` and years that Python's dates do not know, and it is faster than to make objects.
"""

from typing import Any

from psycopg.pq import Format
from sqlalchemy import Connection

from services.exporter.selection import POSTGRES_TEXTS, Types

CANCEL_SECONDS = 2.0
CURSOR = "bulkhead_export"

# Types that the driver gives as numbers, booleans, bytes and texts; others come as the server's
# text. Source: PostgreSQL's catalogue, `pg_type.dat`: bool, bytea, int8, int2, int4, float4,
# float8, numeric
NATIVE = POSTGRES_TEXTS | {16, 17, 20, 21, 23, 700, 701, 1700}
TEXT = 25

SESSION = (
    "SET LOCAL TIME ZONE 'UTC'",
    "SET LOCAL DateStyle TO ISO",
    # All rows are fetched, not the first tenth that the planner expects of a cursor.
    # Source: https://www.postgresql.org/docs/17/runtime-config-query.html
    "SET LOCAL cursor_tuple_fraction TO 1",
)


def set_up_session(connection: Connection) -> None:
    """Prepare the transaction that reads."""
    for statement in SESSION:
        connection.exec_driver_sql(statement)


def open_cursor(connection: Connection, types: Types) -> Any:
    """Open a server-side cursor of the driver."""
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor(name=CURSOR)
    as_text = cursor.adapters.get_loader(TEXT, Format.TEXT)
    for oid in {*types.values()} - NATIVE:
        cursor.adapters.register_loader(oid, as_text)
    return cursor


def cancel(connection: Connection) -> None:
    """Ask the server to end what the connection runs; from any thread."""
    driver: Any = connection.connection.driver_connection
    driver.cancel_safe(timeout=CANCEL_SECONDS)
