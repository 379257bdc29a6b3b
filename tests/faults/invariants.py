"""What must hold once everything has settled, over database, storage and mail."""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import file_digest
from typing import Any

from sqlalchemy import Row, select

from shared.contracts.tasks import Channel, Notification, Status, WorkLogsExport
from shared.database import read
from shared.tasks.models import FILES, INBOX, TASKS
from tests.faults.contents import cells, expected_cells
from tests.faults.house import House
from tests.faults.soak import Soak


@dataclass
class Report:
    """What was found; `wrong` must be empty."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def check(self, good: bool, what: str) -> None:
        """Note what is wrong."""
        if not good:
            self.wrong.append(what)


def examine(soak: Soak) -> Report:
    """Look at everything that there is."""
    report, house = Report(), soak.house
    with read(house.engine) as connection:
        tasks = connection.execute(select(TASKS)).all()
        files = {row.task_id: row for row in connection.execute(select(FILES))}
        inbox = Counter(connection.scalars(select(INBOX.c.id)))
    known = {row.id for row in tasks}
    for submit in soak.submits:
        report.check(submit.task_id in known, f"accepted, and not there: {submit}")
    unique = {submit.task_id for submit in soak.submits}
    report.check(len(unique) == len(soak.submits), "two submits have one task")
    exports = [row for row in tasks if row.kind == WorkLogsExport.kind]
    report.check(len(exports) == len(unique), "a submit that was sent twice has two tasks")
    for row in exports:
        _examine_export(report, row, files.get(row.id), soak)
    told = Counter(row.parent_id for row in tasks if row.parent_id)
    for row in exports:
        due = int(row.status == Status.COMPLETED)
        report.check(told[row.id] == due, f"{told[row.id]} notifications of {row}")
    notifications = [row for row in tasks if row.kind == Notification.kind]
    _examine_notifications(report, notifications, inbox, soak)
    _examine_storage(report, house, files)
    return report


def _examine_export(report: Report, row: Row[Any], file: Row[Any] | None, soak: Soak) -> None:
    report.counts[f"exports {row.status}"] += 1
    report.counts["attempts that were lost or handed over"] += max(row.attempt - 1, 0)
    if row.status == Status.FAILED:
        report.check(row.error_code == "cancelled", f"failed: {row}")
        report.check(row.id in soak.cancelled, f"cancelled by nobody: {row}")
        report.check(file is None, f"failed, with a file: {row}")
        return
    report.check(row.status == Status.COMPLETED, f"not over: {row}")
    if file is None:
        report.check(False, f"completed, without a file: {row}")
        return
    path = soak.house.data_dir / "files" / file.key
    if not path.exists():
        report.check(False, f"its file is not there: {row}")
        return
    with path.open("rb") as stream:
        digest = file_digest(stream, "sha256").hexdigest()
    report.check(digest == file.sha256 == row.result["sha256"], f"another file: {row}")
    expected = expected_cells(row.parameters["start_date"], row.parameters["end_date"])
    report.check(cells(path) == expected, f"not the rows of the source: {row}")
    report.check(row.result["records_count"] == len(expected), f"another count: {row}")
    report.counts["rows in files"] += len(expected)


def _examine_notifications(
    report: Report, rows: list[Row[Any]], inbox: Counter[str], soak: Soak
) -> None:
    by_channel: dict[str, set[str]] = {Channel.INBOX: set(), Channel.EMAIL: set()}
    for row in rows:
        report.check(row.status == Status.COMPLETED, f"not told: {row}")
        by_channel[row.parameters["channel"]].add(row.id)
    report.check(set(inbox) == by_channel[Channel.INBOX], "the inbox is not what was told")
    mails = Counter(str(mail["Message-ID"]) for mail in soak.mailbox.mails)
    expected = {f"<{each}@localhost>" for each in by_channel[Channel.EMAIL]}
    report.check(set(mails) == expected, "the mails are not what was told")
    repeated = mails.total() - len(mails)
    attempts = sum(row.attempt - 1 for row in rows)
    report.check(repeated <= attempts, "more mails than attempts")
    report.counts["inbox entries"] = len(inbox)
    report.counts["mails by Message-ID"] = len(mails)
    report.counts["mails that came again with the same Message-ID"] = repeated
    report.counts["notifications that took another attempt"] = attempts


def _examine_storage(report: Report, house: House, files: dict[str, Row[Any]]) -> None:
    there, wanted = set(house.files()), {row.key for row in files.values()}
    report.check(there == wanted, f"orphans: {sorted(there - wanted)}")
    report.counts["files"] = len(there)
