"""What rows, bells and logs say: the questions that tests of faults ask."""

from datetime import datetime

from redis import Redis
from sqlalchemy import func, select

from shared.contracts.queues import Queue
from shared.contracts.tasks import Status
from shared.database import read
from shared.tasks.models import FILES, INBOX, TASKS
from shared.tasks.queries import TaskRecord, list_follow_ups
from tests.processes import Service
from tests.stack import OWNER, Stack


class Ledger(Stack):
    """A stack that can be asked what happened in it."""

    def losses(self, task_id: str) -> int:
        """How many workers a task has lost."""
        with read(self.engine) as connection:
            found = select(TASKS.c.losses).where(TASKS.c.id == task_id)
            return int(connection.execute(found).scalar_one())

    def told(self, task_id: str) -> int:
        """How many entries of an inbox tell of a task."""
        with read(self.engine) as connection:
            return connection.execute(
                select(func.count())
                .select_from(INBOX.join(TASKS, TASKS.c.id == INBOX.c.id))
                .where(TASKS.c.parent_id == task_id)
            ).scalar_one()

    def is_told(self, task_id: str) -> bool:
        """Whether what follows from a task has come to its end."""
        with read(self.engine) as connection:
            found = list_follow_ups(connection, task_id, OWNER)
        return [each.status for each in found] == [Status.COMPLETED]

    def follow_up(self, task_id: str) -> TaskRecord:
        """Give the one task that follows from a task."""
        with read(self.engine) as connection:
            (found,) = list_follow_ups(connection, task_id, OWNER)
        return found

    def bells(self) -> int:
        """How many bells for exports nobody has heard yet."""
        with Redis.from_url(self.redis.url) as client:
            return int(client.llen(Queue.EXPORT.value))

    def unacknowledged(self) -> int:
        """How many bells the broker's client would give out anew after the visibility timeout."""
        with Redis.from_url(self.redis.url) as client:
            return int(client.hlen("unacked"))

    def starts(self, task_id: str, *workers: Service) -> int:
        """How often these workers began a task, by their logs."""
        return sum(
            "task_started" in line and task_id in line
            for worker in workers
            for line in worker.log.read_text().splitlines()
        )

    def lease_of(self, task_id: str) -> datetime:
        """Until when a task belongs to its worker."""
        with read(self.engine) as connection:
            found = select(TASKS.c.lease_expires_at).where(TASKS.c.id == task_id)
            lease: datetime = connection.execute(found).scalar_one()
            return lease

    def unfinished(self) -> list[str]:
        """List the tasks that are not over."""
        over = (Status.COMPLETED.value, Status.FAILED.value)
        with read(self.engine) as connection:
            return [*connection.scalars(select(TASKS.c.id).where(TASKS.c.status.not_in(over)))]

    def holders(self) -> list[str]:
        """List the names of the processes that hold a task."""
        running = select(TASKS.c.worker).where(TASKS.c.status == Status.PROCESSING)
        with read(self.engine) as connection:
            return [*connection.scalars(running)]

    def has_lapsed(self) -> bool:
        """Whether any lease had to lapse, as the janitors' logs say."""
        return any(
            "leases_lapsed" in each.log.read_text()
            for each in self.services
            if each.module == "services.janitor"
        )

    def recorded_files(self) -> list[str]:
        """List the files that can be downloaded, by their names in storage."""
        with read(self.engine) as connection:
            return sorted(connection.scalars(select(FILES.c.key)))
