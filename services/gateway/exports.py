"""Exports: ask for one, and list the files that came of them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.gateway.answers import FileList, Submitted, file_answer
from services.gateway.clients import ClientsOf, LanguageOf
from services.gateway.cursors import after_file, read_file
from services.gateway.idempotency import Idempotency
from services.gateway.principal import Owner
from services.gateway.requests import ExportRequest
from services.gateway.submission import Submission
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
    submission = Submission(owner, clients, language, idempotency, response)
    return submission.submit(body.parameters(language), "export_submitted", body.priority)


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
