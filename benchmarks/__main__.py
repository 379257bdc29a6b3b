"""`python -m benchmarks`: rows from SQLite into an xlsx file, ours against other writers.

Each writer runs in a process of its own, on one core, with the same rows from the same database;
rounds are interleaved, so that a machine that grows slower does so for all of them.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from cli.sample_data import load
from cli.source import open_source
from services.exporter.datasets import WORK_LOGS
from services.exporter.formats.xlsx import Xlsx
from services.exporter.reader import Reader
from services.exporter.source import create_source_engine
from services.exporter.table import Batch, Table
from shared.contracts.languages import Language
from shared.contracts.queues import Queue
from shared.contracts.tasks import WorkLogsExport
from shared.settings import Settings
from shared.tasks.claims import Claim
from shared.tasks.context import TaskContext

ZONE = ZoneInfo("Asia/Shanghai")
YEAR = WorkLogsExport(start_date=date(2024, 1, 1), end_date=date(2024, 12, 31))
BATCH_ROWS = 500


def write_with_bulkhead(path: Path, table: Table, batches: Iterable[Batch]) -> None:
    """Write as the exporter does."""
    with Xlsx().open(path, table) as write_batch:
        for batch in batches:
            write_batch(batch)


def write_with_openpyxl(path: Path, table: Table, batches: Iterable[Batch]) -> None:
    """Write with openpyxl's write-only mode."""
    workbook = import_module("openpyxl").Workbook(write_only=True)
    sheet = workbook.create_sheet(table.title)
    sheet.append([column.heading for column in table.columns])
    for row in plain_rows(table, batches):
        sheet.append(row)
    workbook.save(path)


def write_with_xlsxwriter(path: Path, table: Table, batches: Iterable[Batch]) -> None:
    """Write with XlsxWriter's constant-memory mode."""
    workbook = import_module("xlsxwriter").Workbook(path, {"constant_memory": True})
    sheet = workbook.add_worksheet(table.title)
    day = workbook.add_format({"num_format": "yyyy-mm-dd"})
    moment = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    sheet.write_row(0, 0, [column.heading for column in table.columns])
    for number, row in enumerate(plain_rows(table, batches), 1):
        for place, value in enumerate(row):
            if isinstance(value, str):
                sheet.write_string(number, place, value)
            elif isinstance(value, datetime):
                sheet.write_datetime(number, place, value, moment)
            elif isinstance(value, date):
                sheet.write_datetime(number, place, value, day)
            elif value is not None:
                sheet.write_number(number, place, value)
    workbook.close()


Writer = Callable[[Path, Table, Iterable[Batch]], None]
WRITERS: dict[str, Writer] = {
    "bulkhead": write_with_bulkhead,
    "openpyxl": write_with_openpyxl,
    "xlsxwriter": write_with_xlsxwriter,
}
"""The last one is measured where it is installed."""


def plain_rows(table: Table, batches: Iterable[Batch]) -> Iterator[list[Any]]:
    """Give the sample rows as the other writers take them, with no more work than that needs."""
    number, words = 0, table.columns[6].words
    for batch in batches:
        for row in batch:
            number += 1
            values: list[Any] = [number, *row]
            values[4] = date.fromisoformat(values[4])
            values[6] = words[values[6]]
            moment = datetime.fromisoformat(values[12]).replace(tzinfo=UTC)
            values[12] = moment.astimezone(table.zone).replace(tzinfo=None)
            yield values


def write(writer: str, folder: Path) -> dict[str, float]:
    """Export the year with one writer; give rows, seconds, bytes and the peak of memory in MB."""
    settings = Settings(data_dir=folder)
    reader = Reader(create_source_engine(settings.source_database_url), BATCH_ROWS)
    claim = Claim("benchmark", 1, "local", YEAR.kind, Queue.EXPORT, {}, 0)
    path = folder / f"{writer}.xlsx"
    began = time.perf_counter()
    with reader.open(WORK_LOGS, YEAR, TaskContext(claim, folder)) as snapshot:
        table = WORK_LOGS.table(Language.CHINESE, ZONE, snapshot.total, datetime.now(UTC))
        WRITERS[writer](path, table, snapshot.batches)
    seconds = time.perf_counter() - began
    size = path.stat().st_size
    path.unlink()
    return {
        "rows": snapshot.total,
        "seconds": seconds,
        "bytes": size,
        "megabytes": peak_megabytes(),
    }


def peak_megabytes() -> float:
    """Give this process's peak of resident memory; getrusage would count its parent's too."""
    found = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def measure(writer: str, folder: Path) -> dict[str, float]:
    """Run one writer in a process of its own, on the first core."""
    command = [sys.executable, "-m", "benchmarks", "--only", writer, "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=WRITERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(write(arguments.only, arguments.folder)))
        return
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as name:
        folder = Path(name)
        print(f"Preparing {arguments.rows:,} sample work logs in SQLite...", flush=True)
        source = open_source(Settings(data_dir=folder))
        load(source, arguments.rows, append=False, report=lambda _: None)
        source.dispose()
        writers = [each for each in WRITERS if each == "bulkhead" or find_spec(each)]
        rounds: dict[str, list[dict[str, float]]] = {writer: [] for writer in writers}
        for number in range(arguments.rounds):
            for writer in writers:
                print(f"Round {number + 1} of {arguments.rounds}: {writer}", flush=True)
                rounds[writer].append(measure(writer, folder))
    print(f"\n{'writer':<12}{'rows/s':>10}{'ratio':>8}{'peak MB':>9}{'file MB':>9}")
    seconds = {writer: median(each["seconds"] for each in rounds[writer]) for writer in writers}
    for writer in writers:
        peak = max(each["megabytes"] for each in rounds[writer])
        size = rounds[writer][0]["bytes"] / 1e6
        rate, ratio = arguments.rows / seconds[writer], seconds["openpyxl"] / seconds[writer]
        print(f"{writer:<12}{rate:>10,.0f}{ratio:>7.1f}x{peak:>9.0f}{size:>9.1f}")


main()
