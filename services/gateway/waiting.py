"""Why a task still waits, and how many are before it."""

from sqlalchemy import Connection

from shared.bell import Bell, queues_to_ring
from shared.contracts.tasks import PendingReason, State
from shared.database import now
from shared.tasks.presence import is_anyone_there
from shared.tasks.queries import TaskRecord, queue_position


def explain_waiting(
    connection: Connection, bell: Bell, task: TaskRecord
) -> tuple[int, PendingReason]:
    """Give a pending task's place in its queue, 1 for the next one, and what it waits for.

    Args:
        connection: to the task database.
        bell: knows whether the broker answers.
        task: one that is pending.
    """
    return queue_position(connection, task), _reason(connection, bell, task)


def _reason(connection: Connection, bell: Bell, task: TaskRecord) -> PendingReason:
    if task.state is State.RETRYING and task.run_after > now(connection):
        return PendingReason.RETRYING
    if not bell.answers():
        return PendingReason.BROKER_UNAVAILABLE
    if not is_anyone_there(connection, queues_to_ring(task.queue, task.priority)):
        return PendingReason.NO_WORKER_ONLINE
    return PendingReason.BACKLOG
