"""A flood of notifications: each is delivered once, in little memory, and exports go on beside.

`make flood` sends the whole of it: 10,000 to inboxes and 1,000 mails.
"""

import os
import re
import time
from collections import Counter
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from shared.contracts.tasks import Channel, Notification, State, Status, WorkLogsExport
from shared.database import read
from shared.recipients import save_recipient
from shared.tasks.models import INBOX, TASKS
from shared.tasks.rows import insert_task
from tests.integration.notifier.servers import MailBox, mail_server
from tests.processes import Service
from tests.servers import wait_until
from tests.stack import OWNER, Stack

INBOX_ENTRIES = int(os.environ.get("FLOOD", "1000"))
MAILS = INBOX_ENTRIES // 10
MOST_MEGABYTES = 200
MONTH = WorkLogsExport(start_date=date(2024, 1, 1), end_date=date(2024, 1, 31))
EXPORTS = 3


def queue_up(stack: Stack) -> None:
    """Insert all of them at once, mails among the rest; nobody rings but the janitor."""
    with stack.engine.begin() as connection:
        for number in range(INBOX_ENTRIES + MAILS):
            is_mail = number % ((INBOX_ENTRIES + MAILS) // MAILS) == 0
            parameters = Notification(
                user_id=f"user_{number % 100:03}",
                channel=Channel.EMAIL if is_mail else Channel.INBOX,
                facts={"text": f"您的报表已生成 {number}"},
            )
            insert_task(connection, uuid4().hex, parameters, owner=OWNER, priority=5)


def count(stack: Stack, *statuses: Status) -> int:
    """Count the notifications of these statuses."""
    with read(stack.engine) as connection:
        return connection.execute(
            select(func.count()).where(
                TASKS.c.kind == Notification.kind, TASKS.c.status.in_(statuses)
            )
        ).scalar_one()


def export_seconds(stack: Stack) -> float:
    """Export a month a few times, one after another."""
    began = time.monotonic()
    for _ in range(EXPORTS):
        task_id = stack.store.submit(MONTH, owner=OWNER)
        stack.bell.ring(MONTH.queue)
        assert stack.wait_until_over(task_id, seconds=60).state is State.DONE
    return time.monotonic() - began


def peak_megabytes(service: Service) -> float:
    """Give the most memory that a process has held, in MB."""
    found = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{service.running.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


@pytest.mark.timeout(600)
def test_a_flood_is_delivered_once_while_exports_go_on(loaded_stack: Stack) -> None:
    stack, mailbox = loaded_stack, MailBox()
    for number in range(100):
        user = f"user_{number:03}"
        save_recipient(stack.engine, OWNER, user, email=f"{user}@example.org", webhook_url=None)
    stack.service("services.exporter").start()
    stack.service("services.janitor").start()
    alone = export_seconds(stack)
    queue_up(stack)
    with mail_server(mailbox) as port:
        notifier = stack.service(
            "services.notifier",
            BULKHEAD_NOTIFIER_CONCURRENCY="50",
            # As they are for users: a lease that lapses on a busy machine would double a mail.
            BULKHEAD_LEASE_SECONDS="30",
            BULKHEAD_HEARTBEAT_SECONDS="10",
            BULKHEAD_NOTIFIER_SMTP_HOST="127.0.0.1",
            BULKHEAD_NOTIFIER_SMTP_PORT=str(port),
            BULKHEAD_NOTIFIER_SMTP_SECURITY="none",
        ).start()
        began = time.monotonic()
        beside = export_seconds(stack)
        # Stopped in the middle, and started again: what runs is handed over.
        wait_until(
            lambda: count(stack, Status.COMPLETED) > INBOX_ENTRIES // 4,
            seconds=120,
            what="a quarter is delivered",
        )
        first_peak = peak_megabytes(notifier)
        assert notifier.stop() == 0
        assert count(stack, Status.PENDING, Status.COMPLETED) == INBOX_ENTRIES + MAILS
        assert count(stack, Status.PENDING) > 0
        notifier.start()
        wait_until(
            lambda: count(stack, Status.COMPLETED) == INBOX_ENTRIES + MAILS,
            seconds=180,
            what="all are delivered",
        )
        seconds = time.monotonic() - began
        peak = max(first_peak, peak_megabytes(notifier))
    print(
        f"{INBOX_ENTRIES + MAILS} notifications in {seconds:.0f} s, at most {peak:.0f} MB; "
        f"{EXPORTS} exports took {beside / alone:.1f} times as long beside them"
    )
    with read(stack.engine) as connection:
        entries = connection.execute(select(func.count()).select_from(INBOX)).scalar_one()
    assert entries == INBOX_ENTRIES
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == MAILS
    assert Counter(mail["Message-ID"] for mail in mailbox.mails).most_common(1)[0][1] == 1
    assert peak < MOST_MEGABYTES
