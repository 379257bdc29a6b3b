"""`python -m cli.env_example > .env.example`: every setting, its default and what it does."""

import sys
import textwrap
from pathlib import Path

from pydantic_settings import BaseSettings

from cli.settings import ClientSettings
from services.exporter.settings import ExporterSettings
from services.gateway.settings import GatewaySettings
from services.janitor.settings import JanitorSettings
from services.notifier.settings import NotifierSettings
from shared.settings import Settings

SERVICES: tuple[type[Settings], ...] = (
    GatewaySettings,
    ExporterSettings,
    NotifierSettings,
    JanitorSettings,
)
WIDTH = 96
HEADER = """\
# Every setting of Bulkhead: its default, and what it does.
#
# Each is an environment variable. A general one holds for all services; with a service's name in
# it, BULKHEAD_EXPORTER_LOG_LEVEL say, it holds for that service only and goes before the general
# one. Settings are read once, when a process starts; a wrong one ends the process with status 78
# and says what is wrong. An empty one counts as not set.
#
# Passwords need not stand in the environment: with _FILE behind its name a variable names a file
# that holds the value, BULKHEAD_REDIS_URL_FILE=/run/secrets/redis_url say. This holds for every
# setting of the services; the variable itself, if it is set, goes before its file.
"""


def example() -> str:
    """Give the text of `.env.example`."""
    lines = [HEADER, "# All services\n"]
    lines += [_setting("BULKHEAD_", Settings, name) for name in Settings.model_fields]
    for settings in SERVICES:
        lines.append(f"\n# The {settings.service}\n")
        own = [name for name in settings.model_fields if name not in Settings.model_fields]
        lines += [_setting(f"BULKHEAD_{settings.service.upper()}_", settings, name) for name in own]
    lines.append("\n# The command line\n")
    lines += [_setting("BULKHEAD_", ClientSettings, name) for name in ClientSettings.model_fields]
    return "\n".join(lines)


def _setting(prefix: str, settings: type[BaseSettings], name: str) -> str:
    field = settings.model_fields[name]
    default = field.default
    if isinstance(default, bool):
        default = str(default).lower()
    elif isinstance(default, float):
        default = f"{default:g}"
    elif isinstance(default, Path):
        default = default.as_posix()
    text = textwrap.fill(
        field.description or "", WIDTH, initial_indent="# ", subsequent_indent="# "
    )
    return f"{text}\n# {prefix}{name.upper()}={default}"


if __name__ == "__main__":
    sys.stdout.write(example() + "\n")
