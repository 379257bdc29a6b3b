"""The kinds of work: parameters, results and the words for how far a task has come.

A kind's parameters are stored on task rows and outlive deploys. Models tolerate unknown fields; a
breaking change is a new kind, with both handlers alive until the old rows are gone.
`tests/contracts/golden/` holds one example of every version ever written.
"""

from datetime import date, timedelta
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.languages import Language
from shared.contracts.queues import Queue

DEFAULT_PRIORITY = 5
HIGHEST_PRIORITY = 9


class Status(StrEnum):
    """The documented status of a task, as stored on its row."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class State(StrEnum):
    """The finer word beside `Status`; derived from the row, never stored."""

    QUEUED = "queued"
    RETRYING = "retrying"
    RUNNING = "running"
    JOINING = "joining"
    CANCELLING = "cancelling"
    DONE = "done"
    EXPIRED = "expired"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TimeLimits(BaseModel):
    """How long one attempt may run: asked to stop at `soft`, killed at `hard`."""

    model_config = ConfigDict(frozen=True)

    soft: timedelta
    hard: timedelta


class TaskParameters(BaseModel):
    """What a kind of work needs, declared on its type: name, queue, limits and parameters."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: ClassVar[str]
    queue: ClassVar[Queue]
    limits: ClassVar[TimeLimits]


class ExportFormat(StrEnum):
    """File formats of an export; the value is the file's extension.

    The exporter registers one writer for each, the gateway refuses any other with 422.
    """

    XLSX = "xlsx"
    CSV = "csv"


class WorkLogsExport(TaskParameters):
    """Export the work logs of a range of days.

    Attributes:
        start_date: first day, inclusive.
        end_date: last day, inclusive.
        employee_ids: only these employees, each once; None for all.
        export_format: the file's format.
        language: the language of headings and status words.
    """

    kind: ClassVar[str] = "export.work_logs"
    queue: ClassVar[Queue] = Queue.EXPORT
    limits: ClassVar[TimeLimits] = TimeLimits(soft=timedelta(minutes=55), hard=timedelta(hours=1))

    start_date: date
    end_date: date
    employee_ids: tuple[str, ...] | None = None
    export_format: ExportFormat = ExportFormat.XLSX
    language: Language = Language.CHINESE


class ExportResult(BaseModel):
    """The documented `result` of a completed export.

    Attributes:
        file_name: the public name, for `GET /api/download/{file_name}`.
        records_count: rows in the file, the heading not counted.
        created_at: when the file was finished: ISO 8601 without offset, in the service's time zone.
        size: bytes.
        sha256: of the file's content, in hex.
    """

    model_config = ConfigDict(extra="ignore")

    file_name: str
    records_count: int
    start_date: date
    end_date: date
    created_at: str
    status: Literal["completed"] = "completed"
    size: int
    sha256: str


KINDS: dict[str, type[TaskParameters]] = {model.kind: model for model in (WorkLogsExport,)}
"""Every kind of task, by the name on its row."""
