"""Exports: ask for one, and list the files that came of them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.gateway.answers import (
    RETRY_SECONDS,
    FileList,
    Submitted,
    file_answer,
    submitted,
)
from services.gateway.clients import ClientsOf, LanguageOf
from services.gateway.cursors import after_file, read_file
from services.gateway.idempotency import Idempotency
from services.gateway.principal import Owner
from services.gateway.requests import ExportRequest
from shared.bell import queues_to_ring
from shared.contracts.tasks import WorkLogsExport
from shared.database import read
from shared.tasks.queries import list_files

router = APIRouter(prefix="/api", tags=["exports"])

Limit = Annotated[int, Query(ge=1, le=1000, description="How many at the most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the last page.")]


@router.post("/export/work-logs", status_code=202)
def submit_export(
    body: ExportRequest,
    response: Response,
    owner: Owner,
    clients: ClientsOf,
    language: LanguageOf,
    idempotency: Idempotency,
) -> Submitted:
    """Ask for an export of work logs; answers at once with the id of its task."""
    task_id = clients.store.submit(
        body.parameters(language), owner=owner, priority=body.priority, idempotency=idempotency
    )
    # Only now that the row is committed. A broker that is away costs nothing: the janitor rings.
    clients.bell.ring(*queues_to_ring(WorkLogsExport.queue, body.priority))
    answer = submitted(task_id, "export_submitted", language)
    response.headers["Location"] = answer.status_url
    response.headers["Retry-After"] = RETRY_SECONDS
    response.headers["Content-Language"] = language.value
    return answer


@router.get("/exports")
def list_exports(
    owner: Owner, clients: ClientsOf, limit: Limit = 100, cursor: Cursor = None
) -> FileList:
    """List the files that can be downloaded, newest first."""
    before = read_file(cursor)
    with read(clients.engine) as connection:
        files = list_files(connection, owner, limit=limit + 1, before=before)
    page = files[:limit]
    more = len(files) > limit
    return FileList(
        count=len(page),
        files=[file_answer(file, clients.settings.zone) for file in page],
        next_cursor=after_file(page[-1].created_at, page[-1].name) if more else None,
    )
