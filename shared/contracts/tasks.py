"""The kinds of work: parameters, results and the words for how far a task has come.

A kind's parameters are stored on task rows and outlive deploys. Models tolerate unknown fields; a
breaking change is a new kind, with both handlers alive until the old rows are gone.
`tests/contracts/golden/` holds one example of every version ever written.
"""

from datetime import date, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

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


class PendingReason(StrEnum):
    """Why a task still waits."""

    RETRYING = "retrying"
    BROKER_UNAVAILABLE = "broker_unavailable"
    NO_WORKER_ONLINE = "no_worker_online"
    BACKLOG = "backlog"


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


class Channel(StrEnum):
    """Ways to tell somebody something; the notifier registers one sender for each."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    INBOX = "inbox"


class Addressee(BaseModel):
    """Whom to tell, and how."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    user_id: str
    channel: Channel


class WorkLogsExport(TaskParameters):
    """Export the work logs of a range of days.

    Attributes:
        start_date: first day, inclusive.
        end_date: last day, inclusive.
        employee_ids: only these employees, each once; None for all.
        export_format: the file's format.
        language: the language of headings and status words.
        notify: who is told when it has ended.
    """

    kind: ClassVar[str] = "export.work_logs"
    queue: ClassVar[Queue] = Queue.EXPORT
    limits: ClassVar[TimeLimits] = TimeLimits(soft=timedelta(minutes=55), hard=timedelta(hours=1))

    start_date: date
    end_date: date
    employee_ids: tuple[str, ...] | None = None
    export_format: ExportFormat = ExportFormat.XLSX
    language: Language = Language.CHINESE
    notify: Addressee | None = None


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


class Template(StrEnum):
    """What a notification says."""

    MESSAGE = "message"
    EXPORT_FINISHED = "export_finished"
    EXPORT_FAILED = "export_failed"


class Notification(TaskParameters):
    """Tell one user something over one channel.

    Attributes:
        user_id: who; the address is looked up when it is delivered.
        channel: how.
        template: what it says.
        facts: what the template needs: for a message its `text`.
        language: of the wording around the facts.
    """

    kind: ClassVar[str] = "notification"
    queue: ClassVar[Queue] = Queue.NOTIFICATION
    limits: ClassVar[TimeLimits] = TimeLimits(soft=timedelta(minutes=2), hard=timedelta(minutes=3))

    user_id: str
    channel: Channel
    template: Template = Template.MESSAGE
    facts: dict[str, Any]
    language: Language = Language.CHINESE


class NotificationResult(BaseModel):
    """How a notification was delivered.

    Attributes:
        channel: how.
        recipient: the address, masked.
        attempts: how many it took.
        delivered_at: ISO 8601 without offset, in the service's time zone.
    """

    model_config = ConfigDict(extra="ignore")

    channel: Channel
    recipient: str
    attempts: int
    delivered_at: str
    status: Literal["completed"] = "completed"


class CleanUp(TaskParameters):
    """Remove files that are older than a moment, and what else nobody wants any more.

    Attributes:
        days_old: as asked for; for the result.
        before: files created before this moment go; fixed when the task is submitted.
        owner: whose files; None for all, and for old records and orphans too.
    """

    kind: ClassVar[str] = "clean_up"
    queue: ClassVar[Queue] = Queue.CLEANUP
    limits: ClassVar[TimeLimits] = TimeLimits(soft=timedelta(minutes=55), hard=timedelta(hours=1))

    days_old: int
    before: AwareDatetime
    owner: str | None = None


class CleanUpResult(BaseModel):
    """What a clean-up has done; `cleaned_at` is like an export's `created_at`."""

    model_config = ConfigDict(extra="ignore")

    deleted_count: int
    freed_bytes: int
    days_old: int
    cleaned_at: str
    status: Literal["completed"] = "completed"


KINDS: dict[str, type[TaskParameters]] = {
    model.kind: model for model in (WorkLogsExport, Notification, CleanUp)
}
"""Every kind of task, by the name on its row."""
