"""What a source can do wrong, on both databases: other columns, other types, gone, too slow."""

import threading
from datetime import date, datetime
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import Engine, text

from services.exporter.datasets import WORK_LOGS
from services.exporter.reader import Reader
from services.exporter.source import create_source_engine
from shared.contracts.tasks import ExportFormat
from shared.database import create_database_engine
from shared.errors import SourceSchemaError, SourceUnavailableError, StorageUnavailableError
from shared.migrations import Schema, migrate
from shared.tasks.context import StopReason, TaskStopped
from tests.integration.exporter.source import (
    add_work_logs,
    context_in,
    january,
    run,
    texts,
)
from tests.servers import PostgresServer, free_port


def test_a_view_that_lacks_a_column_is_named(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP VIEW work_log_export"))
        connection.execute(
            text("CREATE VIEW work_log_export AS SELECT id, employee_id, log_date FROM work_logs")
        )
    with pytest.raises(SourceSchemaError) as raised:
        run(database_url, january(), context_in(tmp_path))
    assert "has no column employee_name, position" in raised.value.arguments["reason"]  # type: ignore[operator]


def test_a_source_without_the_view_is_named(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP VIEW work_log_export"))
    with pytest.raises(SourceSchemaError, match="work_log_export"):
        run(database_url, january(), context_in(tmp_path))


def test_a_view_of_other_types_is_exported_too(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP VIEW work_log_export"))
        connection.execute(
            text(
                """
                CREATE VIEW work_log_export AS
                SELECT 1 AS id, 'emp_001' AS employee_id, 42 AS employee_name, NULL AS position,
                       CAST('2024-01-31 23:59:59' AS TIMESTAMP) AS log_date, 1.5 AS work_content,
                       'odd' AS completion_status, '' AS problems_encountered,
                       NULL AS tomorrow_plan, 4.25 AS self_rating, 'five' AS supervisor_rating,
                       0 AS supervisor_comment, CAST('2024-01-31 01:02:03' AS TIMESTAMP)
                       AS created_at
                """
                if engine.dialect.name == "postgresql"
                else """
                CREATE VIEW work_log_export AS
                SELECT 1 AS id, 'emp_001' AS employee_id, 42 AS employee_name, NULL AS position,
                       '2024-01-31 23:59:59' AS log_date, 1.5 AS work_content,
                       'odd' AS completion_status, '' AS problems_encountered,
                       NULL AS tomorrow_plan, 4.25 AS self_rating, 'five' AS supervisor_rating,
                       0 AS supervisor_comment, '2024-01-31T01:02:03Z' AS created_at
                """
            )
        )
    parameters = january(export_format=ExportFormat.XLSX)
    finished = run(database_url, parameters, context_in(tmp_path))
    assert finished.file is not None
    sheet = CalamineWorkbook.from_path(str(finished.file.path)).get_sheet_by_index(0)
    assert sheet.to_python()[1] == [
        1.0, "emp_001", "42", "", date(2024, 1, 31), "1.5", "odd", "", "", 4.25, "five", "0",
        datetime(2024, 1, 31, 9, 2, 3),  # noqa: DTZ001  (as calamine gives it)
    ]  # fmt: skip


def test_a_source_that_is_away_is_tried_again(tmp_path: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    with pytest.raises(SourceUnavailableError):
        run(url, january(), context_in(tmp_path))


def test_a_source_that_goes_away_in_the_middle_is_tried_again(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    engine = create_database_engine(postgres_url)
    migrate(engine, Schema.SOURCE)
    add_work_logs(engine, *texts(map(str, range(50))))
    source = create_source_engine(postgres_url)

    def read_while_the_server_ends_connections() -> None:
        with Reader(source, 2).open(WORK_LOGS, january(), context_in(tmp_path)) as snapshot:
            for _ in snapshot.batches:
                with engine.begin() as connection:
                    connection.execute(
                        text(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                        )
                    )

    with pytest.raises(SourceUnavailableError):
        read_while_the_server_ends_connections()
    engine.dispose()
    source.dispose()


def test_an_sqlite_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "missing.sqlite3"
    with pytest.raises(SourceSchemaError, match="not there"):
        run(f"sqlite:///{path}", january(), context_in(tmp_path))
    assert not path.exists()


def test_a_stop_between_two_batches(engine: Engine, database_url: str, tmp_path: Path) -> None:
    add_work_logs(engine, *texts("abcdef"))
    context = context_in(tmp_path)
    context.stop(StopReason.CANCELLED)
    with pytest.raises(TaskStopped):
        run(database_url, january(), context)


def test_a_query_that_runs_is_interrupted(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    columns = ", ".join(f"'x' AS {name}" for name in WORK_LOGS.source_names if name != "log_date")
    slow = {
        "sqlite": "CREATE VIEW work_log_export AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL "
        f"SELECT id + 1 FROM n) SELECT id, '2024-01-15' AS log_date, {columns} FROM n",
        "postgresql": f"CREATE VIEW work_log_export AS SELECT 1 AS id, DATE '2024-01-15' AS "
        f"log_date, {columns} FROM pg_sleep(600)",
    }
    with engine.begin() as connection:
        connection.execute(text("DROP VIEW work_log_export"))
        connection.execute(text(slow[engine.dialect.name]))
    context = context_in(tmp_path)
    timer = threading.Timer(0.3, context.stop, [StopReason.CANCELLED])
    timer.start()
    with pytest.raises((SourceUnavailableError, TaskStopped)):
        run(database_url, january(), context)
    assert context.stop_reason is StopReason.CANCELLED
    timer.join()


def test_scratch_that_cannot_be_made_is_a_storage_error(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "scratch").write_text("in the way")
    with pytest.raises(StorageUnavailableError):
        run(sqlite_url, january(), context_in(tmp_path))
