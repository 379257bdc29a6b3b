"""The janitor's settings."""

from typing import ClassVar, Literal

from pydantic import Field

from shared.worker import WorkerSettings


class JanitorSettings(WorkerSettings):
    """What the janitor needs beside the rest: `BULKHEAD_JANITOR_…`."""

    service: ClassVar[str] = "janitor"

    pool: Literal["prefork", "threads", "gevent", "solo"] = Field(
        default="threads", description="Celery's pool: threads, for clean-up waits for storage."
    )
    sweep_seconds: float = Field(
        default=5, gt=0, description="How often the janitor looks for lost and waiting tasks."
    )
    max_losses: int = Field(
        default=3, ge=1, description="Workers a task may lose before it fails as worker_lost."
    )
