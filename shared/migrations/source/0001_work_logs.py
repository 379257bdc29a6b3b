"""The sample source: employees, work_logs, and the view that exports read.

Revision ID: source_0001
"""

import sqlalchemy as sa
from alembic import op

revision = "source_0001"
down_revision = None
branch_labels = None
depends_on = None

# On SQLite only INTEGER PRIMARY KEY is the row id, which is 64 bits wide all the same.
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "employees",
        sa.Column("employee_id", sa.String(128), nullable=False),
        sa.Column("employee_name", sa.Text, nullable=False),
        sa.Column("position", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("employee_id", name="pk_employees"),
    )
    op.create_table(
        "work_logs",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("employee_id", sa.String(128), nullable=False),
        sa.Column("log_date", sa.Date, nullable=False),
        sa.Column("work_content", sa.Text, nullable=False),
        sa.Column("completion_status", sa.String(16), nullable=False),
        sa.Column("problems_encountered", sa.Text),
        sa.Column("tomorrow_plan", sa.Text),
        sa.Column("self_rating", sa.SmallInteger),
        sa.Column("supervisor_rating", sa.SmallInteger),
        sa.Column("supervisor_comment", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_work_logs"),
        sa.ForeignKeyConstraint(
            ["employee_id"], ["employees.employee_id"], name="fk_work_logs_employee_id"
        ),
        sa.CheckConstraint(
            "completion_status IN ('completed', 'in_progress', 'pending')",
            name="ck_work_logs_completion_status",
        ),
        sa.CheckConstraint("self_rating BETWEEN 1 AND 5", name="ck_work_logs_self_rating"),
        sa.CheckConstraint(
            "supervisor_rating BETWEEN 1 AND 5", name="ck_work_logs_supervisor_rating"
        ),
    )
    op.create_index("ix_work_logs_log_date_id", "work_logs", ["log_date", "id"])
    op.create_index("ix_work_logs_employee_id_log_date", "work_logs", ["employee_id", "log_date"])
    op.execute(
        """
        CREATE VIEW work_log_export AS
        SELECT work_logs.id, work_logs.employee_id, employees.employee_name, employees.position,
               work_logs.log_date, work_logs.work_content, work_logs.completion_status,
               work_logs.problems_encountered, work_logs.tomorrow_plan, work_logs.self_rating,
               work_logs.supervisor_rating, work_logs.supervisor_comment, work_logs.created_at
        FROM work_logs JOIN employees ON employees.employee_id = work_logs.employee_id
        """
    )


def downgrade() -> None:
    op.execute("DROP VIEW work_log_export")
    op.drop_table("work_logs")
    op.drop_table("employees")
