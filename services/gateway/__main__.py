"""`python -m services.gateway` migrates the task database and serves the REST interface."""

import sys

import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from services.gateway.app import app, settings
from shared.api_keys import has_keys
from shared.database import create_database_engine
from shared.logging import configure_logging
from shared.migrations import Schema, migrate
from shared.settings import EX_CONFIG

log = structlog.get_logger(__name__)

OPEN_WITHOUT_KEYS = (
    "The gateway does not listen on {host} without API keys: anybody could read every export. "
    "Make one with `bulkhead keys create NAME`, or listen on 127.0.0.1, or set "
    "BULKHEAD_ALLOW_ANONYMOUS=true if something in front of it checks who asks."
)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logging(settings)
    _prepare()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def _prepare() -> None:
    engine = create_database_engine(settings.database_url, pool_size=0)
    try:
        migrate(engine, Schema.TASKS)
        is_open = not (settings.is_private or settings.allow_anonymous or has_keys(engine))
    except SQLAlchemyError as error:
        log.error("database_unavailable", reason=str(error.__cause__ or error))  # noqa: TRY400
        sys.exit(1)
    if is_open:
        print(OPEN_WITHOUT_KEYS.format(host=settings.host), file=sys.stderr)  # noqa: T201
        sys.exit(EX_CONFIG)


main()
