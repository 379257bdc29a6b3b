"""What tests of the store do all the time."""

from datetime import date, timedelta

from sqlalchemy import func, select, update

from shared.contracts.events import ExportFinished
from shared.contracts.queues import Queue
from shared.contracts.tasks import ExportResult, WorkLogsExport
from shared.database import read
from shared.tasks.claims import Claim, Finished, StoredFile
from shared.tasks.models import TASKS
from shared.tasks.queries import TaskRecord, find_task
from shared.tasks.store import TaskStore

LIMITS = {WorkLogsExport.kind: WorkLogsExport.limits}
JANUARY = WorkLogsExport(start_date=date(2024, 1, 1), end_date=date(2024, 1, 31))
LEASE = timedelta(seconds=30)


def claim(store: TaskStore, *, min_priority: int = 0, worker: str = "host:1") -> Claim:
    claimed = store.claim(Queue.EXPORT, worker, LIMITS, min_priority=min_priority)
    assert claimed is not None
    return claimed


def record(store: TaskStore, task_id: str, owner: str = "ann") -> TaskRecord:
    with read(store.engine) as connection:
        found = find_task(connection, task_id, owner)
    assert found is not None
    return found


def let_lease_lapse(store: TaskStore, task_id: str) -> None:
    with store.engine.begin() as connection:
        past = connection.scalar(select(func.min(TASKS.c.created_at)))
        connection.execute(update(TASKS).where(TASKS.c.id == task_id).values(lease_expires_at=past))


def finished_with(name: str) -> Finished:
    result = ExportResult(
        file_name=name,
        records_count=3,
        start_date=JANUARY.start_date,
        end_date=JANUARY.end_date,
        created_at="2024-02-01T08:00:00",
        size=10,
        sha256="ab" * 32,
    )
    return Finished(result=result, event=ExportFinished(parameters=JANUARY, result=result))


def stored(name: str, claimed: Claim) -> StoredFile:
    key = f"{claimed.task_id}/{claimed.attempt}.xlsx"
    return StoredFile(name=name, key=key, media_type="x/y", size=10, sha256="ab" * 32)
