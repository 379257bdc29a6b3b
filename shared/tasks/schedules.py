"""Schedules: rows that say when a task is inserted next. Every function is one transaction."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, or_, select, update
from uuid6 import uuid7

from shared.contracts.tasks import DEFAULT_PRIORITY, TaskParameters
from shared.database import DatabaseNow, insert_or, read
from shared.tasks.models import SCHEDULES
from shared.tasks.rows import insert_task


@dataclass(frozen=True)
class Schedule:
    """When something runs.

    Attributes:
        name: what runs.
        cron: minute, hour, day of month, month, day of week.
        timezone: IANA name of the zone that the expression is meant in.
        next_run_at: aware.
        last_run_at: aware; None before the first run.
        last_task_id: the task that ran last.
    """

    name: str
    cron: str
    timezone: str
    next_run_at: datetime
    last_run_at: datetime | None = None
    last_task_id: str | None = None


def save_schedule(engine: Engine, schedule: Schedule) -> None:
    """Note a schedule; one that is there with the same expression keeps its next run."""
    with engine.begin() as connection:
        statement = insert_or(connection, SCHEDULES).values(
            name=schedule.name,
            cron=schedule.cron,
            timezone=schedule.timezone,
            next_run_at=schedule.next_run_at,
        )
        new = statement.excluded
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(SCHEDULES.primary_key),
                set_={
                    "cron": new.cron,
                    "timezone": new.timezone,
                    "next_run_at": new.next_run_at,
                },
                where=or_(SCHEDULES.c.cron != new.cron, SCHEDULES.c.timezone != new.timezone),
            )
        )


def list_schedules(engine: Engine) -> list[Schedule]:
    """List all, by name."""
    with read(engine) as connection:
        rows = connection.execute(select(SCHEDULES).order_by(SCHEDULES.c.name))
        return [Schedule(*row) for row in rows]


def due_schedules(engine: Engine, moment: datetime) -> list[Schedule]:
    """List those whose next run has come."""
    with read(engine) as connection:
        rows = connection.execute(select(SCHEDULES).where(SCHEDULES.c.next_run_at <= moment))
        return [Schedule(*row) for row in rows]


def run_schedule(
    engine: Engine, schedule: Schedule, following: datetime, task: TaskParameters, owner: str
) -> str | None:
    """Move a schedule forward and insert its task, or neither: None if another was quicker."""
    task_id = uuid7().hex
    with engine.begin() as connection:
        moved = connection.execute(
            update(SCHEDULES)
            .where(
                SCHEDULES.c.name == schedule.name,
                SCHEDULES.c.next_run_at == schedule.next_run_at,
            )
            .values(next_run_at=following, last_run_at=DatabaseNow(), last_task_id=task_id)
        )
        if not moved.rowcount:
            return None
        insert_task(connection, task_id, task, owner=owner, priority=DEFAULT_PRIORITY)
    return task_id
