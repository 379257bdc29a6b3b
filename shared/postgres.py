"""What keeps a process from waiting for ever for PostgreSQL, and PostgreSQL for a process."""

import time
from typing import Any

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Dialect, Engine, event

# A database that vanishes without a reset is noticed within about 3 seconds.
# Source: libpq connection parameters, https://www.postgresql.org/docs/17/libpq-connect.html
CONNECT_ARGS = {
    "connect_timeout": 3,
    "tcp_user_timeout": 3000,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
}

IDLE_SECONDS = 4
"""How long a transaction on PostgreSQL may wait for its next statement; far below a lease."""
ANSWER_SECONDS = 10
"""How long PostgreSQL may take for a statement, waiting for a lock included: no other holds one for
longer than `IDLE_SECONDS`."""


def bound(engine: Engine) -> None:
    """Bound what its connections wait for, on both sides."""
    event.listen(engine, "do_connect", _connect_bounded)
    event.listen(engine, "connect", _bound_idleness)


class _BoundedConnection(psycopg.Connection[Any]):
    """Gives a server up that does not answer: libpq itself would wait for ever."""

    def wait(
        self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = ANSWER_SECONDS
    ) -> Any:
        """Wait for the server's answer.

        Raises:
            psycopg.OperationalError: there is none; the connection is closed.
        """
        began = time.monotonic()
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError:
            if timeout is not None and time.monotonic() - began >= timeout:
                self.pgconn.finish()
            raise


def _connect_bounded(
    _dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]
) -> Any:
    return _BoundedConnection.connect(*arguments, **options)


def _bound_idleness(dbapi_connection: Any, _record: object) -> None:
    # Source: https://www.postgresql.org/docs/17/runtime-config-client.html
    dbapi_connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
    dbapi_connection.commit()
