"""The notifier's settings."""

from typing import ClassVar, Literal

from pydantic import Field

from shared.worker import WorkerSettings


class NotifierSettings(WorkerSettings):
    """What the notifier needs beside the rest: `BULKHEAD_NOTIFIER_…`."""

    service: ClassVar[str] = "notifier"

    pool: Literal["prefork", "threads", "gevent", "solo"] = Field(
        default="threads", description="Celery's pool: threads, for the work is waiting for others."
    )
    concurrency: int = Field(default=10, ge=1, description="Tasks at once in one worker.")
