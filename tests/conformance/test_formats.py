"""What every format must do, tried on each that is registered."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.exporter.datasets import WORK_LOGS
from services.exporter.formats import Format, build_formats
from shared.contracts.languages import Language
from shared.contracts.tasks import ExportFormat
from shared.errors import StorageFullError
from shared.storage import storage_errors
from tests.conformance.workbooks import ZONE, read_csv, read_with_calamine, row, write


@pytest.fixture(params=ExportFormat)
def export_format(request: pytest.FixtureRequest) -> ExportFormat:
    return ExportFormat(request.param)


@pytest.fixture
def file_format(export_format: ExportFormat) -> Format:
    return build_formats()[export_format]


def read(export_format: ExportFormat, path: Path) -> list[list[str]]:
    """Every cell as a text, the heading included."""
    if export_format is ExportFormat.CSV:
        return read_csv(path)
    from python_calamine import CalamineWorkbook

    cells = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    return [[f"{c:g}" if isinstance(c, float) else str(c) for c in each] for each in cells]


def test_every_format_that_can_be_asked_for_is_there() -> None:
    assert set(build_formats()) == set(ExportFormat)


def test_a_table_without_rows_has_its_heading(
    export_format: ExportFormat, file_format: Format, tmp_path: Path
) -> None:
    path = write(file_format, tmp_path / "empty", [])
    (heading,) = read(export_format, path)
    assert heading == [column.heading[Language.CHINESE] for column in WORK_LOGS.columns]


def test_each_language_has_its_headings_and_words(
    export_format: ExportFormat, file_format: Format, tmp_path: Path
) -> None:
    statuses = ("completed", "in_progress", "pending", "unheard of")
    rows = [row(completion_status=status) for status in statuses]
    words = {
        Language.CHINESE: ["已完成", "进行中", "待开始", "unheard of"],
        Language.ENGLISH: ["Completed", "In progress", "Pending", "unheard of"],
    }
    for language in Language:
        path = tmp_path / language
        table = WORK_LOGS.table(language, ZONE, len(rows), datetime.now(UTC))
        with file_format.open(path, table) as write_batch:
            write_batch(rows)
        heading, *cells = read(export_format, path)
        assert heading == [column.heading[language] for column in WORK_LOGS.columns]
        assert [each[6] for each in cells] == words[language]


def test_rows_keep_their_order_and_are_numbered_through(
    export_format: ExportFormat, file_format: Format, tmp_path: Path
) -> None:
    rows = [row(work_content=f"text {number}") for number in range(10)]
    _, *cells = read(export_format, write(file_format, tmp_path / "file", rows))
    assert [each[0] for each in cells] == [str(number) for number in range(1, 11)]
    assert [each[5] for each in cells] == [f"text {number}" for number in range(10)]


def test_instants_are_shown_in_the_time_zone_and_days_are_not_moved(
    export_format: ExportFormat, file_format: Format, tmp_path: Path
) -> None:
    rows = [row(log_date="2024-02-29", created_at="2024-02-28 16:00:01.999999")]
    _, cells = read(export_format, write(file_format, tmp_path / "file", rows))
    assert cells[4] == "2024-02-29"
    assert cells[-1] == "2024-02-29 00:00:01"


def test_an_error_while_writing_surfaces(file_format: Format, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-such-folder"):
        write(file_format, tmp_path / "no-such-folder" / "file", [row()])


def test_a_full_disk_surfaces(file_format: Format) -> None:
    # Source: full(4), a file whose writes fail with ENOSPC.
    with pytest.raises(StorageFullError), storage_errors():
        write(file_format, Path("/dev/full"), [row()] * 100)


def test_many_rows_are_all_there(
    export_format: ExportFormat, file_format: Format, tmp_path: Path
) -> None:
    path = write(file_format, tmp_path / "file", [row()] * 5000)
    if export_format is ExportFormat.XLSX:
        assert len(read_with_calamine(path)[0]) == 5000
    else:
        assert len(read_csv(path)) == 5001
