"""`bulkhead prepare`: what a set of containers needs before its first start, and at each later one.

Safe to repeat: passwords are made once and kept, folders change hands only if they are another's.
"""

import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine, text

from cli.errors import CliError
from shared.api_keys import LOCAL, create_key, has_keys
from shared.database import UNAVAILABLE, create_database_engine
from shared.migrations import Schema, migrate
from shared.settings import Settings, read_settings

PATIENCE_SECONDS = 120.0
"""How long a database may take to come up the first time."""
SECRET_BYTES = 32
PASSWORDS = ("postgres_password", "redis_password")
SOURCE_DATABASE = "source"
"""Where the sample of an application's data lives, apart from the task records."""
FIRST_KEY = "api_key"


def prepare(folder: Path, owned: Iterable[Path], uid: int, *, needs_key: bool) -> None:
    """Write secrets, give folders to the services' user, migrate the databases.

    Args:
        folder: where the secrets are; the services' group may read them, nobody may change them.
        owned: folders that the services write to.
        uid: the services' user and group.
        needs_key: make a first API key, if there is none.

    Raises:
        CliError: the database does not come up.
    """
    addresses = write_secrets(folder, uid)
    for each in owned:
        give(each, uid)
    settings = read_settings(Settings)
    engine = create_database_engine(settings.database_url, pool_size=0)
    _wait_for(engine)
    migrate(engine, Schema.TASKS)
    if settings.source_database_url == addresses["source_database_url"]:
        # On the server that these containers bring along, wherever the task records are.
        _create_database(
            create_database_engine(addresses["database_url"], pool_size=0), SOURCE_DATABASE
        )
        migrate(create_database_engine(settings.source_database_url, pool_size=0), Schema.SOURCE)
    if needs_key and not has_keys(engine):
        _, key = create_key(engine, "first", LOCAL)
        _write(folder / FIRST_KEY, key, uid)


def write_secrets(folder: Path, uid: int) -> dict[str, str]:
    """Write passwords that are not there yet, and the addresses that they are part of.

    Returns:
        The addresses, by the names of their files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, os.getuid(), uid)
    folder.chmod(0o750)
    for name in PASSWORDS:
        path = folder / name
        if not path.exists():
            _write(path, secrets.token_urlsafe(SECRET_BYTES), uid)
    postgres, redis = ((folder / name).read_text() for name in PASSWORDS)
    addresses = {
        "database_url": f"postgresql://bulkhead:{postgres}@postgres:5432/bulkhead",
        "source_database_url": f"postgresql://bulkhead:{postgres}@postgres:5432/{SOURCE_DATABASE}",
        "redis_url": f"redis://:{redis}@redis:6379/0",
    }
    for name, address in addresses.items():
        _write(folder / name, address, uid)
    return addresses


def give(folder: Path, uid: int) -> None:
    """Give a folder and all that is in it to a user, unless it is that user's already."""
    if folder.stat().st_uid == uid:
        return
    for root, _, files in os.walk(folder):
        for path in (Path(root), *(Path(root) / each for each in files)):
            os.chown(path, uid, uid, follow_symlinks=False)


def _write(path: Path, content: str, group: int) -> None:
    # Whoever waits for the file finds all of it.
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        os.fchown(file.fileno(), os.getuid(), group)
        os.fchmod(file.fileno(), 0o440)
        os.fsync(file.fileno())
    draft.replace(path)


def _wait_for(engine: Engine) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with engine.connect():
                return
        except UNAVAILABLE as error:
            if time.monotonic() > deadline:
                where = urlsplit(engine.url.render_as_string(hide_password=True)).netloc
                raise CliError(f"The database at {where} does not come up: {error}") from error
            time.sleep(0.2)


def _create_database(engine: Engine, name: str) -> None:
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        known = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.execute(known, {"name": name}).first() is None:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
