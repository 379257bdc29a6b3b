"""The statements that the store's transactions are made of. Part of the store."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Update,
    insert,
    literal_column,
    select,
    update,
)
from uuid6 import uuid7

from shared.contracts.events import FAILURES, Event, follow_ups
from shared.contracts.queues import Queue
from shared.contracts.tasks import KINDS, Status, TaskParameters
from shared.database import DatabaseNow, insert_or
from shared.errors import BulkheadError, CancelledError, TimeLimitError, WorkerLostError
from shared.tasks.claims import Claim
from shared.tasks.models import TASKS
from shared.tasks.ranks import give_rank_back, take_rank

NOW = DatabaseNow()

# Written out, not bound: a partial index serves only a condition that the planner can read.
IS_PENDING = TASKS.c.status == literal_column("'pending'")
IS_PROCESSING = TASKS.c.status == literal_column("'processing'")

WAITING: dict[str, Any] = {
    "status": Status.PENDING.value,
    "worker": None,
    "lease_expires_at": None,
    "deadline_at": None,
}
"""Values of a row that waits to be claimed again."""


def ended(status: Status) -> dict[str, Any]:
    """Values of a row that has come to its end."""
    return {
        "status": status.value,
        "finished_at": NOW,
        "lease_expires_at": None,
        "progress_message": None,
    }


def fenced(claim: Claim) -> Update:
    """An update of the claim's row that does nothing once somebody else has claimed it."""
    return update(TASKS).where(*holds(claim))


def holds(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a row is still the claim's."""
    return (TASKS.c.id == claim.task_id, TASKS.c.attempt == claim.attempt, IS_PROCESSING)


def ended_by(connection: Connection, claim: Claim, status: Status) -> bool:
    """Whether the row has ended so already, in the claim's own attempt."""
    row = connection.execute(
        select(TASKS.c.status, TASKS.c.attempt).where(TASKS.c.id == claim.task_id)
    ).one_or_none()
    return row is not None and (row.status, row.attempt) == (status, claim.attempt)


def insert_task(
    connection: Connection,
    task_id: str,
    parameters: TaskParameters,
    *,
    owner: str,
    priority: int,
) -> None:
    """Insert a pending row at its owner's next rank."""
    connection.execute(
        insert(TASKS).values(_new_row(connection, task_id, parameters, owner, priority))
    )


def insert_follow_ups(connection: Connection, parent: Row[Any], event: Event | None) -> list[Queue]:
    """Insert the tasks that follow from an event, each once, and give their queues."""
    if event is None:
        return []
    queues: list[Queue] = []
    for each in follow_ups(event):
        values = _new_row(connection, uuid7().hex, each.parameters, parent.owner, parent.priority)
        values["parent_id"] = parent.id
        values["follows"] = f"{event.name}:{each.recipient}:{each.channel}"
        connection.execute(
            insert_or(connection, TASKS)
            .values(values)
            .on_conflict_do_nothing(index_elements=[TASKS.c.parent_id, TASKS.c.follows])
        )
        queues.append(each.parameters.queue)
    return queues


def fail_row(connection: Connection, statement: Update, error: BulkheadError) -> list[Queue] | None:
    """Run an update that ends a task as failed; give the queues to ring, None if no row matched."""
    row = connection.execute(
        statement.values(
            **ended(Status.FAILED), error_code=error.code, error_arguments=error.arguments
        ).returning(TASKS)
    ).one_or_none()
    if row is None:
        return None
    if row.attempt == 0:  # it was never claimed
        give_rank_back(connection, row.queue, row.priority, row.owner)
    # Whoever cancelled a task knows; an event tells those who do not.
    return (
        []
        if isinstance(error, CancelledError)
        else insert_follow_ups(connection, row, _failure(row, error))
    )


def why_not_again(row: Row[Any], moment: datetime, max_losses: int) -> BulkheadError | None:
    """Say why a task whose worker vanished has failed; None if it may run again.

    Args:
        row: the task's.
        moment: now, by the database's clock.
        max_losses: how many a task may have; the last one fails it.
    """
    if row.cancel_requested_at is not None:
        return CancelledError()
    # Whoever extended the lease beyond the deadline saw the task run until then.
    if row.deadline_at is not None and row.deadline_at <= min(moment, row.lease_expires_at):
        return TimeLimitError()
    if row.losses + 1 >= max_losses:
        return WorkerLostError(losses=row.losses + 1)
    return None


def _new_row(
    connection: Connection, task_id: str, parameters: TaskParameters, owner: str, priority: int
) -> dict[str, Any]:
    return {
        "id": task_id,
        "owner": owner,
        "kind": parameters.kind,
        "queue": parameters.queue.value,
        "priority": priority,
        "rank": take_rank(connection, parameters.queue, priority, owner),
        "parameters": parameters.model_dump(mode="json"),
        "status": Status.PENDING.value,
        "created_at": NOW,
        "run_after": NOW,
    }


def _failure(row: Row[Any], error: BulkheadError) -> Event | None:
    kind = KINDS.get(row.kind)
    event = FAILURES.get(kind) if kind else None
    if kind is None or event is None:
        return None
    return event(
        parameters=kind.model_validate(row.parameters),
        error_code=error.code,
        error_arguments=error.arguments,
    )
