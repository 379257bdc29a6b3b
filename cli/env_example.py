"""`python -m cli.env_example` prints `.env.example`: every setting, its default, what it does."""

import sys
from collections.abc import Collection, Iterator
from textwrap import wrap

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from cli.settings import ClientSettings
from services.exporter.settings import ExporterSettings
from services.gateway.settings import GatewaySettings
from services.janitor.settings import JanitorSettings
from services.notifier.settings import NotifierSettings
from shared.settings import Settings

PREFIX = "BULKHEAD_"
WIDTH = 98
SERVICES: tuple[type[Settings], ...] = (
    GatewaySettings,
    ExporterSettings,
    NotifierSettings,
    JanitorSettings,
)
HEADING = (
    "Every setting and its default. Set one in the environment of the processes, or copy this "
    "file and take away the # before those that you change. An empty value is the default.",
    "A setting for all services may be set for one of them too, with that service's name after "
    f"{PREFIX}, as in {PREFIX}EXPORTER_LOG_LEVEL; it goes before the general one.",
)


def env_example() -> str:
    """Write the whole file from the settings' classes."""
    lines = [line for text in HEADING for line in _comment(text)]
    lines += _section("All services", Settings, PREFIX, without=())
    for settings in SERVICES:
        title = f"The {settings.service}"
        prefix = f"{PREFIX}{settings.service.upper()}_"
        lines += _section(title, settings, prefix, without=Settings.model_fields)
    lines += _section("The command line", ClientSettings, PREFIX, without=())
    return "\n".join(lines) + "\n"


def _section(
    title: str, settings: type[BaseSettings], prefix: str, *, without: Collection[str]
) -> Iterator[str]:
    yield from ("", f"# ---- {title} ----")
    for name, field in settings.model_fields.items():
        if name not in without:
            yield ""
            yield from _comment(field.description or "")
            yield f"#{prefix}{name.upper()}={_default(field)}"


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _comment(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


if __name__ == "__main__":
    sys.stdout.write(env_example())
