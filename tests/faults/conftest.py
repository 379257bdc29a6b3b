"""A house for each fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.sample_data import load
from shared.database import create_database_engine
from shared.migrations import Schema, migrate
from tests.faults.contents import ROWS
from tests.faults.figures import keep
from tests.faults.house import House, Note
from tests.faults.pace import Pace, chosen_pace
from tests.servers import PostgresServer, RedisServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests of faults the time that their waits may take on a busy machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(chosen_pace().timeout))


@pytest.fixture(scope="session")
def pace() -> Pace:
    """The pace that was asked for."""
    return chosen_pace()


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with `ROWS` work logs of 2024."""
    path = tmp_path_factory.mktemp("source") / "source.sqlite3"
    engine = create_database_engine(f"sqlite:///{path}")
    migrate(engine, Schema.SOURCE)
    load(engine, ROWS, append=False, report=lambda _: None)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture
def note(request: pytest.FixtureRequest, pace: Pace) -> Note:
    """Keeps a figure for the table at the end."""

    def note_one(fault: str, seconds: float, lost: int, doubled: int) -> None:
        keep(request.node, pace.name, fault, seconds, lost, doubled)

    return note_one


@pytest.fixture
def house(
    tmp_path: Path, redis_server: RedisServer, sqlite_url: str, source: Path, pace: Pace, note: Note
) -> Iterator[House]:
    """A house whose task database is SQLite."""
    house = House(tmp_path, redis_server, sqlite_url, source, pace, note)
    yield house
    house.close()


@pytest.fixture
def either_house(
    tmp_path: Path,
    redis_server: RedisServer,
    database_url: str,
    source: Path,
    pace: Pace,
    note: Note,
) -> Iterator[House]:
    """A house whose task database is SQLite, then PostgreSQL."""
    house = House(tmp_path, redis_server, database_url, source, pace, note)
    yield house
    house.close()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server of the test's own, which it may stop."""
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def postgres_house(
    tmp_path: Path,
    redis_server: RedisServer,
    own_postgres: PostgresServer,
    source: Path,
    pace: Pace,
    note: Note,
) -> Iterator[House]:
    """A house on a PostgreSQL server that the test may stop."""
    url = own_postgres.create_database("tasks")
    house = House(tmp_path, redis_server, url, source, pace, note)
    yield house
    house.close()
