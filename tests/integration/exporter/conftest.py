"""A source database with its tables and three employees."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from shared.database import create_database_engine
from shared.migrations import Schema, migrate
from tests.integration.exporter.source import (
    add_work_logs,
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    yield from source_at(database_url)


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    yield from source_at(sqlite_url)


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    yield from source_at(postgres_url)


def source_at(url: str) -> Iterator[Engine]:
    engine = create_database_engine(url)
    migrate(engine, Schema.SOURCE)
    add_work_logs(engine)
    yield engine
    engine.dispose()
