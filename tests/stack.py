"""A database, a broker and the processes of one test, with settings that make faults quick."""

import os
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import Engine

from shared.bell import Bell, queues_to_ring
from shared.contracts.tasks import Status, WorkLogsExport
from shared.database import create_database_engine, read
from shared.migrations import Schema, migrate
from shared.tasks.queries import TaskRecord, find_task
from shared.tasks.store import TaskStore
from tests.processes import Service
from tests.servers import RedisServer, wait_until

LEASE_SECONDS = 2
OWNER = "local"


class Stack:
    """Everything that an export needs, in folders and on ports of its own."""

    def __init__(self, folder: Path, redis: RedisServer, database_url: str) -> None:
        self.folder = folder
        self.redis = redis
        self.data_dir = folder / "data"
        self.environment = {
            "BULKHEAD_DATA_DIR": str(self.data_dir),
            "BULKHEAD_DATABASE_URL": database_url,
            "BULKHEAD_REDIS_URL": redis.url,
            "BULKHEAD_LEASE_SECONDS": str(LEASE_SECONDS),
            "BULKHEAD_HEARTBEAT_SECONDS": "0.5",
            "BULKHEAD_RETRY_BASE_SECONDS": "0.1",
            "BULKHEAD_SHUTDOWN_GRACE_SECONDS": "0.5",
            "BULKHEAD_JANITOR_SWEEP_SECONDS": "0.5",
        }
        self.engine: Engine = create_database_engine(database_url)
        migrate(self.engine, Schema.TASKS)
        self.store = TaskStore(self.engine, timedelta(seconds=LEASE_SECONDS))
        self.bell = Bell(redis.url)
        self.services: list[Service] = []

    def service(self, module: str, **settings: str) -> Service:
        """Prepare a process; the test starts it."""
        name = "PROBE" if module == "tests.probe" else module.rpartition(".")[2].upper()
        port = f"BULKHEAD_{name}_PORT" if name == "GATEWAY" else f"BULKHEAD_{name}_HEALTH_PORT"
        service = Service(module, {**self.environment, **settings}, self.folder, port)
        self.services.append(service)
        return service

    def submit(self, how: str = "", *, priority: int = 5, owner: str = OWNER) -> str:
        """Submit an export as the gateway does."""
        parameters = WorkLogsExport(
            start_date=date(2024, 1, 1), end_date=date(2024, 1, 31), employee_ids=(how,)
        )
        task_id = self.store.submit(parameters, owner=owner, priority=priority)
        self.bell.ring(*queues_to_ring(parameters.queue, priority))
        return task_id

    def task(self, task_id: str) -> TaskRecord:
        """Read a task."""
        with read(self.engine) as connection:
            found = find_task(connection, task_id, OWNER)
        assert found is not None
        return found

    def wait_for(self, task_id: str, *statuses: Status, seconds: float = 20) -> TaskRecord:
        """Wait until a task has one of these statuses."""
        wait_until(
            lambda: self.task(task_id).status in statuses,
            seconds=seconds,
            what=f"{task_id} is one of {statuses}, not {self.task(task_id)}",
        )
        return self.task(task_id)

    def wait_until_over(self, task_id: str, *, seconds: float = 20) -> TaskRecord:
        """Wait until a task has ended."""
        return self.wait_for(task_id, Status.COMPLETED, Status.FAILED, seconds=seconds)

    def wait_until_runs(self, task_id: str, *, attempt: int = 1) -> TaskRecord:
        """Wait until a task has shown progress in an attempt."""
        wait_until(
            lambda: (task := self.task(task_id)).attempt >= attempt and task.progress > 0,
            seconds=20,
            what=f"{task_id} runs",
        )
        return self.task(task_id)

    def files(self) -> list[str]:
        """List what storage holds, scratch included."""
        root = self.data_dir / "files"
        # Not Path.rglob, which raises when a folder goes away meanwhile.
        return sorted(
            str((Path(folder) / name).relative_to(root))
            for folder, _, names in os.walk(root)
            for name in names
        )

    def close(self) -> None:
        """End every process."""
        for service in self.services:
            service.kill()
        self.bell.close()
        self.engine.dispose()
