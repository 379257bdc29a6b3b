"""Views that a team made of what it has: other types, other spellings, odd values."""

import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from shared.contracts.tasks import ExportFormat
from shared.errors import SourceSchemaError
from tests.conformance.workbooks import read_csv, read_with_calamine
from tests.integration.exporter.source import add_work_logs, contents, context_in, january, run

PLAIN = {
    "id": "1", "employee_id": "'emp_001'", "employee_name": "'王伟'", "position": "'工程师'",
    "log_date": "'2024-01-15'", "work_content": "'text'", "completion_status": "'completed'",
    "problems_encountered": "NULL", "tomorrow_plan": "NULL", "self_rating": "5",
    "supervisor_rating": "NULL", "supervisor_comment": "NULL",
    "created_at": "'2024-01-15 10:00:00'",
}  # fmt: skip


def make_view(engine: Engine, **columns: str) -> None:
    """A view of one row with these expressions and plain ones."""
    expressions = {**PLAIN, **columns}
    if engine.dialect.name == "postgresql" and "log_date" not in columns:
        expressions["log_date"] = "DATE '2024-01-15'"
    create_view(engine, expressions)


def create_view(engine: Engine, expressions: dict[str, str]) -> None:
    listed = ", ".join(f"{value} AS {name}" for name, value in expressions.items())
    with engine.begin() as connection:
        connection.execute(text("DROP VIEW work_log_export"))
        connection.exec_driver_sql(f"CREATE VIEW work_log_export AS SELECT {listed}")


def record(url: str, folder: Path, employee_ids: tuple[str, ...] | None = None) -> list[str]:
    """The one row of an export as csv."""
    finished = run(url, january(employee_ids=employee_ids), context_in(folder))
    assert finished.file is not None
    (_, cells) = read_csv(finished.file.path)
    return cells


def test_employee_ids_may_be_integers(engine: Engine, database_url: str, tmp_path: Path) -> None:
    make_view(engine, employee_id="CAST(7 AS INTEGER)")
    assert record(database_url, tmp_path, ("abc", "7", "007"))[1] == "7"
    assert contents(run(database_url, january(employee_ids=("8",)), context_in(tmp_path))) == []


def test_columns_may_be_in_capitals(engine: Engine, database_url: str, tmp_path: Path) -> None:
    # SQLite does not tell capitals apart; PostgreSQL folds them where they are not quoted.
    expressions = {name.upper(): value for name, value in PLAIN.items()}
    if engine.dialect.name == "postgresql":
        expressions["LOG_DATE"] = "DATE '2024-01-15'"
    create_view(engine, expressions)
    assert record(database_url, tmp_path)[5] == "text"


def test_days_may_be_texts(engine: Engine, database_url: str, tmp_path: Path) -> None:
    make_view(engine, log_date="CAST('2024-01-31' AS VARCHAR(10))")
    assert record(database_url, tmp_path)[4] == "2024-01-31"
    later = january(start_date=date(2024, 2, 1), end_date=date(9999, 12, 31))
    assert contents(run(database_url, later, context_in(tmp_path))) == []


@pytest.mark.parametrize("export_format", ExportFormat)
def test_a_number_of_any_length(
    engine: Engine, database_url: str, tmp_path: Path, export_format: ExportFormat
) -> None:
    is_postgres = engine.dialect.name == "postgresql"
    make_view(
        engine,
        self_rating="CAST(10 AS numeric) ^ 5000" if is_postgres else "9223372036854775807",
        supervisor_rating="CAST('NaN' AS numeric)" if is_postgres else "9e999",
    )
    finished = run(database_url, january(export_format=export_format), context_in(tmp_path))
    assert finished.file is not None
    if export_format is ExportFormat.CSV:
        cells = read_csv(finished.file.path)[1]
    else:
        cells = read_with_calamine(finished.file.path)[0][0]
    assert Decimal(cells[9]) == (Decimal(10) ** 5000 if is_postgres else 2**63 - 1)
    assert cells[10] == ""


def test_what_python_has_no_value_for_is_shown_as_postgres_writes_it(
    postgres_engine: Engine, postgres_url: str, tmp_path: Path
) -> None:
    make_view(
        postgres_engine,
        created_at="CAST('infinity' AS timestamptz)",
        employee_name="CAST('11111111-1111-1111-1111-111111111111' AS uuid)",
        work_content="""CAST('{"a": true}' AS jsonb)""",
        problems_encountered="ARRAY['a', 'b']",
        tomorrow_plan="CAST('0044-03-15 BC' AS date)",
        supervisor_comment=r"CAST('\x6162' AS bytea)",
    )
    assert record(postgres_url, tmp_path)[2:] == [
        "11111111-1111-1111-1111-111111111111", "工程师", "2024-01-15", '{"a": true}', "已完成",
        "{a,b}", "0044-03-15 BC", "5", "", "ab", "infinity",
    ]  # fmt: skip


def test_a_text_that_is_no_utf8_is_shown_as_far_as_it_can_be(
    sqlite_engine: Engine, sqlite_url: str, tmp_path: Path
) -> None:
    add_work_logs(sqlite_engine, *({"work_content": str(number)} for number in range(10)))
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE work_logs SET work_content = CAST(x'61ff62' AS TEXT) "
            "WHERE work_content IN ('4', '8')"
        )
    found = contents(run(sqlite_url, january(), context_in(tmp_path)))
    assert found == ["0", "1", "2", "3", "a\ufffdb", "5", "6", "7", "a\ufffdb", "9"]


def test_a_view_over_what_is_gone_is_not_tried_again(
    sqlite_engine: Engine, sqlite_url: str, tmp_path: Path
) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("DROP VIEW work_log_export")
        connection.exec_driver_sql("CREATE VIEW work_log_export AS SELECT missing FROM employees")
    with pytest.raises(SourceSchemaError, match="no such column: missing"):
        run(sqlite_url, january(), context_in(tmp_path))


def test_a_file_that_is_no_database_is_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "junk.sqlite3"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(SourceSchemaError, match="not a database"):
        run(f"sqlite:///{path}", january(), context_in(tmp_path))


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_nothing_is_written_to_an_sqlite_source(
    sqlite_engine: Engine, sqlite_url: str, tmp_path: Path, journal_mode: str
) -> None:
    add_work_logs(sqlite_engine, {})
    sqlite_engine.dispose()
    path = Path(str(sqlite_engine.url.database))
    connection = sqlite3.connect(path)
    assert connection.execute(f"PRAGMA journal_mode={journal_mode}").fetchone() == (journal_mode,)
    connection.close()
    before = path.read_bytes()
    assert len(contents(run(sqlite_url, january(), context_in(tmp_path)))) == 1
    assert path.read_bytes() == before
