"""Memory does not grow with rows."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.sample_data import load
from cli.source import open_source
from shared.settings import Settings
from tests.processes import ROOT

LIMIT_MEGABYTES = 150
SCRIPT = """
import re, sys
from pathlib import Path
from shared.contracts.tasks import ExportFormat
from shared.settings import Settings
from tests.integration.exporter.source import context_in, january, run
from datetime import date

folder, export_format = Path(sys.argv[1]), ExportFormat(sys.argv[2])
parameters = january(end_date=date(2024, 12, 31), export_format=export_format)
url = Settings(data_dir=folder).source_database_url
print(run(url, parameters, context_in(folder), batch_rows=500).result.records_count)
# Not getrusage: its peak is inherited from whoever started this process.
print(int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def peak(folder: Path, rows: int, export_format: str) -> int:
    """Export so many rows in a process of its own; give its peak of resident memory in MB."""
    source = open_source(Settings(data_dir=folder))
    load(source, rows, append=False, report=lambda _: None)
    source.dispose()
    command = [sys.executable, "-c", SCRIPT, str(folder), export_format]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    written, megabytes = map(int, done.stdout.split())
    assert written == rows
    return megabytes


@pytest.mark.parametrize("export_format", ["xlsx", "csv"])
def test_ten_times_the_rows_need_no_more_memory(tmp_path: Path, export_format: str) -> None:
    few, many = (
        peak(tmp_path / "few", 8000, export_format),
        peak(tmp_path / "many", 80_000, export_format),
    )
    assert many < LIMIT_MEGABYTES
    assert many < few + 12
