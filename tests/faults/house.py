"""A house of real services with sample rows, and the questions that every fault's test asks it."""

import csv
import os
import shutil
import signal
import time
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook
from redis import Redis
from sqlalchemy import func, select

from cli.sample_data import work_logs
from shared.bell import queues_to_ring
from shared.contracts.queues import Queue
from shared.contracts.tasks import Addressee, Channel, ExportFormat, Status, WorkLogsExport
from shared.database import read
from shared.tasks.models import FILES, INBOX, TASKS
from shared.tasks.queries import TaskRecord, list_follow_ups
from tests.faults.pace import Pace
from tests.processes import Service
from tests.servers import RedisServer, wait_until
from tests.stack import OWNER, Stack

ROWS = 3000
USER = "user_001"
EXPORTER, NOTIFIER, JANITOR, GATEWAY = (
    f"services.{name}" for name in ("exporter", "notifier", "janitor", "gateway")
)
PAUSED, PROBE = "tests.faults.paused", "tests.probe"

Note = Callable[[str, float, int, int], None]


class House(Stack):
    """Everything that an export needs, at a pace; its services are nobody's superuser.

    Args:
        folder: the test's own.
        redis: its broker.
        database_url: its task database.
        source: an SQLite file with `ROWS` work logs; copied.
        pace: lease, sweep and the rest.
        note: keeps a figure.
    """

    def __init__(
        self,
        folder: Path,
        redis: RedisServer,
        database_url: str,
        source: Path,
        pace: Pace,
        note: Note,
    ) -> None:
        super().__init__(folder, redis, database_url)
        self.pace = pace
        self.environment.update(pace.environment())
        self.marker = folder / "paused"
        self.accepted: list[str] = []
        self._note = note
        self.data_dir.mkdir(exist_ok=True)
        shutil.copy(source, self.data_dir / "source.sqlite3")

    def service(self, module: str, **settings: str) -> Service:
        """Prepare a process without root's powers; the test starts it."""
        service = module.rpartition(".")[2] if module != PAUSED else settings["PAUSED_SERVICE"]
        port = "PORT" if service == "gateway" else "HEALTH_PORT"
        prepared = Service(
            module,
            {**self.environment, **settings},
            self.folder,
            f"BULKHEAD_{service.upper()}_{port}",
            privileged=False,
        )
        self.services.append(prepared)
        return prepared

    def paused(self, service: str, at: str, **settings: str) -> Service:
        """Prepare a service that waits at a point of `tests.faults.paused`."""
        return self.service(
            PAUSED,
            PAUSED_SERVICE=service.rpartition(".")[2],
            PAUSED_AT=at,
            PAUSED_MARKER=str(self.marker),
            **settings,
        )

    def start(self, *services: Service | str) -> list[Service]:
        """Start services together, and wait until all are ready."""
        started = [each if isinstance(each, Service) else self.service(each) for each in services]
        for each in started:
            each.launch()
        for each in started:
            each.wait_until_ready()
        return started

    def wait_until_paused(self) -> int:
        """Wait until somebody has come to the point; give the process's id."""
        wait_until(self.marker.exists, seconds=self.pace.patience, what="the point is reached")
        return int(self.marker.read_text())

    def resume(self) -> None:
        """Let whoever waits go on."""
        self.marker.with_suffix(".go").touch()

    def export(
        self,
        export_format: ExportFormat = ExportFormat.XLSX,
        *,
        channel: Channel | None = Channel.INBOX,
        ring: int = 1,
    ) -> str:
        """Submit an export of the whole year as the gateway does; its user is told."""
        parameters = WorkLogsExport(
            start_date=date(2024, 1, 1),
            end_date=date(2024, 12, 31),
            export_format=export_format,
            notify=Addressee(user_id=USER, channel=channel) if channel else None,
        )
        task_id = self.store.submit(parameters, owner=OWNER)
        self.accepted.append(task_id)
        self.bell.ring(*queues_to_ring(parameters.queue, 5) * ring)
        return task_id

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

    def wait_until_told(self, *task_ids: str) -> None:
        """Wait until tasks are over and their users have been told."""
        for each in task_ids:
            self.wait_until_over(each, seconds=self.pace.patience)
            wait_until(
                lambda each=each: self.is_told(each),  # type: ignore[misc]
                seconds=self.pace.patience,
                what=f"somebody is told of {each}",
            )

    def wait_until_tidy(self) -> None:
        """Wait until storage holds the recorded files and nothing else."""
        wait_until(
            lambda: self.files() == self.recorded_files(),
            seconds=self.pace.patience,
            what=f"storage holds {self.recorded_files()}, not {self.files()}",
        )

    def recorded_files(self) -> list[str]:
        """List the files that can be downloaded, by their names in storage."""
        with read(self.engine) as connection:
            return sorted(connection.scalars(select(FILES.c.key)))

    def is_done_once(self, task_id: str, fault: str, since: float, *, within: float = 0) -> None:
        """Assert that an export has one file with the right rows and has been told of once.

        Args:
            task_id: the export.
            fault: what has happened, for the table.
            since: when it did, by the monotonic clock.
            within: seconds that its recovery may take; 0: a test's patience.
        """
        self.wait_until_told(task_id)
        seconds = time.monotonic() - since
        task = self.task(task_id)
        assert task.status is Status.COMPLETED, task
        self.wait_until_tidy()
        files = [each for each in self.files() if each.startswith(f"{task_id}/")]
        doubled = len(files) - 1 + self.told(task_id) - 1
        self._note(fault, seconds, int(not files), doubled)
        assert files == [f"{task_id}/{task.attempt}.{task.parameters['export_format']}"]
        assert self.told(task_id) == 1
        assert cells(self.data_dir / "files" / files[0]) == expected_cells()
        assert seconds < (within or self.pace.patience), f"recovered after {seconds:.1f} s"

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

    def note(self, fault: str, since: float) -> float:
        """Keep a figure of a fault after which nothing is in storage; give the seconds."""
        seconds = time.monotonic() - since
        self._note(fault, seconds, 0, 0)
        return seconds

    def wait_until_claimed(self, task_id: str) -> None:
        """Wait until a task runs, though it may not be able to say so."""
        self.wait_for(task_id, Status.PROCESSING, seconds=self.pace.patience)

    def lease_of(self, task_id: str) -> datetime:
        """Until when a task belongs to its worker."""
        with read(self.engine) as connection:
            found = select(TASKS.c.lease_expires_at).where(TASKS.c.id == task_id)
            lease: datetime = connection.execute(found).scalar_one()
            return lease

    def wait_until_extended(self, task_id: str, before: datetime, seconds: float) -> None:
        """Wait until a lease has been extended beyond what it was, by so much."""
        wait_until(
            lambda: (self.lease_of(task_id) - before).total_seconds() > seconds,
            seconds=self.pace.patience + seconds,
            what=f"the lease of {task_id} is extended",
        )

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

    def waits_again(self, task_id: str, attempt: int = 2) -> TaskRecord:
        """Wait until a task has been claimed for the n-th time."""
        wait_until(
            lambda: self.task(task_id).attempt >= attempt,
            seconds=self.pace.patience,
            what=f"attempt {attempt} of {self.task(task_id)}",
        )
        return self.task(task_id)


def kill_all(service: Service) -> None:
    """SIGKILL a service and its children, all at once."""
    os.killpg(service.running.pid, signal.SIGKILL)
    service.running.wait()


def cells(path: Path) -> list[tuple[int, str, str]]:
    """Number, employee and content of every row in a file."""
    rows: list[list[Any]]
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    else:
        rows = [*CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()]
    return [(int(row[0]), str(row[1]), str(row[5])) for row in rows[1:]]


@cache
def expected_cells() -> list[tuple[int, str, str]]:
    """What a file of the whole year must hold."""
    return [
        (number, row["employee_id"], row["work_content"])
        for number, row in enumerate(work_logs(ROWS), 1)
    ]
