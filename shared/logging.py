"""Structured logs: JSON for machines, a readable line on a terminal.

`task_id` and `request_id` are bound as context variables, so every line inside carries them.
"""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict

from shared.settings import Settings


def configure_logging(settings: Settings) -> None:
    """Send all logs of this process, the libraries' too, to standard error in one form.

    Args:
        settings: `log_level` and `log_format`; the service's name stands in every line.
    """
    shared_processors: list[Any] = [
        _ServiceAdder(settings.service),
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared_processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared_processors, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    # It tells of each look at a schema.
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)


class _ServiceAdder:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"] = self._service
        return event


def _renderers(settings: Settings) -> list[Any]:
    on_terminal = settings.log_format == "auto" and sys.stderr.isatty()
    if settings.log_format == "console" or on_terminal:
        # Plain: the default shows every variable on the way, secrets and rows among them.
        plain = structlog.dev.plain_traceback
        return [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
        ]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
