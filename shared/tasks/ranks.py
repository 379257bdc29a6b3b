"""Fair ranks: owners take turns inside one priority.

Start-time fair queuing: a task's rank is one more than the later of its owner's last rank and the
queue's clock, and a claim moves the clock to the rank it took. So whoever submits 200 tasks gets
ranks 1 to 200, whoever comes next gets rank 2, and a claim is a plain scan of one index.
Source: Goyal, Vin, Cheng, "Start-time Fair Queueing", SIGCOMM 1996.

Part of the store: called inside its transactions only.
"""

from typing import Any

from sqlalchemy import Connection, func, select, update

from shared.contracts.queues import Queue
from shared.database import insert_or
from shared.tasks.models import CLOCKS, RANKS


def take_rank(connection: Connection, queue: Queue, priority: int, owner: str) -> int:
    """Give the owner's next task its rank, and remember it."""
    clock = (
        select(CLOCKS.c.clock)
        .where(CLOCKS.c.queue == queue, CLOCKS.c.priority == priority)
        .scalar_subquery()
    )
    now = func.coalesce(clock, 0)
    insert = insert_or(connection, RANKS).values(
        queue=queue, priority=priority, owner=owner, last_rank=now + 1
    )
    later = _greatest(connection, RANKS.c.last_rank, now)
    statement = insert.on_conflict_do_update(
        index_elements=list(RANKS.primary_key), set_={"last_rank": later + 1}
    ).returning(RANKS.c.last_rank)
    return int(connection.execute(statement).scalar_one())


def give_rank_back(connection: Connection, queue: str, priority: int, owner: str) -> None:
    """A task that was cancelled while it waited does not cost its owner a turn."""
    connection.execute(
        update(RANKS)
        .where(RANKS.c.queue == queue, RANKS.c.priority == priority, RANKS.c.owner == owner)
        .values(last_rank=RANKS.c.last_rank - 1)
    )


def advance_clock(connection: Connection, queue: str, priority: int, rank: int) -> None:
    """Move the queue's clock to a rank that was claimed; it never goes back."""
    insert = insert_or(connection, CLOCKS).values(queue=queue, priority=priority, clock=rank)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=list(CLOCKS.primary_key),
            set_={"clock": rank},
            where=CLOCKS.c.clock < rank,
        )
    )


def _greatest(connection: Connection, *values: Any) -> Any:
    name = "max" if connection.dialect.name == "sqlite" else "greatest"
    return getattr(func, name)(*values)
