"""Tasks, files, fair ranks, idempotency keys and API keys.

Revision ID: tasks_0001
"""

import sqlalchemy as sa
from alembic import op

revision = "tasks_0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
PENDING = sa.text("status = 'pending'")
PROCESSING = sa.text("status = 'processing'")


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("queue", sa.String(32), nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("rank", sa.BigInteger, nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("run_after", INSTANT, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
        sa.Column("retries", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(128)),
        sa.Column("lease_expires_at", INSTANT),
        sa.Column("deadline_at", INSTANT),
        sa.Column("cancel_requested_at", INSTANT),
        sa.Column("progress", sa.SmallInteger, nullable=False),
        sa.Column("progress_message", sa.JSON),
        sa.Column("result", sa.JSON),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_arguments", sa.JSON),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.Column("parent_id", sa.String(32)),
        sa.Column("follows", sa.String(400)),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["tasks.id"], name="fk_tasks_parent_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("parent_id", "follows", name="uq_tasks_parent_id_follows"),
    )
    op.create_index(
        "ix_tasks_claim",
        "tasks",
        ["queue", sa.text("priority DESC"), "rank", "id"],
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    op.create_index(
        "ix_tasks_lease",
        "tasks",
        ["lease_expires_at"],
        sqlite_where=PROCESSING,
        postgresql_where=PROCESSING,
    )
    op.create_index("ix_tasks_owner", "tasks", ["owner", "id"])

    op.create_table(
        "files",
        sa.Column("task_id", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(128), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expired_at", INSTANT),
        sa.PrimaryKeyConstraint("task_id", name="pk_files"),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name="fk_files_task_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("name", name="uq_files_name"),
    )
    op.create_index("ix_files_owner", "files", ["owner", "created_at", "name"])

    op.create_table(
        "queue_clocks",
        sa.Column("queue", sa.String(32), nullable=False),
        sa.Column("priority", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("clock", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("queue", "priority", name="pk_queue_clocks"),
    )
    op.create_table(
        "owner_ranks",
        sa.Column("queue", sa.String(32), nullable=False),
        sa.Column("priority", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("last_rank", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("queue", "priority", "owner", name="pk_owner_ranks"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("route", sa.String(128), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("body_sha256", sa.String(64), nullable=False),
        sa.Column("task_id", sa.String(32), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("owner", "route", "key", name="pk_idempotency_keys"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("secret_sha256", name="uq_api_keys_secret_sha256"),
    )


def downgrade() -> None:
    for table in (
        "api_keys", "idempotency_keys", "owner_ranks", "queue_clocks", "files", "tasks",
    ):  # fmt: skip
        op.drop_table(table)
