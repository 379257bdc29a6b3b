"""What clients get: the documented bodies, and the fields that were added to them."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from shared.contracts.languages import Language
from shared.contracts.tasks import PendingReason, State, Status
from shared.messages import say
from shared.tasks.queries import FileRecord, TaskRecord

RETRY_SECONDS = "1"
"""When to ask again for a task that is not over."""


class Submitted(BaseModel):
    """The answer to a submit; `status` is always `processing`, as documented."""

    task_id: str
    status: str = "processing"
    message: str
    status_url: str


class TaskAnswer(BaseModel):
    """A task. `result` while it is processed: how far it has come; when completed: the file."""

    task_id: str
    status: Status
    progress: int = Field(ge=0, le=100)
    result: dict[str, Any] | None = None
    error: str | None = None
    error_code: str | None = None
    state: State
    kind: str
    priority: int
    attempt: int
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    next_attempt_at: str | None = None
    queue_position: int | None = Field(default=None, ge=1)
    pending_reason: PendingReason | None = None
    notifications: list["NotificationAnswer"] | None = None


class NotificationAnswer(BaseModel):
    """How telling somebody of a task's end went."""

    task_id: str
    user_id: str
    notification_type: str
    status: Status
    error: str | None = None
    error_code: str | None = None


class TaskList(BaseModel):
    """Tasks, newest first; `next_cursor` is null at the end."""

    tasks: list[TaskAnswer]
    next_cursor: str | None = None


class FileAnswer(BaseModel):
    """A file that can be downloaded; `size` in bytes."""

    file_name: str
    size: int
    created_at: str
    download_url: str


class FileList(BaseModel):
    """Files, newest first; `next_cursor` is null at the end."""

    count: int
    files: list[FileAnswer]
    next_cursor: str | None = None


def submitted(task_id: str, key: str, language: Language) -> Submitted:
    """Answer a submit."""
    return Submitted(
        task_id=task_id, message=say(key, language), status_url=f"/api/tasks/{task_id}"
    )


def task_answer(task: TaskRecord, language: Language, zone: ZoneInfo) -> TaskAnswer:
    """Show a task."""
    has_failed = task.status is Status.FAILED
    return TaskAnswer(
        task_id=task.id,
        status=task.status,
        progress=task.progress,
        result=_result(task, language),
        error=_error(task, language) if has_failed else None,
        error_code=task.error_code if has_failed else None,
        state=task.state,
        kind=task.kind,
        priority=task.priority,
        attempt=task.attempt,
        created_at=local_text(task.created_at, zone),
        started_at=task.started_at and local_text(task.started_at, zone),
        finished_at=task.finished_at and local_text(task.finished_at, zone),
        next_attempt_at=local_text(task.run_after, zone) if task.state is State.RETRYING else None,
    )


def notification_answer(task: TaskRecord, language: Language) -> NotificationAnswer:
    """Show a notification as a part of the task that it follows from."""
    has_failed = task.status is Status.FAILED
    return NotificationAnswer(
        task_id=task.id,
        user_id=task.parameters["user_id"],
        notification_type=task.parameters["channel"],
        status=task.status,
        error=_error(task, language) if has_failed else None,
        error_code=task.error_code if has_failed else None,
    )


def file_answer(file: FileRecord, zone: ZoneInfo) -> FileAnswer:
    """Show a file."""
    return FileAnswer(
        file_name=file.name,
        size=file.size,
        created_at=local_text(file.created_at, zone),
        download_url=download_url(file.name),
    )


def download_url(name: str) -> str:
    """Say where a file is downloaded."""
    return f"/api/download/{name}"


def local_text(moment: datetime, zone: ZoneInfo) -> str:
    """Write an instant as documented: ISO 8601 in the service's time zone, without an offset."""
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


def _error(task: TaskRecord, language: Language) -> str:
    return say(task.error_code or "internal_error", language, task.error_arguments)


def _result(task: TaskRecord, language: Language) -> dict[str, Any] | None:
    match task.status:
        case Status.COMPLETED:
            result = dict(task.result or {})
            if "file_name" in result:
                result["download_url"] = download_url(result["file_name"])
            return result
        case Status.FAILED:
            return None
    message = task.progress_message or {"key": task.state.value, "arguments": {}}
    arguments = message["arguments"]
    rows = {f"rows_{name}": arguments[name] for name in ("written", "total") if name in arguments}
    return {"message": say(message["key"], language, arguments), **rows}
