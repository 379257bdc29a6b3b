"""The header `Idempotency-Key`: the same key and body give the same task."""

import json
import re
from typing import Annotated

from fastapi import Depends, Header, Request

from services.gateway.problems import ProblemError
from shared.tasks.idempotency import IdempotencyKey

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


async def _idempotency(
    request: Request, idempotency_key: Annotated[str | None, Header()] = None
) -> IdempotencyKey | None:
    if idempotency_key is None:
        return None
    if not _KEY.fullmatch(idempotency_key):
        raise ProblemError(422, "idempotency_key_malformed", field="Idempotency-Key")
    body = await request.body()  # read already: this gives it again
    meaning = {
        "body": json.loads(body) if body else None,
        "path": request.path_params,
        "query": dict(request.query_params),
    }
    return IdempotencyKey.for_body(request.scope["route"].path, idempotency_key, meaning)


Idempotency = Annotated[IdempotencyKey | None, Depends(_idempotency)]
"""The request's key, if it has one."""
