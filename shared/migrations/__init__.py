"""Alembic migrations of both databases, and `migrate`, which brings one up to date.

`tasks/` is Bulkhead's own record; `source/` is the sample of an application's data, which a team
with a database of its own never runs. Each keeps its version in a table of its own, so both may
live in one database.
"""

from enum import StrEnum
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from shared.database import patient

# Any constant will do; it only has to be the same in every replica.
ADVISORY_LOCK = 0x42_55_4C_4B


class Schema(StrEnum):
    """The databases that Bulkhead migrates; the value names the folder of versions."""

    TASKS = "tasks"
    SOURCE = "source"

    @property
    def version_table(self) -> str:
        """Where the database keeps its revision."""
        return f"bulkhead_{self.value}_version"


def migrate(engine: Engine, schema: Schema) -> None:
    """Bring a database to the newest revision; replicas that start together wait in turn.

    A revision that this code does not know (a newer release migrated first) is left as it is.
    """
    with patient(engine).begin() as connection:
        # SQLite's BEGIN IMMEDIATE is the lock already.
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        if is_known(connection, schema):
            command.upgrade(_config(schema, connection), "head")


def current_revision(connection: Connection, schema: Schema) -> str | None:
    """Give the database's revision, None before the first migration."""
    options = {"version_table": schema.version_table}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def is_current(connection: Connection, schema: Schema) -> bool:
    """Whether this code can work with the database: its own revision, or a newer one."""
    revision = current_revision(connection, schema)
    if revision is None:
        return False
    script = ScriptDirectory.from_config(_config(schema))
    return revision == script.get_current_head() or not is_known(connection, schema)


def is_known(connection: Connection, schema: Schema) -> bool:
    """Whether this code has the database's revision among its own, or there is none yet."""
    revision = current_revision(connection, schema)
    script = ScriptDirectory.from_config(_config(schema))
    return revision is None or revision in {each.revision for each in script.walk_revisions()}


def _config(schema: Schema, connection: Connection | None = None) -> Config:
    config = Config()
    here = files(__package__)
    config.set_main_option("script_location", str(here))
    config.set_main_option("version_locations", str(here / schema.value))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    return config
