"""Reads of task and file rows; every one is limited to an owner, except what workers count."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, or_, select

from shared.contracts.queues import HIGH_PRIORITY_FROM, Queue
from shared.contracts.tasks import State, Status
from shared.errors import CancelledError
from shared.tasks.models import FILES, TASKS
from shared.tasks.rows import IS_PENDING, NOW


@dataclass(frozen=True)
class TaskRecord:
    """A task as its owner may see it. Times are aware, in UTC."""

    id: str
    kind: str
    status: Status
    state: State
    priority: int
    attempt: int
    progress: int
    progress_message: dict[str, Any] | None
    parameters: dict[str, Any]
    result: dict[str, Any] | None
    error_code: str | None
    error_arguments: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    run_after: datetime
    queue: Queue
    rank: int


@dataclass(frozen=True)
class FileRecord:
    """A stored file. `size` is in bytes, `sha256` in hex, `expired_at` set once it is gone."""

    name: str
    key: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime
    expired_at: datetime | None


def find_task(connection: Connection, task_id: str, owner: str) -> TaskRecord | None:
    """Look a task up by its id."""
    row = connection.execute(
        _TASKS.where(TASKS.c.id == task_id, TASKS.c.owner == owner)
    ).one_or_none()
    return _record(row) if row else None


def list_tasks(
    connection: Connection,
    owner: str,
    *,
    limit: int,
    before: str | None = None,
    status: Status | None = None,
    kind: str | None = None,
) -> list[TaskRecord]:
    """List tasks, newest first.

    Args:
        connection: to the task database.
        owner: whose.
        limit: how many at the most.
        before: only tasks older than this id.
        status: only these.
        kind: only these.
    """
    statement = _TASKS.where(TASKS.c.owner == owner).order_by(TASKS.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(TASKS.c.id < before)
    if status is not None:
        statement = statement.where(TASKS.c.status == status)
    if kind is not None:
        statement = statement.where(TASKS.c.kind == kind)
    return [_record(row) for row in connection.execute(statement)]


def list_follow_ups(connection: Connection, task_id: str, owner: str) -> list[TaskRecord]:
    """List the tasks that follow from a task, oldest first."""
    statement = _TASKS.where(TASKS.c.parent_id == task_id, TASKS.c.owner == owner)
    return [_record(row) for row in connection.execute(statement.order_by(TASKS.c.id))]


def find_file(connection: Connection, name: str, owner: str) -> FileRecord | None:
    """Look a file up by its public name, expired ones included."""
    row = connection.execute(
        _FILES.where(FILES.c.name == name, FILES.c.owner == owner)
    ).one_or_none()
    return FileRecord(**row._mapping) if row else None  # noqa: SLF001  (SQLAlchemy's public name)


def list_files(
    connection: Connection,
    owner: str,
    *,
    limit: int,
    before: tuple[datetime, str] | None = None,
) -> list[FileRecord]:
    """List files that can be downloaded, newest first; `before` is the last one seen."""
    statement = _FILES.where(FILES.c.owner == owner, FILES.c.expired_at.is_(None))
    if before is not None:
        created_at, name = before
        statement = statement.where(
            or_(
                FILES.c.created_at < created_at,
                and_(FILES.c.created_at == created_at, FILES.c.name < name),
            )
        )
    statement = statement.order_by(FILES.c.created_at.desc(), FILES.c.name.desc()).limit(limit)
    return [FileRecord(**row._mapping) for row in connection.execute(statement)]  # noqa: SLF001


def queue_position(connection: Connection, task: TaskRecord) -> int:
    """Give a waiting task's place among those that could be claimed now: 1 is the next one."""
    ahead = select(func.count()).where(
        TASKS.c.queue == task.queue,
        IS_PENDING,
        TASKS.c.run_after <= NOW,
        or_(
            TASKS.c.priority > task.priority,
            and_(
                TASKS.c.priority == task.priority,
                or_(
                    TASKS.c.rank < task.rank,
                    and_(TASKS.c.rank == task.rank, TASKS.c.id < task.id),
                ),
            ),
        ),
    )
    return connection.execute(ahead).scalar_one() + 1


def count_due(connection: Connection) -> dict[Queue, int]:
    """Count the tasks that could be claimed now, by the queue that should be rung for them."""
    urgent = func.sum(case((TASKS.c.priority >= HIGH_PRIORITY_FROM, 1), else_=0))
    rows = connection.execute(
        select(TASKS.c.queue, func.count(), urgent)
        .where(IS_PENDING, TASKS.c.run_after <= NOW)
        .group_by(TASKS.c.queue)
    )
    due: dict[Queue, int] = {}
    for queue, count, urgent_count in rows:
        due[Queue(queue)] = count
        if queue == Queue.EXPORT and urgent_count:
            due[Queue.HIGH_PRIORITY] = urgent_count
    return due


_TASKS = select(TASKS, FILES.c.expired_at).outerjoin(FILES, FILES.c.task_id == TASKS.c.id)
_FILES = select(
    FILES.c.name,
    FILES.c.key,
    FILES.c.media_type,
    FILES.c.size,
    FILES.c.sha256,
    FILES.c.created_at,
    FILES.c.expired_at,
)


def _record(row: Row[Any]) -> TaskRecord:
    return TaskRecord(
        id=row.id,
        kind=row.kind,
        status=Status(row.status),
        state=_state(row),
        priority=row.priority,
        attempt=row.attempt,
        progress=row.progress,
        progress_message=row.progress_message,
        parameters=row.parameters,
        result=row.result,
        error_code=row.error_code,
        error_arguments=row.error_arguments,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        run_after=row.run_after,
        queue=Queue(row.queue),
        rank=row.rank,
    )


def _state(row: Row[Any]) -> State:
    match Status(row.status):
        case Status.PENDING:
            return State.RETRYING if row.error_code else State.QUEUED
        case Status.PROCESSING:
            return State.CANCELLING if row.cancel_requested_at else State.RUNNING
        case Status.COMPLETED:
            return State.EXPIRED if row.expired_at else State.DONE
        case Status.FAILED:
            return State.CANCELLED if row.error_code == CancelledError.code else State.FAILED
