"""Reads an application's rows: one snapshot, a server-side cursor, memory for one batch."""

import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, column, func
from sqlalchemy.exc import DBAPIError

from services.exporter import postgres
from services.exporter.datasets import Dataset
from services.exporter.selection import Types, column_types, select_rows
from services.exporter.table import Batch
from shared.contracts.tasks import WorkLogsExport
from shared.database import READ_ONLY
from shared.errors import SourceSchemaError, SourceUnavailableError
from shared.tasks.context import TaskContext


@dataclass(frozen=True)
class Snapshot:
    """Rows as they were at one moment.

    Attributes:
        total: how many there are.
        batches: gives them, in order.
    """

    total: int
    batches: Iterator[Batch]


class Reader:
    """Reads datasets from one source.

    Args:
        engine: the application's database; nothing is written to it.
        batch_rows: rows read at once.
    """

    def __init__(self, engine: Engine, batch_rows: int) -> None:
        self._engine = engine
        self._batch_rows = batch_rows

    @contextmanager
    def open(
        self, dataset: Dataset, parameters: WorkLogsExport, context: TaskContext
    ) -> Iterator[Snapshot]:
        """Take a snapshot of the rows that the parameters select.

        Raises:
            SourceUnavailableError: the database does not answer.
            SourceSchemaError: it has no such relation, the relation lacks a column, or a column
                holds what the driver cannot read.
        """
        with _source_errors(self._engine, dataset):
            self._check_file()
            with (
                self._connect() as connection,
                connection.begin(),
                context.interrupting(_interrupt_of(connection)),
            ):
                if connection.dialect.name == "postgresql":
                    postgres.set_up_session(connection)
                types = column_types(connection, dataset)
                rows = select_rows(connection, dataset, parameters, types)
                counted = rows.with_only_columns(func.count(), maintain_column_froms=True)
                total = connection.execute(counted).scalar_one()
                ordered = rows.order_by(*map(column, dataset.order))
                # Closed here, while the connection is open, also when not all of them are wanted.
                with closing(self._batches(connection, ordered, types)) as batches:
                    yield Snapshot(total, batches)

    def _connect(self) -> Connection:
        connection = self._engine.connect()
        if self._engine.dialect.name == "sqlite":
            return connection.execution_options(**{READ_ONLY: True})
        return connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    def _check_file(self) -> None:
        path = self._engine.url.database
        if self._engine.dialect.name == "sqlite" and path and not Path(path).exists():
            # SQLite would make an empty one.
            raise SourceSchemaError(
                reason="the SQLite file that BULKHEAD_SOURCE_DATABASE_URL names is not there"
            )

    def _batches(
        self, connection: Connection, rows: Select[*tuple[Any, ...]], types: Types
    ) -> Generator[Batch]:
        if connection.dialect.name == "postgresql":
            yield from self._fetch(connection, rows, postgres.open_cursor(connection, types))
            return
        given = 0
        driver: Any = connection.connection.driver_connection
        try:
            for batch in self._fetch(connection, rows, driver.cursor()):
                given += len(batch)
                yield batch
        except sqlite3.OperationalError as error:
            if "decode" not in str(error):
                raise
            # A text that is no UTF-8, which SQLite stores as it is told: on from there, slower.
            driver.text_factory = _decode_leniently
            try:
                yield from self._fetch(connection, rows.offset(given), driver.cursor())
            finally:
                driver.text_factory = str

    def _fetch(
        self, connection: Connection, rows: Select[*tuple[Any, ...]], opened: Any
    ) -> Iterator[Batch]:
        # The driver's own cursor: plain tuples, without a Row object for each.
        compiled = rows.compile(
            dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
        )
        values: Any = compiled.construct_params()
        if compiled.positiontup is not None:
            values = [values[name] for name in compiled.positiontup]
        with closing(opened) as cursor:
            cursor.execute(str(compiled), values)
            while batch := cursor.fetchmany(self._batch_rows):
                yield batch


def _decode_leniently(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _interrupt_of(connection: Connection) -> Callable[[], None]:
    if connection.dialect.name == "postgresql":
        return lambda: postgres.cancel(connection)
    driver: Any = connection.connection.driver_connection
    interrupt: Callable[[], None] = driver.interrupt
    return interrupt


@contextmanager
def _source_errors(engine: Engine, dataset: Dataset) -> Iterator[None]:
    """Tell a source that is away from one that does not fit."""
    driver = engine.dialect.loaded_dbapi
    try:
        yield
    except (DBAPIError, driver.Error) as error:
        said = error.orig if isinstance(error, DBAPIError) else error
        # SQLite calls operational whatever is wrong with a statement or a view.
        is_wrong = getattr(said, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
        away = (driver.OperationalError, driver.InterfaceError, driver.InternalError)
        if isinstance(said, away) and not is_wrong:
            raise SourceUnavailableError from error
        reason = str(said).partition("\n")[0]
        if reason.endswith(f"no such table: {dataset.relation}"):
            reason = f"there is no view {dataset.relation}"
        raise SourceSchemaError(reason=reason) from error
