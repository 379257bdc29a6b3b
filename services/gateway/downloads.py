"""Downloads: a public name is looked up in the database; what a client sends never names a path."""

import re
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse

from services.gateway.clients import Clients, ClientsOf
from services.gateway.principal import Owner
from services.gateway.problems import ProblemError
from services.gateway.ranges import (
    Part,
    UnsatisfiableRangeError,
    choose_part,
    is_not_modified,
    may_send_part,
)
from shared.database import read
from shared.tasks.queries import FileRecord, find_file

router = APIRouter(prefix="/api", tags=["exports"])

# Ours are ASCII without spaces; anything else needs no look.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")
FileName = Annotated[str, Path(description="`file_name` of a finished export.")]


@router.head("/download/{file_name}", include_in_schema=False)
@router.get("/download/{file_name}", response_class=StreamingResponse)
def download(request: Request, file_name: FileName, owner: Owner, clients: ClientsOf) -> Response:
    """Send a file, or a part of it: `Range`, `If-Range` and `If-None-Match` are honoured."""
    file = _find(clients, file_name, owner)
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    if is_not_modified(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    part = _part(request, file, etag)
    status = 200
    if part is None:
        part = Part(0, file.size)
    else:
        status = 206
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{file.size}"
    headers["Content-Length"] = str(part.end - part.start)
    # RFC 6266; our names are ASCII, so both forms are the same.
    headers["Content-Disposition"] = (
        f"attachment; filename=\"{file.name}\"; filename*=UTF-8''{file.name}"
    )
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=file.media_type)
    content = _open(clients, file, part)
    return StreamingResponse(content, status, headers, file.media_type)


def _find(clients: Clients, name: str, owner: str) -> FileRecord:
    file = None
    if _NAME.fullmatch(name):
        with read(clients.engine) as connection:
            file = find_file(connection, name, owner)
    if file is None:
        raise ProblemError(404, "file_unknown")
    if file.expired_at is not None:
        raise ProblemError(410, "file_expired")
    return file


def _part(request: Request, file: FileRecord, etag: str) -> Part | None:
    if request.method != "GET" or not may_send_part(request.headers.get("if-range"), etag):
        return None
    try:
        return choose_part(request.headers.get("range"), file.size)
    except UnsatisfiableRangeError:
        raise ProblemError(
            416, "range_unsatisfiable", headers={"Content-Range": f"bytes */{file.size}"}
        ) from None


def _open(clients: Clients, file: FileRecord, part: Part) -> Iterator[bytes]:
    try:
        return clients.storage.read(file.key, part.start, part.end)
    except FileNotFoundError:  # it expired between the two looks
        raise ProblemError(410, "file_expired") from None
