"""Recipients, the inbox, schedules, and which clean-up a file went with.

Revision ID: tasks_0002
"""

import sqlalchemy as sa
from alembic import op

revision = "tasks_0002"
down_revision = "tasks_0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("files", sa.Column("expired_by", sa.String(32)))
    op.create_index("ix_files_expired_by", "files", ["expired_by"])
    op.create_index("ix_files_created_at", "files", ["created_at"])
    op.create_table(
        "recipients",
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("email", sa.String(320)),
        sa.Column("webhook_url", sa.Text),
        sa.Column("webhook_secret", sa.String(64)),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("owner", "user_id", name="pk_recipients"),
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("user_id", sa.String(128), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("read_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
    )
    op.create_index("ix_inbox_owner", "inbox", ["owner", "user_id", "id"])
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("cron", sa.String(128), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("next_run_at", INSTANT, nullable=False),
        sa.Column("last_run_at", INSTANT),
        sa.Column("last_task_id", sa.String(32)),
        sa.PrimaryKeyConstraint("name", name="pk_schedules"),
    )


def downgrade() -> None:
    op.drop_table("schedules")
    op.drop_table("inbox")
    op.drop_table("recipients")
    op.drop_index("ix_files_created_at", "files")
    op.drop_index("ix_files_expired_by", "files")
    op.drop_column("files", "expired_by")
