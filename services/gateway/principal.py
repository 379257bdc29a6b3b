"""Whose request it is: one dependency for every endpoint that shows or makes anything."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security.utils import get_authorization_scheme_param

from services.gateway.clients import ClientsOf
from services.gateway.problems import ProblemError
from services.gateway.settings import is_loopback
from shared.api_keys import LOCAL, find_owner, has_keys


def _principal(request: Request, clients: ClientsOf) -> str:
    header = request.headers.get("authorization")
    if header is not None:
        scheme, secret = get_authorization_scheme_param(header)
        owner = find_owner(clients.engine, secret) if scheme.lower() == "bearer" else None
        if owner is None:
            raise _unauthorized("api_key_unknown")
        return owner
    if clients.settings.allow_anonymous:
        return LOCAL
    host = request.client.host if request.client else ""
    if is_loopback(host) and not has_keys(clients.engine):
        return LOCAL
    raise _unauthorized("api_key_missing")


def _unauthorized(code: str) -> ProblemError:
    return ProblemError(401, code, headers={"WWW-Authenticate": 'Bearer realm="bulkhead"'})


Owner = Annotated[str, Depends(_principal)]
"""The owner that the request's API key belongs to."""
