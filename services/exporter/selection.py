"""The query that a dataset and a request make, on either database."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    cast,
    collate,
    column,
    func,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from services.exporter.datasets import Dataset
from shared.contracts.tasks import WorkLogsExport
from shared.errors import SourceSchemaError

Types = Mapping[str, int | None]
"""A relation's columns, and the type of each as PostgreSQL numbers them; SQLite has none."""

POSTGRES_TEXTS = frozenset({19, 25, 1042, 1043})
"""name, text, char and varchar. Source: PostgreSQL's catalogue, `pg_type.dat`"""


def column_types(connection: Connection, dataset: Dataset) -> Types:
    """Look at the relation's columns.

    Raises:
        SourceSchemaError: it lacks one that the dataset needs.
    """
    probe = connection.execute(select("*").select_from(table(dataset.relation)).limit(0))
    described: Any = probe.cursor.description
    types: dict[str, int | None] = {each[0]: each[1] for each in described}
    probe.close()
    if connection.dialect.name == "sqlite":  # names are the same in capitals
        types = {name.lower(): kind for name, kind in types.items()}
    missing = [name for name in dataset.required_names if name not in types]
    if missing:
        raise SourceSchemaError(reason=f"{dataset.relation} has no column {', '.join(missing)}")
    return types


def select_rows(
    connection: Connection, dataset: Dataset, parameters: WorkLogsExport, types: Types
) -> Select[*tuple[Any, ...]]:
    """Select the rows of a range of days, both inclusive, and of some employees or all."""
    name, conditions = connection.dialect.name, []
    # SQLite keeps days as text, and so may a view on PostgreSQL.
    is_text = name == "sqlite" or types[dataset.date] in POSTGRES_TEXTS
    day: ColumnElement[Any] = column(dataset.date)
    if is_text and name == "postgresql":
        day = collate(column(dataset.date, Text), "C")
    conditions.append(day >= _bound(parameters.start_date, is_text))
    if parameters.end_date < date.max:
        # Half-open, so that a relation that holds times loses nothing of its last day.
        conditions.append(day < _bound(parameters.end_date + timedelta(days=1), is_text))
    if parameters.employee_ids is not None:
        wanted = [each for each in parameters.employee_ids if _can_be_stored(each)]
        conditions.append(_is_one_of(name, dataset.employee, types[dataset.employee], wanted))
    return (
        select(*(column(each) for each in dataset.source_names))
        .select_from(table(dataset.relation))
        .where(*conditions)
    )


def _bound(day: date, is_text: bool) -> str | date:
    return day.isoformat() if is_text else day


def _is_one_of(
    database: str, name: str, kind: int | None, wanted: list[str]
) -> ColumnElement[bool]:
    """Compare with one array, whatever its length: databases bound the number of parameters."""
    if database == "sqlite":
        values = func.json_each(json.dumps(wanted)).table_valued("value")
        return column(name).in_(select(values.c.value))
    ids = func.any(bindparam("employee_ids", wanted, type_=ARRAY(Text)))
    # Ids are texts to us; a view may have integers or UUIDs. Only then, for it keeps indexes away.
    return (column(name) if kind in POSTGRES_TEXTS else cast(column(name), Text)) == ids


def _can_be_stored(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)
