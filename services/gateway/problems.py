"""Every error becomes a problem: one body, a code, a text in the reader's language."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from services.gateway.validation import field_errors
from shared.contracts.problems import MEDIA_TYPE, FieldError, Problem
from shared.database import is_disconnect
from shared.errors import BulkheadError, RetryableError
from shared.messages import negotiate, say
from shared.tasks.idempotency import IdempotencyConflictError

RETRY_SECONDS = "5"

log = structlog.get_logger(__name__)

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "What is wrong with the request, as problem+json"},
    "503": {"model": Problem, "description": "Try again later"},
}
"""What every endpoint may answer beside its own, for the interface's description."""


class ProblemError(Exception):
    """Ends a request with a problem.

    Args:
        status: of HTTP.
        code: also the key of the problem's text.
        headers: of the answer.
        arguments: of the text.
        field: the one that is wrong, if one is; the text is about it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        *,
        headers: Mapping[str, str] | None = None,
        arguments: Mapping[str, Any] | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.arguments = dict(arguments or {})
        self.field = field


def add_problem_handlers(app: FastAPI) -> None:
    """Have every error answered as a problem."""
    app.add_exception_handler(ProblemError, _expected)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(BulkheadError, _bulkhead)
    for of_database in (DBAPIError, PoolTimeoutError):
        app.add_exception_handler(of_database, _database)
    app.add_exception_handler(Exception, _defect)


def problem_response(
    request: Request,
    status: int,
    code: str,
    *,
    arguments: Mapping[str, Any] | None = None,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Make the answer."""
    language = negotiate(request.headers.get("accept-language"))
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=say(code, language, dict(arguments or {})),
        code=code,
        errors=errors,
        request_id=request.scope.get("request_id"),
    )
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status,
        {"Content-Language": language.value, "Cache-Control": "no-store", **(headers or {})},
        MEDIA_TYPE,
    )


async def _expected(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)  # noqa: S101  (as registered; for the type checker)
    errors = None
    if error.field is not None:
        language = negotiate(request.headers.get("accept-language"))
        message = say(error.code, language, error.arguments)
        errors = [FieldError(field=error.field, message=message)]
    return problem_response(
        request,
        error.status,
        error.code,
        arguments=error.arguments,
        errors=errors,
        headers=error.headers,
    )


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    codes = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
    code = codes.get(error.status_code, "bad_request")
    return problem_response(request, error.status_code, code, headers=error.headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    language = negotiate(request.headers.get("accept-language"))
    errors = field_errors(error.errors(), language)
    fields = ", ".join(dict.fromkeys(each.field for each in errors))
    return problem_response(
        request, 422, "invalid_request", arguments={"fields": fields}, errors=errors
    )


async def _bulkhead(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BulkheadError)  # noqa: S101
    if isinstance(error, IdempotencyConflictError):
        return problem_response(request, 422, error.code, arguments=error.arguments)
    if isinstance(error, RetryableError):
        log.warning("not_available", code=error.code, reason=str(error.__cause__ or ""))
        return problem_response(
            request, 503, "storage_away", headers={"Retry-After": RETRY_SECONDS}
        )
    return await _defect(request, error)


async def _database(request: Request, error: Exception) -> JSONResponse:
    if not is_disconnect(error):
        raise error  # a defect
    log.warning("database_unavailable", reason=str(error.__cause__ or error))
    return problem_response(
        request, 503, "database_unavailable", headers={"Retry-After": RETRY_SECONDS}
    )


async def _defect(request: Request, error: Exception) -> JSONResponse:
    log.error("request_failed", exc_info=error)
    return problem_response(request, 500, "gateway_error")
