"""A worker whose tasks behave as their first employee id says. `python -m tests.probe` starts it.

It is the real worker in every respect but its handler, so that what a handler can do wrong is
tried on real processes.
"""

import hashlib
import os
import re
import signal
import threading
import time
from contextlib import suppress
from typing import ClassVar

from services.exporter.settings import ExporterSettings
from shared.contracts.events import ExportFinished
from shared.contracts.queues import Queue
from shared.contracts.tasks import ExportResult, WorkLogsExport
from shared.errors import SourceUnavailableError
from shared.settings import read_settings
from shared.tasks.claims import Finished, WrittenFile
from shared.tasks.context import TaskContext
from shared.tasks.runner import Handler
from shared.worker import create_worker, run_worker

CONTENT = b"done"


class ProbeSettings(ExporterSettings):
    """Settings of the probe."""

    service: ClassVar[str] = "probe"


def misbehave(how: str, context: TaskContext) -> None:
    """Do what the id says, on the first attempt only where it would never end."""
    match how:
        case "defect":
            raise ZeroDivisionError("a secret that must not reach the client")
        case "away twice" if context.attempt <= 2:
            raise SourceUnavailableError
        case "always away":
            raise SourceUnavailableError
        case "die" | "always die" if how == "always die" or context.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    if context.attempt > 1:
        return
    match how:
        case "check":
            while True:
                threading.Event().wait(0.05)
                context.checkpoint()
        case "sleep":
            time.sleep(600)
        case "swallow":
            while True:
                with suppress(BaseException):
                    time.sleep(600)
        case "stuck in C":
            hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
        case "hold the interpreter":
            # A match that backtracks for years; unlike a hash, it lets no other thread run.
            re.match("(a+)+$", "a" * 64 + "b")


def run(parameters: WorkLogsExport, context: TaskContext) -> Finished:
    """Write a small file, after whatever the first id asks for."""
    context.report(10, "querying")
    misbehave((parameters.employee_ids or ("",))[0], context)
    context.scratch.mkdir(parents=True)
    path = context.scratch / "file.csv"
    path.write_bytes(CONTENT)
    name, digest = f"{context.task_id}.csv", hashlib.sha256(CONTENT).hexdigest()
    result = ExportResult(
        file_name=name,
        records_count=0,
        start_date=parameters.start_date,
        end_date=parameters.end_date,
        created_at="2024-01-01T00:00:00",
        size=len(CONTENT),
        sha256=digest,
    )
    return Finished(
        result=result,
        file=WrittenFile(path, name, "text/csv", len(CONTENT), digest),
        event=ExportFinished(parameters=parameters, result=result),
    )


def build() -> dict[str, Handler]:
    """Make the handlers."""
    return {WorkLogsExport.kind: run}


settings = read_settings(ProbeSettings)
app = create_worker(
    settings,
    queues=(Queue.EXPORT, Queue.HIGH_PRIORITY),
    build=build,
    limits={WorkLogsExport.kind: settings.limits},
)

if __name__ == "__main__":
    run_worker(app, settings, "tests.probe")
