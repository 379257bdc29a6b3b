"""A whole stack of processes, with sample work logs in its source."""

from collections.abc import Iterator

import httpx
import pytest

from cli.sample_data import load
from shared.database import create_database_engine
from shared.migrations import Schema, migrate
from tests.stack import Stack

ROWS = 30_000


@pytest.fixture
def loaded_stack(stack: Stack) -> Stack:
    """A stack whose source holds `ROWS` work logs of 2024."""
    engine = create_database_engine(f"sqlite:///{stack.data_dir}/source.sqlite3")
    migrate(engine, Schema.SOURCE)
    load(engine, ROWS, append=False, report=lambda _: None)
    engine.dispose()
    return stack


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """A client with the time that real processes need."""
    with httpx.Client(timeout=20) as client:
        yield client
