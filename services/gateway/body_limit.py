"""Refuses a body that is too large, also one that does not say its length."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.problems import problem_response

LARGEST_BODY = 1024 * 1024
"""Bytes."""


class BodyLimit:
    """Middleware: 413 at once when the length is told, else as soon as too much has come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told) > LARGEST_BODY:
            refusal = problem_response(Request(scope), 413, "body_too_large")
            await refusal(scope, receive, send)
            return
        come = 0

        async def receive_counted() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > LARGEST_BODY:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_counted, send)
