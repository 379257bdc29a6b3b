"""Exports from both databases: which rows, in which order."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import Engine, text

from services.exporter.datasets import WORK_LOGS, Dataset
from services.exporter.export import Export
from services.exporter.formats import build_formats
from services.exporter.formats.excel_value import excel_value
from services.exporter.formats.local_time import LocalTime
from services.exporter.reader import Reader, Snapshot
from services.exporter.source import create_source_engine
from shared.contracts.languages import Language
from shared.contracts.tasks import ExportFormat, ExportResult, WorkLogsExport
from shared.errors import RowCountError
from shared.settings import Settings
from shared.tasks.context import TaskContext
from tests.conformance.workbooks import ZONE, as_calamine_says
from tests.integration.exporter.source import (
    add_work_logs,
    contents,
    context_in,
    january,
    run,
    texts,
)


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
    source = create_source_engine(database_url)
    found: list[object] = []
    with Reader(source, 2).open(WORK_LOGS, january(), context_in(tmp_path)) as snapshot:
        for batch in snapshot.batches:
            add_work_logs(engine, {"log_date": date(2024, 1, 31), "work_content": "late"})
            found += [row[4] for row in batch]
    assert (snapshot.total, found) == (6, list("abcdef"))
    source.dispose()


class MiscountingReader(Reader):
    """Says that there are more rows than come, or fewer."""

    off_by = 0

    @contextmanager
    def open(
        self, dataset: Dataset, parameters: WorkLogsExport, context: TaskContext
    ) -> Iterator[Snapshot]:
        with super().open(dataset, parameters, context) as snapshot:
            yield Snapshot(snapshot.total + self.off_by, snapshot.batches)


@pytest.mark.parametrize("export_format", ExportFormat)
@pytest.mark.parametrize("off_by", [-7, -1, 1])
def test_a_file_of_another_number_of_rows_is_not_shipped(
    engine: Engine, database_url: str, tmp_path: Path, off_by: int, export_format: ExportFormat
) -> None:
    add_work_logs(engine, *texts("abcdefg"))
    reader = MiscountingReader(create_source_engine(database_url), 3)
    reader.off_by = off_by
    export = Export(reader, build_formats(), Settings())
    with pytest.raises(RowCountError) as raised:
        export(january(export_format=export_format), context_in(tmp_path))
    assert raised.value.arguments["expected"] == 7 + off_by


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


def test_every_format_says_what_it_is() -> None:
    for file_format in build_formats().values():
        assert file_format.label
        assert "/" in file_format.media_type
