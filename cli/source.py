"""The sample source's tables, as `shared/migrations/source` makes them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Engine,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

from shared.database import UtcDateTime, create_database_engine
from shared.migrations import Schema, migrate
from shared.settings import Settings

METADATA = MetaData()
EMPLOYEE_ID_LENGTH = 128

EMPLOYEES = Table(
    "employees",
    METADATA,
    Column("employee_id", String(EMPLOYEE_ID_LENGTH), primary_key=True),
    Column("employee_name", Text, nullable=False),
    Column("position", Text, nullable=False),
)

WORK_LOGS = Table(
    "work_logs",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("employee_id", String(EMPLOYEE_ID_LENGTH), nullable=False),
    Column("log_date", Date, nullable=False),
    Column("work_content", Text, nullable=False),
    Column("completion_status", String(16), nullable=False),
    Column("problems_encountered", Text),
    Column("tomorrow_plan", Text),
    Column("self_rating", SmallInteger),
    Column("supervisor_rating", SmallInteger),
    Column("supervisor_comment", Text),
    Column("created_at", UtcDateTime, nullable=False),
)


def open_source(settings: Settings) -> Engine:
    """Open the source database, with its tables in place."""
    engine = create_database_engine(settings.source_database_url, may_take_long=True)
    migrate(engine, Schema.SOURCE)
    return engine
