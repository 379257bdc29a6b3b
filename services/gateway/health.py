"""Whether the gateway is alive and ready, and its metrics; without an API key."""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from services.gateway.clients import Clients, ClientsOf
from shared.health import Check, check_broker, check_database, check_storage, run_checks

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """Alive: the event loop turns."""
    return {"status": "alive"}


@router.get("/readyz")
async def ready(clients: ClientsOf) -> JSONResponse:
    """Ready: database, broker and storage answer; 503 when one does not."""
    # A thread apart from those of requests, which may all be waiting for what is asked about here.
    readiness = await asyncio.to_thread(run_checks, _checks(clients))
    return JSONResponse(readiness.as_json(), 200 if readiness.is_ready else 503)


@router.get("/metrics", include_in_schema=False)
def metrics(_request: Request) -> Response:
    """Metrics for Prometheus."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


def _checks(clients: Clients) -> dict[str, Check]:
    settings = clients.settings
    return {
        "database": lambda: check_database(clients.engine),
        "broker": lambda: check_broker(settings.redis_url),
        "storage": lambda: check_storage(settings.storage_url),
    }
