"""Reads an application's rows: one snapshot, a server-side cursor, memory for one batch."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, bindparam, column, func, select
from sqlalchemy import table as relation_named
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import Text

from services.exporter.datasets import Dataset
from services.exporter.table import Batch
from shared.contracts.tasks import WorkLogsExport
from shared.database import READ_ONLY
from shared.errors import SourceSchemaError, SourceUnavailableError
from shared.tasks.context import TaskContext

CANCEL_SECONDS = 2.0
CURSOR = "bulkhead_export"


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
                    connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
                _check_columns(connection, dataset)
                rows = _selection(connection, dataset, parameters)
                counted = rows.with_only_columns(func.count(), maintain_column_froms=True)
                total = connection.execute(counted).scalar_one()
                ordered = rows.order_by(*map(column, dataset.order))
                yield Snapshot(total, self._batches(connection, ordered))

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
            raise SourceSchemaError(reason="the SQLite file is not there")

    def _batches(self, connection: Connection, rows: Select[*tuple[Any, ...]]) -> Iterator[Batch]:
        # The driver's own cursor: plain tuples, without a Row object for each.
        compiled = rows.compile(
            dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
        )
        values: Any = compiled.construct_params()
        if compiled.positiontup is not None:
            values = [values[name] for name in compiled.positiontup]
        driver: Any = connection.connection.driver_connection
        on_server = {"name": CURSOR} if connection.dialect.name == "postgresql" else {}
        with closing(driver.cursor(**on_server)) as cursor:
            cursor.execute(str(compiled), values)
            while batch := cursor.fetchmany(self._batch_rows):
                yield batch


def _selection(
    connection: Connection, dataset: Dataset, parameters: WorkLogsExport
) -> Select[*tuple[Any, ...]]:
    """Select the rows of a range of days, both inclusive, and of some employees or all."""
    day: ColumnElement[Any] = column(dataset.date)
    conditions = [day >= _day(connection, parameters.start_date)]
    if parameters.end_date < date.max:
        # Half-open, so that a relation that holds times loses nothing of its last day.
        conditions.append(day < _day(connection, parameters.end_date + timedelta(days=1)))
    if parameters.employee_ids is not None:
        conditions.append(_is_one_of(connection, dataset.employee, parameters.employee_ids))
    return (
        select(*(column(name) for name in dataset.source_names))
        .select_from(relation_named(dataset.relation))
        .where(*conditions)
    )


def _day(connection: Connection, day: date) -> Any:
    # SQLite keeps dates as text.
    return day.isoformat() if connection.dialect.name == "sqlite" else day


def _is_one_of(
    connection: Connection, name: str, employee_ids: tuple[str, ...]
) -> ColumnElement[bool]:
    """Compare with one array, whatever its length: databases bound the number of parameters."""
    wanted = [each for each in employee_ids if _can_be_stored(each)]
    if connection.dialect.name == "sqlite":
        values = func.json_each(json.dumps(wanted)).table_valued("value")
        return column(name).in_(select(values.c.value))
    return column(name) == func.any(bindparam("employee_ids", wanted, type_=ARRAY(Text)))


def _can_be_stored(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def _check_columns(connection: Connection, dataset: Dataset) -> None:
    relation = relation_named(dataset.relation)
    probe = connection.execute(select("*").select_from(relation).limit(0))
    names = set(probe.keys())
    probe.close()
    missing = [name for name in dataset.required_names if name not in names]
    if missing:
        raise SourceSchemaError(reason=f"{dataset.relation} has no column {', '.join(missing)}")


def _interrupt_of(connection: Connection) -> Any:
    driver = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return driver.interrupt  # type: ignore[union-attr]  # sqlite3.Connection
    return lambda: driver.cancel_safe(timeout=CANCEL_SECONDS)  # type: ignore[union-attr]


@contextmanager
def _source_errors(engine: Engine, dataset: Dataset) -> Iterator[None]:
    """Tell a source that is away from one that does not fit."""
    driver = engine.dialect.loaded_dbapi
    try:
        yield
    except (DBAPIError, driver.Error) as error:
        said = error.orig if isinstance(error, DBAPIError) else error
        if "no such table" in str(said):  # SQLite calls this operational
            raise SourceSchemaError(reason=f"there is no view {dataset.relation}") from error
        if isinstance(said, (driver.OperationalError, driver.InterfaceError, driver.InternalError)):
            raise SourceUnavailableError from error
        raise SourceSchemaError(reason=str(said).partition("\n")[0]) from error
