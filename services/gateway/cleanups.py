"""Clean-ups: remove old files, now."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.gateway.answers import Submitted
from services.gateway.clients import ClientsOf, LanguageOf
from services.gateway.idempotency import Idempotency
from services.gateway.principal import Owner
from services.gateway.submission import Submission
from shared.contracts.tasks import CleanUp
from shared.database import now, read

DaysOld = Annotated[
    int, Query(ge=0, le=36_500, description="Remove files that are older; 0 removes all there are.")
]

router = APIRouter(prefix="/api", tags=["clean-up"])


@router.post("/cleanup", status_code=202)
def submit_clean_up(
    response: Response,
    owner: Owner,
    clients: ClientsOf,
    language: LanguageOf,
    idempotency: Idempotency,
    days_old: DaysOld = 7,
) -> Submitted:
    """Remove your export files that are older than some days, in every format."""
    # By the clock that files are dated with, and fixed now: what is made later stays.
    with read(clients.engine) as connection:
        before = now(connection) - timedelta(days=days_old)
    parameters = CleanUp(days_old=days_old, before=before, owner=owner)
    submission = Submission(owner, clients, language, idempotency, response)
    return submission.submit(parameters, "clean_up_submitted")
