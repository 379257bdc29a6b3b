"""Settings that all services share. Each service adds its own in a subclass.

Every setting is an environment variable: `BULKHEAD_` and the field's name in capitals. With the
service's name in between (`BULKHEAD_EXPORTER_LOG_LEVEL`) it holds for that service only, and goes
before the general one. With `_FILE` behind it (`BULKHEAD_REDIS_URL_FILE`) it names a file that
holds the value, for when the variable itself is not set. `.env.example` lists them all. They are
read once, where a process starts, and passed down.
"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError
from sqlalchemy.exc import ArgumentError

from shared.database import normalise_url
from shared.secret_files import FileSource

PREFIX = "BULKHEAD_"

EX_CONFIG = 78
"""Exit status of a process whose configuration is wrong. Source: sysexits.h of 4.3BSD"""


class Settings(BaseSettings):
    """What every process of Bulkhead needs to know."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    service: ClassVar[str] = ""
    """The service that a subclass is for, as in `BULKHEAD_<SERVICE>_…`."""

    data_dir: Path = Field(
        default=Path(".bulkhead"),
        description="Private folder of the one-machine default: databases, files, mail.",
    )
    database_url: str = Field(
        default="",
        description="Task records: sqlite:///path or postgresql://…; empty: bulkhead.sqlite3 "
        "in the data folder.",
    )
    source_database_url: str = Field(
        default="",
        description="The application's data, read only; empty: source.sqlite3 in the data folder.",
    )
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="Broker for bells: any server that speaks the Redis protocol.",
    )
    storage_url: str = Field(
        default="",
        description="Where finished files live: file:///path; empty: files/ in the data folder.",
    )
    file_retention_days: int = Field(
        default=7, ge=0, description="How long the scheduled clean-up leaves export files alone."
    )
    timezone: str = Field(
        default="Asia/Shanghai",
        description="IANA time zone of created_at, in answers and in files.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="json, console, or auto: console on a terminal."
    )
    lease_seconds: float = Field(
        default=30,
        ge=1,
        description="How long a task belongs to its worker after a sign of life.",
    )
    heartbeat_seconds: float = Field(
        default=10, gt=0, description="How often a worker gives that sign; a third of the lease."
    )
    max_losses: int = Field(
        default=3, ge=1, description="Workers a task may lose before it fails as worker_lost."
    )
    max_retries: int = Field(
        default=8, ge=0, description="Times a task is tried again after a retryable error."
    )
    retry_base_seconds: float = Field(
        default=2, gt=0, description="First back-off; it doubles each time, with full jitter."
    )
    retry_cap_seconds: float = Field(default=300, gt=0, description="Longest back-off.")
    shutdown_grace_seconds: float = Field(
        default=5,
        ge=0,
        description="How long a stopping worker goes on before it hands its tasks over.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the base class calls it so)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment, and the files that it names; a service's own variables first."""
        general = (env_settings, FileSource(settings_cls, PREFIX))
        if not cls.service:
            return (init_settings, *general)
        prefix = f"{PREFIX}{cls.service.upper()}_"
        own = (EnvSettingsSource(settings_cls, env_prefix=prefix), FileSource(settings_cls, prefix))
        return (init_settings, *own, *general)

    @model_validator(mode="before")
    @classmethod
    def _default_urls(cls, values: dict[str, object]) -> dict[str, object]:
        data_dir = Path(str(values.get("data_dir") or ".bulkhead")).expanduser().absolute()
        values["data_dir"] = data_dir
        defaults = {
            "database_url": f"sqlite:///{data_dir}/bulkhead.sqlite3",
            "source_database_url": f"sqlite:///{data_dir}/source.sqlite3",
            "storage_url": (data_dir / "files").as_uri(),
        }
        for name, default in defaults.items():
            values[name] = values.get(name) or default
        return values

    @field_validator("database_url", "source_database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        try:
            known = normalise_url(value).get_backend_name() in {"sqlite", "postgresql"}
        except ArgumentError:
            known = False
        if not known:
            raise ValueError("use sqlite:///path or postgresql://user:password@host/name")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                f"no such time zone: {value!r}; use a name like Asia/Shanghai"
            ) from error
        return value

    @model_validator(mode="after")
    def _heartbeat_within_lease(self) -> "Settings":
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError("heartbeat_seconds must be at most half of lease_seconds")
        return self

    @property
    def lease(self) -> timedelta:
        """The lease as a duration."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as an object."""
        return ZoneInfo(self.timezone)

    @property
    def effect_seconds(self) -> float:
        """How long a stop waits for what cannot be taken back; the service's tasks say what it is.

        See `shared.tasks.context.TaskContext.pass_point_of_no_return`.
        """
        return 0


class WorkerSettings(Settings):
    """What a worker needs beside the rest. A service's subclass says what its defaults are."""

    pool: Literal["prefork", "threads", "gevent", "solo"] = Field(
        default="prefork",
        description="Celery's pool: prefork for work that computes, threads or gevent for I/O.",
    )
    queues: str = Field(
        default="", description="Queues to consume, separated by commas; empty: all of the service."
    )
    task_events: bool = Field(
        default=False, description="Tell Flower of each bell and of the worker's life."
    )
    concurrency: int = Field(default=1, ge=1, description="Tasks at once in one worker.")
    consumer_patience_seconds: float = Field(
        default=20,
        ge=3,
        description="A worker that is connected but hears no bell for so long ends, to be "
        "started anew.",
    )
    health_host: str = Field(default="127.0.0.1", description="Where health is served.")
    health_port: int = Field(default=0, ge=0, le=65535, description="0 takes a free port.")


SomeSettings = TypeVar("SomeSettings", bound=Settings)


def read_settings(settings_class: type[SomeSettings]) -> SomeSettings:
    """Read a service's settings from the environment, or end the process and say what is wrong.

    Raises:
        SystemExit: with status 78; whoever started the process need not try again.
    """
    try:
        return settings_class()
    except ValidationError as error:
        for each in error.errors(include_url=False):
            name = "_".join(str(part) for part in each["loc"]).upper()
            reason = each["msg"].removeprefix("Value error, ")
            print(f"{PREFIX}{name}: {reason}" if name else reason, file=sys.stderr)  # noqa: T201
        raise SystemExit(EX_CONFIG) from None
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        raise SystemExit(EX_CONFIG) from None
