"""The exporter's settings."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field, model_validator

from shared.contracts.tasks import TimeLimits, WorkLogsExport
from shared.settings import WorkerSettings


class ExporterSettings(WorkerSettings):
    """What the exporter needs beside the rest: `BULKHEAD_EXPORTER_…`."""

    service: ClassVar[str] = "exporter"

    batch_rows: int = Field(
        default=500,
        ge=1,
        description="Rows read, written and checked for a stop at once; memory grows with it.",
    )
    csv_formula_guard: bool = Field(
        default=True,
        description="Put ' before texts that a spreadsheet would take for a formula, in csv.",
    )
    soft_limit_seconds: float = Field(
        default=WorkLogsExport.limits.soft.total_seconds(),
        gt=0,
        description="An export that runs longer is asked to stop, and fails as time_limit.",
    )
    hard_limit_seconds: float = Field(
        default=WorkLogsExport.limits.hard.total_seconds(),
        gt=0,
        description="An export that still runs then is killed.",
    )

    @model_validator(mode="after")
    def _soft_before_hard(self) -> "ExporterSettings":
        if self.soft_limit_seconds >= self.hard_limit_seconds:
            raise ValueError("soft_limit_seconds must be less than hard_limit_seconds")
        return self

    @property
    def limits(self) -> TimeLimits:
        """The limits of one attempt."""
        return TimeLimits(
            soft=timedelta(seconds=self.soft_limit_seconds),
            hard=timedelta(seconds=self.hard_limit_seconds),
        )
