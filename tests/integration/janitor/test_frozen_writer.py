"""Who writes is found out, and ended only when it has stopped."""

import os
from pathlib import Path

from sqlalchemy import Engine

from services.janitor.frozen_writer import end_frozen_writer, writer
from shared.database import create_database_engine
from shared.migrations import Schema, migrate


def test_a_writer_that_works_is_left_alone(sqlite_url: str) -> None:
    engine = create_database_engine(sqlite_url)
    migrate(engine, Schema.TASKS)
    database = Path(str(engine.url.database))
    assert writer(database) is None
    with engine.begin():
        assert writer(database) == os.getpid()
        assert not end_frozen_writer(engine)
    assert writer(database) is None
    assert writer(database.with_name("none.sqlite3")) is None
    engine.dispose()


def test_nobody_is_looked_for_elsewhere(task_engine: Engine) -> None:
    with task_engine.begin():
        assert not end_frozen_writer(task_engine)
