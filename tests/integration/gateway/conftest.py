"""A gateway in this process, on either database, and what its tests do all the time."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings
from shared.contracts.events import ExportFinished
from shared.contracts.queues import Queue
from shared.contracts.tasks import ExportResult, WorkLogsExport
from shared.storage import Storage
from shared.tasks.claims import Claim, Finished, WrittenFile
from shared.tasks.store import TaskStore
from tests.servers import free_port

BODY = {"start_date": "2024-01-01", "end_date": "2024-01-31"}
LIMITS = {WorkLogsExport.kind: WorkLogsExport.limits}
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def gateway_settings(database_url: str, data_dir: Path) -> GatewaySettings:
    """Nothing listens at the broker's address: that must not matter."""
    return GatewaySettings(
        data_dir=data_dir,
        database_url=database_url,
        redis_url=f"redis://127.0.0.1:{free_port()}/0",
    )


@pytest.fixture
def make_client(
    task_engine: Engine, gateway_settings: GatewaySettings
) -> Iterator[Callable[..., TestClient]]:
    """Makes clients of one gateway: `make_client(headers=…, host=…)`."""
    opened: list[TestClient] = []

    def make(
        *, headers: dict[str, str] | None = None, host: str = "127.0.0.1", **settings: Any
    ) -> TestClient:
        app = create_app(gateway_settings.model_copy(update=settings))
        client = TestClient(
            app, headers=headers, client=(host, 50000), raise_server_exceptions=False
        )
        client.__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client: Callable[..., TestClient]) -> TestClient:
    return make_client(headers={"Accept-Language": "en"})


class Worker:
    """Does by hand what the exporter does."""

    def __init__(self, store: TaskStore, storage: Storage) -> None:
        self.store = store
        self.storage = storage

    def claim(self) -> Claim:
        claim = self.store.claim(Queue.EXPORT, "host:1", LIMITS)
        assert claim is not None
        return claim

    def finish(
        self,
        claim: Claim,
        name: str = "",
        content: bytes = CONTENT,
        rings: Sequence[Queue] = (),
    ) -> str:
        """Complete a task with a file of this content; give its public name."""
        name = name or f"work_logs_2024-01-01_2024-01-31_{claim.task_id}.xlsx"
        scratch = self.storage.scratch(claim.task_id, claim.attempt)
        scratch.mkdir(parents=True)
        path = scratch / "file.xlsx"
        path.write_bytes(content)
        digest = sha256(content).hexdigest()
        file = WrittenFile(path, name, "application/x-test", len(content), digest)
        key = f"{claim.task_id}/{claim.attempt}.xlsx"
        self.storage.publish(path, key)
        result = ExportResult(
            file_name=name,
            records_count=3,
            start_date=WorkLogsExport.model_validate(claim.parameters).start_date,
            end_date=WorkLogsExport.model_validate(claim.parameters).end_date,
            created_at="2024-02-01T08:00:00",
            size=len(content),
            sha256=digest,
        )
        event = ExportFinished(parameters=WorkLogsExport(**claim.parameters), result=result)
        finished = Finished(result=result, file=file, event=event)
        assert self.store.finish(claim, finished, file.stored_as(key)) == [*rings]
        return name


@pytest.fixture
def worker(store: TaskStore, gateway_settings: GatewaySettings) -> Worker:
    return Worker(store, Storage.from_url(gateway_settings.storage_url))


@pytest.fixture
def file_name(client: TestClient, worker: Worker) -> str:
    """The name of a finished export's file, which holds `CONTENT`."""
    client.post("/api/export/work-logs", json=BODY)
    return worker.finish(worker.claim())
