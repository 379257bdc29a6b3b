"""Servers, databases and folders; each test has its own."""

import signal
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from shared.database import create_database_engine
from shared.migrations import Schema, migrate
from shared.tasks.store import TaskStore
from tests.faults import figures
from tests.servers import PostgresServer, RedisServer
from tests.stack import Stack


def pytest_configure() -> None:
    """Let tests send Ctrl-C also where a shell has started them in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show how long recoveries took; here, for this file is read in every process of a run."""
    figures.show(terminalreporter)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder of the test's own."""
    return tmp_path / "data"


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running server that the test may kill and start again."""
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of a server of the test's own."""
    return redis_server.url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the tests of this process; each test gets a database of its own."""
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a fresh, empty PostgreSQL database."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of an SQLite database that is not there yet."""
    return f"sqlite:///{tmp_path}/database.sqlite3"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh, empty database, on either server in turn."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(fixture))


@pytest.fixture
def stack(tmp_path: Path, redis_server: RedisServer, sqlite_url: str) -> Iterator[Stack]:
    """A broker, an SQLite task database, and processes that end with the test."""
    stack = Stack(tmp_path, redis_server, sqlite_url)
    yield stack
    stack.close()


@pytest.fixture
def task_engine(database_url: str) -> Iterator[Engine]:
    """A task database with its tables, on either server in turn."""
    engine = create_database_engine(database_url, pool_size=10)
    migrate(engine, Schema.TASKS)
    yield engine
    engine.dispose()


@pytest.fixture
def store(task_engine: Engine) -> TaskStore:
    """A store whose leases last for the whole test."""
    return TaskStore(task_engine, timedelta(seconds=300))
