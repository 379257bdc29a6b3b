"""Wires the gateway. `uvicorn services.gateway.app:app` serves it too."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI

from services.gateway import cleanups, downloads, exports, health, notifications, tasks
from services.gateway.body_limit import BodyLimit
from services.gateway.clients import Clients
from services.gateway.documentation import add_documentation
from services.gateway.problems import PROBLEMS, add_problem_handlers
from services.gateway.request_log import RequestLog
from services.gateway.settings import GatewaySettings
from shared.settings import read_settings


def create_app(settings: GatewaySettings) -> FastAPI:
    """Make the app; its clients are built when it starts, and nothing connects before."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.clients = Clients(settings)
        yield
        app.state.clients.close()

    app = FastAPI(
        title="Bulkhead",
        summary="Asynchronous bulk export",
        version=_version(),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
    )
    for module in (exports, downloads, tasks, notifications, cleanups, health):
        app.include_router(module.router)
    add_documentation(app)
    add_problem_handlers(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestLog)
    return app


def _version() -> str:
    try:
        return version("bulkhead")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"


settings = read_settings(GatewaySettings)
app = create_app(settings)
