"""`python -m benchmarks`: rows from SQLite into an xlsx file, ours against openpyxl's write-only.

Each writer runs in a process of its own, on one core, with the same rows from the same database;
rounds are interleaved, so that a machine that grows slower does so for both.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from openpyxl import Workbook

from cli.sample_data import load
from cli.source import open_source
from services.exporter.datasets import WORK_LOGS
from services.exporter.formats.excel_value import excel_value
from services.exporter.formats.local_time import LocalTime
from services.exporter.formats.xlsx import Xlsx
from services.exporter.reader import Reader
from shared.contracts.languages import Language
from shared.contracts.queues import Queue
from shared.contracts.tasks import WorkLogsExport
from shared.database import create_database_engine
from shared.settings import Settings
from shared.tasks.claims import Claim
from shared.tasks.context import TaskContext

ZONE = ZoneInfo("Asia/Shanghai")
YEAR = WorkLogsExport(start_date=date(2024, 1, 1), end_date=date(2024, 12, 31))
WRITERS = ("bulkhead", "openpyxl")
BATCH_ROWS = 500


def write(writer: str, folder: Path) -> dict[str, float]:
    """Export the year with one writer; give rows, seconds, bytes and the peak of memory in MB."""
    settings = Settings(data_dir=folder)
    reader = Reader(create_database_engine(settings.source_database_url, pool_size=0), BATCH_ROWS)
    claim = Claim("benchmark", 1, "local", YEAR.kind, Queue.EXPORT, {}, 0)
    path = folder / f"{writer}.xlsx"
    began = time.perf_counter()
    with reader.open(WORK_LOGS, YEAR, TaskContext(claim, folder)) as snapshot:
        table = WORK_LOGS.table(Language.CHINESE, ZONE, snapshot.total, datetime.now(UTC))
        if writer == "bulkhead":
            with Xlsx().open(path, table) as write_batch:
                for batch in snapshot.batches:
                    write_batch(batch)
        else:
            workbook = Workbook(write_only=True)
            sheet = workbook.create_sheet(table.title)
            sheet.append([column.heading for column in table.columns])
            local_time, number = LocalTime(ZONE), 0
            for batch in snapshot.batches:
                for row in batch:
                    number += 1
                    cells = zip(row, table.columns[1:], strict=True)
                    sheet.append([number, *(excel_value(*each, local_time) for each in cells)])
            workbook.save(path)
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
        rounds: dict[str, list[dict[str, float]]] = {writer: [] for writer in WRITERS}
        for number in range(arguments.rounds):
            for writer in WRITERS:
                print(f"Round {number + 1} of {arguments.rounds}: {writer}", flush=True)
                rounds[writer].append(measure(writer, folder))
    print(f"\n{'writer':<10}{'rows/s':>10}{'ratio':>8}{'peak MB':>9}{'file MB':>9}")
    seconds = {writer: median(each["seconds"] for each in rounds[writer]) for writer in WRITERS}
    for writer in WRITERS:
        peak = max(each["megabytes"] for each in rounds[writer])
        size = rounds[writer][0]["bytes"] / 1e6
        rate, ratio = arguments.rows / seconds[writer], seconds["openpyxl"] / seconds[writer]
        print(f"{writer:<10}{rate:>10,.0f}{ratio:>7.1f}x{peak:>9.0f}{size:>9.1f}")


main()
