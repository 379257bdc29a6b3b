"""Exports from both databases: which rows, in which order, and what a source can do wrong."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import Engine, text

from services.exporter.datasets import WORK_LOGS
from services.exporter.formats import build_formats
from services.exporter.formats.excel_value import excel_value
from services.exporter.formats.local_time import LocalTime
from services.exporter.reader import Reader
from shared.contracts.languages import Language
from shared.contracts.tasks import ExportFormat, ExportResult
from shared.database import create_database_engine
from shared.errors import SourceSchemaError, SourceUnavailableError, StorageUnavailableError
from shared.migrations import Schema, migrate
from shared.tasks.context import StopReason, TaskStopped
from tests.conformance.workbooks import ZONE, as_calamine_says
from tests.integration.exporter.source import (
    add_work_logs,
    contents,
    context_in,
    january,
    run,
    texts,
)
from tests.servers import PostgresServer, free_port


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_database_engine(database_url)
    migrate(engine, Schema.SOURCE)
    add_work_logs(engine)
    yield engine
    engine.dispose()


def test_both_ends_of_the_range_are_inside(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    days = ("2023-12-31", "2024-01-01", "2024-01-31", "2024-02-01")
    add_work_logs(
        engine, *({"log_date": date.fromisoformat(day), "work_content": day} for day in days)
    )
    found = contents(run(database_url, january(), context_in(tmp_path)))
    assert found == ["2024-01-01", "2024-01-31"]


@pytest.mark.parametrize("day", [date(2024, 2, 29), date(9999, 12, 31), date(1, 1, 1)])
def test_a_range_of_one_day(engine: Engine, database_url: str, tmp_path: Path, day: date) -> None:
    add_work_logs(engine, {"log_date": day}, {"log_date": date(2024, 3, 1)})
    parameters = january(start_date=day, end_date=day)
    finished = run(database_url, parameters, context_in(tmp_path))
    assert len(contents(finished)) == 1


def test_rows_are_ordered_by_day_then_id(engine: Engine, database_url: str, tmp_path: Path) -> None:
    add_work_logs(
        engine,
        {"log_date": date(2024, 1, 20), "work_content": "third"},
        {"log_date": date(2024, 1, 10), "work_content": "first"},
        {"log_date": date(2024, 1, 10), "work_content": "second"},
        {"log_date": date(2024, 1, 20), "work_content": "fourth"},
    )
    found = contents(run(database_url, january(), context_in(tmp_path)))
    assert found == ["first", "second", "third", "fourth"]


@pytest.mark.parametrize(
    ("employee_ids", "found"),
    [
        (None, ["1", "2", "3"]),
        (("emp_002",), ["2"]),
        (("emp_003", "emp_001", "emp_003"), ["1", "3"]),
        (("nobody",), []),
        (("emp_001", "' OR 1=1 --", "%", "\0", "\ud800", "emp_002\0"), ["1"]),
        (tuple(f"emp_{n:03}" for n in range(2, 5000)), ["2", "3"]),
    ],
)
def test_employees_are_selected(
    engine: Engine,
    database_url: str,
    tmp_path: Path,
    employee_ids: tuple[str, ...] | None,
    found: list[str],
) -> None:
    add_work_logs(
        engine, *({"employee_id": f"emp_00{n}", "work_content": str(n)} for n in (1, 2, 3))
    )
    finished = run(database_url, january(employee_ids=employee_ids), context_in(tmp_path))
    assert contents(finished) == found


def test_a_month_without_rows_is_a_file_with_a_heading(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    for export_format in ExportFormat:
        finished = run(database_url, january(export_format=export_format), context_in(tmp_path))
        result = finished.result
        assert isinstance(result, ExportResult)
        assert result.records_count == 0
        assert finished.file is not None
        assert finished.file.path.stat().st_size > 0


def test_the_result_is_as_documented(engine: Engine, database_url: str, tmp_path: Path) -> None:
    add_work_logs(engine, *texts("abcdefg"))
    result = run(database_url, january(), context_in(tmp_path)).result
    assert isinstance(result, ExportResult)
    assert re.fullmatch(r"work_logs_2024-01-01_2024-01-31_[0-9a-f]{16}\.csv", result.file_name)
    assert (result.records_count, result.status) == (7, "completed")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", result.created_at)


def test_progress_rises_through_its_three_steps(
    engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_work_logs(engine, *texts("abcdefgh"))
    context = context_in(tmp_path)
    seen: list[tuple[int, str, dict[str, str | int]]] = []
    report = context.report

    def note(percent: int, key: str, **arguments: str | int) -> None:
        report(percent, key, **arguments)
        seen.append((context.progress.percent, key, arguments))

    monkeypatch.setattr(context, "report", note)
    run(database_url, january(), context)
    assert seen == [
        (0, "querying", {}),
        (38, "writing", {"format": "CSV", "written": 3, "total": 8}),
        (72, "writing", {"format": "CSV", "written": 6, "total": 8}),
        (95, "writing", {"format": "CSV", "written": 8, "total": 8}),
        (95, "finishing", {}),
    ]


def test_rows_that_come_meanwhile_are_not_in_the_snapshot(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    add_work_logs(engine, *texts("abcdef"))
    source = create_database_engine(database_url, pool_size=0)
    found: list[object] = []
    with Reader(source, 2).open(WORK_LOGS, january(), context_in(tmp_path)) as snapshot:
        for batch in snapshot.batches:
            add_work_logs(engine, {"log_date": date(2024, 1, 31), "work_content": "late"})
            found += [row[4] for row in batch]
    assert (snapshot.total, found) == (6, list("abcdef"))
    source.dispose()


def test_every_cell_equals_the_database(engine: Engine, database_url: str, tmp_path: Path) -> None:
    moment = datetime(2024, 1, 31, 15, 59, 59, 999_999, tzinfo=UTC)
    add_work_logs(
        engine,
        {"work_content": "=1+1", "self_rating": 5, "created_at": moment},
        {"work_content": "<b>&\"'\r\n_x000D_", "problems_encountered": " 007 "},
        {"log_date": date(2024, 1, 1), "supervisor_rating": 1, "tomorrow_plan": "😀"},
    )
    parameters = january(export_format=ExportFormat.XLSX, language=Language.ENGLISH)
    finished = run(database_url, parameters, context_in(tmp_path))
    assert finished.file is not None
    sheet = CalamineWorkbook.from_path(str(finished.file.path)).get_sheet_by_index(0)
    found = sheet.to_python()[1:]
    names = ", ".join(WORK_LOGS.source_names)
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"SELECT {names} FROM work_log_export ORDER BY log_date, id")
        ).all()
    columns = WORK_LOGS.table(Language.ENGLISH, ZONE, 3, moment).columns[1:]
    for number, (row, cells) in enumerate(zip(rows, found, strict=True), 1):
        wanted = [
            excel_value(value, column, LocalTime(ZONE))
            for value, column in zip(row, columns, strict=True)
        ]
        assert cells == [float(number), *map(as_calamine_says, wanted)]


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
    source = create_database_engine(postgres_url, pool_size=0)

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


def test_every_format_says_what_it_is() -> None:
    for file_format in build_formats().values():
        assert file_format.label
        assert "/" in file_format.media_type
