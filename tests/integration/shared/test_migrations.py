"""Migrations on both databases: the models' tables, once, however many replicas migrate at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from shared.database import create_database_engine, read
from shared.migrations import Schema, current_revision, is_current, migrate
from shared.tasks.models import METADATA


def test_replicas_migrate_at_once(database_url: str) -> None:
    def replica(_: int) -> None:
        engine = create_database_engine(database_url)
        for schema in Schema:
            migrate(engine, schema)
        engine.dispose()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(replica, range(6)))

    engine = create_database_engine(database_url)
    with read(engine) as connection:
        assert all(is_current(connection, schema) for schema in Schema)
        assert "work_log_export" in inspect(connection).get_view_names()
    engine.dispose()


def test_migrations_make_the_models_tables(database_url: str) -> None:
    engine = create_database_engine(database_url)
    migrate(engine, Schema.TASKS)
    with read(engine) as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": Schema.TASKS.version_table}
        )
        # Alembic compares an index on an expression (priority DESC) as text only.
        differences = [
            each
            for each in compare_metadata(context, METADATA)
            if not (each[0].endswith("_index") and each[1].name == "ix_tasks_claim")
        ]
    engine.dispose()
    assert differences == []


@pytest.mark.parametrize("schema", Schema)
def test_a_newer_release_s_schema_is_left_alone(sqlite_url: str, schema: Schema) -> None:
    engine = create_database_engine(sqlite_url)
    migrate(engine, schema)
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE {schema.version_table} SET version_num = 'from_the_future'")
        )
    migrate(engine, schema)
    with read(engine) as connection:
        assert current_revision(connection, schema) == "from_the_future"
        assert is_current(connection, schema)
    engine.dispose()


def test_an_empty_database_is_not_current(sqlite_url: str) -> None:
    engine = create_database_engine(sqlite_url)
    with read(engine) as connection:
        assert not is_current(connection, Schema.TASKS)
    engine.dispose()
