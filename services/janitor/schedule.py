"""What runs by the clock: rows, moved forward by whichever janitor comes first."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from cronsim import CronSim
from sqlalchemy import Engine

from services.janitor.settings import JanitorSettings
from shared.contracts.tasks import CleanUp
from shared.database import now, read
from shared.tasks.schedules import Schedule, due_schedules, run_schedule, save_schedule

CLEAN_UP = "clean_up"
OWNER = "schedule"
"""Whose the scheduled tasks are; no API key of a user's shows them."""

log = structlog.get_logger(__name__)


class Scheduler:
    """Inserts the tasks that are due by the clock; any number of them may run at once.

    Args:
        engine: the task database.
        settings: when the clean-up runs, and what it removes.
    """

    def __init__(self, engine: Engine, settings: JanitorSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._is_saved = False

    def run_due(self) -> int:
        """Insert what is due, each once, however late; give how many.

        A run that was missed while everything was down happens now, once. The next one is the
        first that the expression gives after now.
        """
        with read(self._engine) as connection:
            moment = now(connection)
        if not self._is_saved:
            self._save(moment)
        inserted = 0
        for schedule in due_schedules(self._engine, moment):
            clean_up = CleanUp(
                days_old=self._settings.file_retention_days,
                before=moment - timedelta(days=self._settings.file_retention_days),
            )
            following = next_run(schedule.cron, schedule.timezone, moment)
            task_id = run_schedule(self._engine, schedule, following, clean_up, OWNER)
            if task_id is not None:
                log.info("schedule_ran", schedule=schedule.name, task_id=task_id, next=following)
                inserted += 1
        return inserted

    def _save(self, moment: datetime) -> None:
        cron, zone = self._settings.cleanup_cron, self._settings.timezone
        schedule = Schedule(CLEAN_UP, cron, zone, next_run(cron, zone, moment))
        save_schedule(self._engine, schedule)
        self._is_saved = True


def next_run(cron: str, timezone: str, after: datetime) -> datetime:
    """Give the first run strictly after a moment; aware.

    A time that a clock change skips runs right after the change, one that it repeats runs once, as
    Debian's cron does.
    """
    return next(CronSim(cron, after.astimezone(ZoneInfo(timezone))))
