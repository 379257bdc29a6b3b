"""The tables of the task database. `shared/migrations/tasks` creates them."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from shared.database import UtcDateTime

OWNER_LENGTH = 128
METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

TASKS = Table(
    "tasks",
    METADATA,
    Column("id", String(32), primary_key=True),  # UUID version 7 in hex: sorts by age
    Column("owner", String(OWNER_LENGTH), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("queue", String(32), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("rank", BigInteger, nullable=False),  # place among the owners; see ranks.py
    Column("parameters", JSON, nullable=False),
    Column("status", String(16), nullable=False),
    Column("run_after", UtcDateTime, nullable=False),
    # The attempt that may write this row: the fencing token.
    Column("attempt", Integer, nullable=False, default=0),
    Column("losses", Integer, nullable=False, default=0),
    Column("retries", Integer, nullable=False, default=0),
    Column("worker", String(128)),
    Column("lease_expires_at", UtcDateTime),
    Column("deadline_at", UtcDateTime),
    Column("cancel_requested_at", UtcDateTime),
    Column("progress", SmallInteger, nullable=False, default=0),
    Column("progress_message", JSON(none_as_null=True)),  # {key, arguments}, for messages.py
    Column("result", JSON(none_as_null=True)),
    Column("error_code", String(64)),
    Column("error_arguments", JSON(none_as_null=True)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    # What this row follows from: one follow-up per event, recipient and channel of its parent.
    Column("parent_id", String(32), ForeignKey("tasks.id", ondelete="CASCADE")),
    Column("follows", String(400)),
    UniqueConstraint("parent_id", "follows"),
    Index(
        "ix_tasks_claim",
        "queue",
        text("priority DESC"),
        "rank",
        "id",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index(
        "ix_tasks_lease",
        "lease_expires_at",
        sqlite_where=text("status = 'processing'"),
        postgresql_where=text("status = 'processing'"),
    ),
    Index("ix_tasks_owner", "owner", "id"),
)

FILES = Table(
    "files",
    METADATA,
    Column("task_id", String(32), ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", String(OWNER_LENGTH), nullable=False),
    Column("name", String(255), nullable=False, unique=True),  # public; what a client asks for
    Column("key", String(255), nullable=False),  # in storage
    Column("media_type", String(128), nullable=False),
    Column("size", BigInteger, nullable=False),  # bytes
    Column("sha256", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expired_at", UtcDateTime),
    Column("expired_by", String(32)),  # the clean-up task
    Index("ix_files_expired_by", "expired_by"),
    Index("ix_files_created_at", "created_at"),
    Index("ix_files_owner", "owner", "created_at", "name"),
)

CLOCKS = Table(
    "queue_clocks",
    METADATA,
    Column("queue", String(32), primary_key=True),
    Column("priority", SmallInteger, primary_key=True, autoincrement=False),
    Column("clock", BigInteger, nullable=False),
)

RANKS = Table(
    "owner_ranks",
    METADATA,
    Column("queue", String(32), primary_key=True),
    Column("priority", SmallInteger, primary_key=True, autoincrement=False),
    Column("owner", String(OWNER_LENGTH), primary_key=True),
    Column("last_rank", BigInteger, nullable=False),
)

IDEMPOTENCY_KEYS = Table(
    "idempotency_keys",
    METADATA,
    Column("owner", String(OWNER_LENGTH), primary_key=True),
    Column("route", String(128), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_sha256", String(64), nullable=False),
    Column("task_id", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("owner", String(OWNER_LENGTH), nullable=False),
    Column("secret_sha256", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

RECIPIENTS = Table(
    "recipients",
    METADATA,
    Column("owner", String(OWNER_LENGTH), primary_key=True),
    Column("user_id", String(128), primary_key=True),
    Column("email", String(320)),
    Column("webhook_url", Text),
    Column("webhook_secret", String(64)),  # signs what is sent; not a key to anything of ours
    Column("updated_at", UtcDateTime, nullable=False),
)

INBOX = Table(
    "inbox",
    METADATA,
    Column("id", String(32), primary_key=True),  # the notification's task: delivered twice is once
    Column("owner", String(OWNER_LENGTH), nullable=False),
    Column("user_id", String(128), nullable=False),
    Column("subject", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("read_at", UtcDateTime),
    Index("ix_inbox_owner", "owner", "user_id", "id"),
)

SCHEDULES = Table(
    "schedules",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("cron", String(128), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("next_run_at", UtcDateTime, nullable=False),
    Column("last_run_at", UtcDateTime),
    Column("last_task_id", String(32)),
)

WORKERS = Table(
    "workers",
    METADATA,
    Column("name", String(128), primary_key=True),
    Column("queue", String(32), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)
