"""The order in which a real worker takes tasks that a real broker rings for."""

import random
from datetime import datetime

from sqlalchemy import select

from shared.contracts.tasks import Status
from shared.database import read
from shared.tasks.models import TASKS
from tests.servers import wait_until
from tests.stack import Stack

PROBE = "tests.probe"


def started(stack: Stack) -> list[tuple[str, str, int, datetime]]:
    """Id, owner, priority and start of the tasks that have started, in that order."""
    columns = (TASKS.c.id, TASKS.c.owner, TASKS.c.priority, TASKS.c.started_at)
    with read(stack.engine) as connection:
        rows = connection.execute(
            select(*columns).where(TASKS.c.started_at.is_not(None)).order_by(TASKS.c.started_at)
        )
        return [(row.id, row.owner, row.priority, row.started_at) for row in rows]


def wait_until_all_are_over(stack: Stack) -> None:
    waiting = select(TASKS.c.id).where(TASKS.c.status != Status.COMPLETED)

    def all_over() -> bool:
        with read(stack.engine) as connection:
            return connection.execute(waiting).first() is None

    wait_until(all_over, seconds=90, what="all tasks are over")


def test_priority_nine_goes_first(stack: Stack) -> None:
    priorities = [each % 10 for each in range(60)]
    random.Random(5).shuffle(priorities)
    for priority in priorities:
        stack.submit(priority=priority)
    stack.service(PROBE).start()
    wait_until_all_are_over(stack)
    assert [row[2] for row in started(stack)] == sorted(priorities, reverse=True)


def test_two_hundred_exports_do_not_delay_another_users_one(stack: Stack) -> None:
    stack.service(PROBE).start()
    for _ in range(200):
        stack.submit(owner="ann")
    wait_until(lambda: len(started(stack)) >= 3, seconds=20, what="ann's run")
    late = stack.submit(owner="bob")
    with read(stack.engine) as connection:
        submitted_at = connection.execute(
            select(TASKS.c.created_at).where(TASKS.c.id == late)
        ).scalar_one()
    wait_until_all_are_over(stack)
    rows = started(stack)
    place = [row[0] for row in rows].index(late)
    running = sum(row[3] <= submitted_at for row in rows)
    # Behind what ran when it came, and at most one that was claimed in the same moment.
    assert place <= running + 1
    assert len(rows) == 201


def test_a_worker_reserved_for_urgent_exports_takes_no_others(stack: Stack) -> None:
    ordinary = [stack.submit(priority=each) for each in (0, 5, 6)]
    urgent = [stack.submit(priority=each) for each in (7, 8, 9)]
    stack.service(PROBE, BULKHEAD_PROBE_QUEUES="high_priority").start()
    for task_id in urgent:
        stack.wait_until_over(task_id)
    assert {stack.task(each).status for each in ordinary} == {Status.PENDING}
    stack.service(PROBE, BULKHEAD_PROBE_QUEUES="export").start()
    stack.service("services.janitor").start()
    for task_id in ordinary:
        stack.wait_until_over(task_id)
