"""One machine's instance: its data folder, who runs in it, and the addresses of its parts."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CliError
from cli.ports import free_port, is_free
from shared.settings import Settings, read_settings

FACTS = "instance.json"
FACTS_LOCK = "instance.lock"
LOCK = "up.lock"
REDIS_URL = "BULKHEAD_REDIS_URL"


@dataclass(frozen=True)
class Instance:
    """A data folder and the settings that go with it.

    Attributes:
        settings: as the environment says, with the private broker's address if there is none.
        redis_port: of the private broker; None if the environment names another.
    """

    settings: Settings
    redis_port: int | None

    @classmethod
    def open(cls, data_dir: Path | None) -> "Instance":
        """Open the instance in a folder; the private broker's port is chosen once and kept."""
        if data_dir is not None:
            os.environ["BULKHEAD_DATA_DIR"] = str(data_dir.expanduser().absolute())
        settings = read_settings(Settings)
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if "redis_url" in settings.model_fields_set:  # a variable names it, or a file
            return cls(settings, None)
        return cls._with_port(_kept_port(settings.data_dir) or _choose_port(settings.data_dir))

    def with_free_port(self) -> "Instance":
        """Give the same instance, with another port for its broker if somebody has taken it."""
        port = self.redis_port
        if port is None or is_free(port):
            return self
        return self._with_port(_choose_port(self.settings.data_dir, instead_of=port))

    @classmethod
    def _with_port(cls, port: int) -> "Instance":
        os.environ[REDIS_URL] = f"redis://127.0.0.1:{port}/0"
        instance = cls(read_settings(Settings), port)
        del os.environ[REDIS_URL]
        return instance

    def environment(self) -> dict[str, str]:
        """Give the variables with which any service joins this instance."""
        settings = self.settings
        return {
            "BULKHEAD_DATA_DIR": str(settings.data_dir),
            "BULKHEAD_DATABASE_URL": settings.database_url,
            "BULKHEAD_SOURCE_DATABASE_URL": settings.source_database_url,
            REDIS_URL: settings.redis_url,
            "BULKHEAD_STORAGE_URL": settings.storage_url,
        }

    @property
    def has_own_source(self) -> bool:
        """Whether the source is the sample in the data folder, which is ours to migrate."""
        own = f"sqlite:///{self.settings.data_dir}/source.sqlite3"
        return self.settings.source_database_url == own

    @contextmanager
    def locked(self, url: str) -> Iterator[None]:
        """Hold the folder, so that only one `up` runs in it.

        Args:
            url: where this one answers, for those who come later.

        Raises:
            CliError: another one does.
        """
        with (self.settings.data_dir / LOCK).open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                raise CliError(
                    f"Bulkhead is running in {self.settings.data_dir} already "
                    f"({file.read().strip() or 'it is starting'}). "
                    "Stop it first, or give another --data-dir and --port."
                ) from None
            file.truncate(0)
            file.write(f"process {os.getpid()}, {url}")
            file.flush()
            yield


def check_port(host: str, port: int) -> None:
    """Raise a `CliError` unless a gateway can listen there."""
    try:
        free = is_free(port, host)
    except OSError as error:
        raise CliError(f"Port {port} of {host} cannot be used: {error.strerror}") from error
    if not free:
        raise CliError(f"Port {port} of {host} is in use. Give another, e.g. --port {free_port()}")


def _kept_port(data_dir: Path) -> int | None:
    try:
        return int(json.loads((data_dir / FACTS).read_text())["redis_port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _choose_port(data_dir: Path, *, instead_of: int | None = None) -> int:
    # Whoever comes at the same time finds all of the file, and the port that is kept.
    with (data_dir / FACTS_LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = _kept_port(data_dir)
        if kept is not None and kept != instead_of:
            return kept
        port = free_port()
        draft = data_dir / f"{FACTS}.new"
        draft.write_text(json.dumps({"redis_port": port}))
        draft.replace(data_dir / FACTS)
        return port
