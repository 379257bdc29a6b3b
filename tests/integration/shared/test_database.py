"""What databases say when they go away, told from what they say of a wrong statement."""

import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import DBAPIError

from shared.database import (
    DELETED_AT_ONCE,
    DatabaseNow,
    create_database_engine,
    delete_some,
    is_disconnect,
    read,
)
from shared.tasks.models import INBOX
from tests.servers import wait_until


def test_a_transaction_that_idles_for_long_is_a_database_that_went_away(
    postgres_url: str,
) -> None:
    engine = create_database_engine(postgres_url)
    with engine.connect() as frozen:
        pid = frozen.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        frozen.exec_driver_sql("SET idle_in_transaction_session_timeout = '20ms'")

        def is_ended() -> bool:
            with read(engine) as watching:
                found = watching.execute(
                    text("SELECT 1 FROM pg_stat_activity WHERE pid = :pid"), {"pid": pid}
                )
                return found.first() is None

        wait_until(is_ended, seconds=20, what="PostgreSQL ends it")
        with pytest.raises(DBAPIError) as raised:
            frozen.exec_driver_sql("SELECT 1")
    assert is_disconnect(raised.value)
    engine.dispose()


def test_a_wrong_statement_is_not(task_engine: Engine) -> None:
    with task_engine.connect() as connection, pytest.raises(DBAPIError) as raised:
        connection.exec_driver_sql("INSERT INTO tasks (id) VALUES (NULL)")
    assert not is_disconnect(raised.value)


def test_rows_are_deleted_some_at_a_time(task_engine: Engine) -> None:
    rows = [
        {"id": f"{number:032}", "owner": "ann", "user_id": "u", "subject": "s", "message": "m"}
        for number in range(DELETED_AT_ONCE + 1)
    ]
    with task_engine.begin() as connection:
        connection.execute(insert(INBOX).values(created_at=DatabaseNow()), rows)
    counts = [delete_some(task_engine, INBOX, INBOX.c.owner == "ann") for _ in range(3)]
    assert counts == [DELETED_AT_ONCE, 1, 0]
