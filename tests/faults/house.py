"""A house of real services with sample rows, and what every fault's test waits for and asserts."""

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

from shared.bell import queues_to_ring
from shared.contracts.tasks import Addressee, Channel, ExportFormat, Status, WorkLogsExport
from shared.tasks.queries import TaskRecord
from tests.faults.contents import cells, expected_cells
from tests.faults.ledger import Ledger
from tests.faults.pace import Pace
from tests.processes import Service
from tests.servers import RedisServer, promised, wait_until
from tests.stack import OWNER

USER = "user_001"
EXPORTER, NOTIFIER, JANITOR, GATEWAY = (
    f"services.{name}" for name in ("exporter", "notifier", "janitor", "gateway")
)
PAUSED, PROBE = "tests.faults.paused", "tests.probe"
HANDED_OVER_SECONDS = 3
"""What is promised of a stop, from the end of the grace period on."""

Note = Callable[[str, float, int, int], None]


class House(Ledger):
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

    def freeze(self, send: Callable[[int, signal.Signals], None], pid: int) -> None:
        """Send SIGSTOP, and not in the middle of a write on SQLite.

        That keeps all others from writing, and the janitor ends the process: another fault.
        """
        while True:
            send(pid, signal.SIGSTOP)
            if self.can_be_written():
                return
            send(pid, signal.SIGCONT)

    def can_be_written(self) -> bool:
        """Whether nobody keeps the task database locked for a second."""
        if self.engine.dialect.name != "sqlite":
            return True
        path = self.engine.url.database
        assert path is not None
        with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            connection.execute("ROLLBACK")
        return True

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
        try:
            wait_until(lambda: not self.untidy(), seconds=self.pace.patience, what="it is tidy")
        except AssertionError:
            assert self.untidy() == []

    def untidy(self) -> list[str]:
        """List what is in storage for nobody, and what is recorded and not there."""
        return sorted({*self.files()} ^ {*self.recorded_files()})

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
        assert seconds < promised(within or self.pace.patience), f"recovered after {seconds:.1f} s"

    def are_done_once(self, task_ids: list[str], fault: str, since: float) -> None:
        """Assert it of several; what the assertions take is no part of the recovery."""
        self.wait_until_told(*task_ids)
        seconds = time.monotonic() - since
        for each in task_ids:
            self.is_done_once(each, fault, time.monotonic() - seconds)

    def note(self, fault: str, since: float) -> float:
        """Keep a figure of a fault after which nothing is in storage; give the seconds."""
        seconds = time.monotonic() - since
        self._note(fault, seconds, 0, 0)
        return seconds

    def wait_until_claimed(self, task_id: str) -> None:
        """Wait until a task runs, though it may not be able to say so."""
        self.wait_for(task_id, Status.PROCESSING, seconds=self.pace.patience)

    def wait_until_extended(self, task_id: str, before: datetime, seconds: float) -> None:
        """Wait until a lease has been extended beyond what it was, by so much."""
        wait_until(
            lambda: (self.lease_of(task_id) - before).total_seconds() > seconds,
            seconds=self.pace.patience + seconds,
            what=f"the lease of {task_id} is extended",
        )

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
