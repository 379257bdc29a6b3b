"""The janitor's settings."""

from datetime import UTC, datetime
from typing import ClassVar, Literal, Self

from cronsim import CronSim, CronSimError
from pydantic import Field, field_validator, model_validator

from shared.settings import WorkerSettings


class JanitorSettings(WorkerSettings):
    """What the janitor needs beside the rest: `BULKHEAD_JANITOR_…`."""

    service: ClassVar[str] = "janitor"

    pool: Literal["prefork", "threads", "gevent", "solo"] = Field(
        default="threads", description="Celery's pool: threads, for clean-up waits for storage."
    )
    sweep_seconds: float = Field(
        default=5, gt=0, description="How often the janitor looks for lost and waiting tasks."
    )
    cleanup_cron: str = Field(
        default="30 3 * * *",
        description="When the scheduled clean-up runs: minute, hour, day, month, weekday.",
    )
    record_retention_days: int = Field(
        default=90,
        ge=1,
        description="How long records of tasks are kept; until then a dead link answers 410.",
    )
    inbox_retention_days: int = Field(
        default=90, ge=1, description="How long inbox entries are kept."
    )

    @field_validator("cleanup_cron")
    @classmethod
    def _known_cron(cls, value: str) -> str:
        try:
            CronSim(value, datetime.now(UTC))
        except CronSimError as error:
            raise ValueError(f"no cron expression: {value!r}") from error
        return value

    @model_validator(mode="after")
    def _records_outlive_files(self) -> Self:
        if self.record_retention_days < self.file_retention_days:
            raise ValueError("record_retention_days must be at least file_retention_days")
        return self
