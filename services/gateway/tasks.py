"""Tasks: how far one has come, all of them, and how to cancel one."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from services.gateway.answers import (
    RETRY_SECONDS,
    TaskAnswer,
    TaskList,
    notification_answer,
    task_answer,
)
from services.gateway.clients import Clients, ClientsOf, LanguageOf
from services.gateway.cursors import TASK_ID, after_task, read_task
from services.gateway.exports import Cursor, Limit
from services.gateway.principal import Owner
from services.gateway.problems import ProblemError
from services.gateway.waiting import explain_waiting
from shared.contracts.tasks import Status
from shared.database import read
from shared.tasks.queries import TaskRecord, find_task, list_follow_ups, list_tasks
from shared.tasks.store import Cancellation

router = APIRouter(prefix="/api/tasks", tags=["tasks"])

TaskId = Annotated[str, Path(description="As the submit answered it.")]
Kind = Annotated[str | None, Query(pattern=r"^[a-z_.]{1,64}$", description="Only of this kind.")]


@router.get("")
def list_all(
    owner: Owner,
    clients: ClientsOf,
    language: LanguageOf,
    status: Annotated[Status | None, Query(description="Only with this status.")] = None,
    kind: Kind = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> TaskList:
    """List tasks, newest first."""
    before = read_task(cursor)
    with read(clients.engine) as connection:
        tasks = list_tasks(
            connection, owner, limit=limit + 1, before=before, status=status, kind=kind
        )
    page = tasks[:limit]
    return TaskList(
        tasks=[task_answer(task, language, clients.settings.zone) for task in page],
        next_cursor=after_task(page[-1].id) if len(tasks) > limit else None,
    )


@router.get("/{task_id}")
def show(
    task_id: TaskId, response: Response, owner: Owner, clients: ClientsOf, language: LanguageOf
) -> TaskAnswer:
    """Say how far a task has come; ask again after `Retry-After` seconds while it is not over."""
    task = _find(clients, task_id, owner)
    if task.status in {Status.PENDING, Status.PROCESSING}:
        response.headers["Retry-After"] = RETRY_SECONDS
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Language"] = language.value
    answer = task_answer(task, language, clients.settings.zone)
    if task.status is Status.PENDING:
        with read(clients.engine) as connection:
            answer.queue_position, answer.pending_reason = explain_waiting(
                connection, clients.bell, task
            )
    if task.parameters.get("notify"):
        with read(clients.engine) as connection:
            told = list_follow_ups(connection, task.id, owner)
        answer.notifications = [notification_answer(each, language) for each in told]
    return answer


@router.delete("/{task_id}", status_code=202)
def cancel(
    task_id: TaskId, response: Response, owner: Owner, clients: ClientsOf, language: LanguageOf
) -> TaskAnswer:
    """Cancel a task: at once while it waits, within seconds while it runs."""
    if TASK_ID.fullmatch(task_id):
        cancellation = clients.store.cancel(task_id, owner)
        if cancellation is Cancellation.OVER:
            raise ProblemError(409, "task_is_over")
    response.headers["Retry-After"] = RETRY_SECONDS
    return task_answer(_find(clients, task_id, owner), language, clients.settings.zone)


def _find(clients: Clients, task_id: str, owner: str) -> TaskRecord:
    task = None
    if TASK_ID.fullmatch(task_id):
        with read(clients.engine) as connection:
            task = find_task(connection, task_id, owner)
    if task is None:
        raise ProblemError(404, "task_unknown")
    return task
