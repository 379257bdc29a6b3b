"""A soak: random submits, cancels and kills, from one seed; at the end nothing may be amiss.

One thread does everything, so that a seed gives the same faults in the same order; what the
machine makes of them differs each time.
"""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from shared.contracts.tasks import Channel, ExportFormat
from shared.recipients import save_recipient
from tests.faults.havoc import Havoc
from tests.faults.house import USER, House
from tests.integration.notifier.servers import MailBox
from tests.servers import PostgresServer, wait_until
from tests.stack import OWNER

LAST_DAYS = {month: f"2024-{month:02}-28" for month in range(1, 13)}
SETTLE_SECONDS = 180.0
SETTINGS = {
    # Nothing fails for having been hit too often: whatever was accepted must be done.
    "BULKHEAD_MAX_LOSSES": "1000",
    "BULKHEAD_MAX_RETRIES": "1000",
    "BULKHEAD_RETRY_CAP_SECONDS": "2",
    "BULKHEAD_EXPORTER_CONCURRENCY": "1",  # hardly ever idle
    "BULKHEAD_EXPORTER_BATCH_ROWS": "1",  # slow, so that more of them are hit
    "BULKHEAD_NOTIFIER_SMTP_HOST": "127.0.0.1",
    "BULKHEAD_NOTIFIER_SMTP_SECURITY": "none",
    "BULKHEAD_NOTIFIER_SMTP_TIMEOUT_SECONDS": "2",
}


@dataclass
class Submit:
    """A submit, and what came of it; one without an answer is sent again with the same key."""

    key: str
    body: dict[str, Any]
    task_id: str | None = None


@dataclass
class Soak:
    """Everything goes on for some seconds, and then settles.

    Attributes:
        house: where.
        seed: what decides.
        mail_port: of the mail server.
        mailbox: what it got.
        postgres: the task database's server, if it may be restarted too.
    """

    house: House
    seed: int
    mail_port: int
    mailbox: MailBox
    postgres: PostgresServer | None = None
    submits: list[Submit] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        house = self.house
        house.environment |= SETTINGS | {"BULKHEAD_NOTIFIER_SMTP_PORT": str(self.mail_port)}
        save_recipient(house.engine, OWNER, USER, email="wang@example.org", webhook_url=None)
        self.havoc = Havoc(house, self.dice, self.mailbox, self.postgres)
        self.http = httpx.Client(timeout=10)

    def run(self, seconds: float) -> None:
        """Let it rain for so long; then mend everything and wait until all tasks are over."""
        self.house.start(*self.havoc.services)
        end = time.monotonic() + seconds
        fault_at = time.monotonic()
        while time.monotonic() < end:
            for _ in range(self.dice.randint(0, 2)):
                self._submit()
            if self.dice.random() < 0.3:
                self._cancel()
            if time.monotonic() >= fault_at:
                fault_at = time.monotonic() + self.dice.uniform(0.5, 2.5)
                self.done[self.havoc.strike()] += 1
            self.havoc.look_after()
            pause = time.monotonic() + self.dice.uniform(0.05, 0.4)
            wait_until(lambda pause=pause: time.monotonic() > pause, seconds=5, what="a pause")  # type: ignore[misc]
        self.havoc.mend()
        self._send_again()
        self._settle()
        self.http.close()

    def _submit(self, submit: Submit | None = None) -> None:
        if submit is None:
            month = self.dice.randint(1, 12)
            channel = self.dice.choice([Channel.INBOX, Channel.EMAIL])
            submit = Submit(
                key=f"{self.seed}-{len(self.submits)}",
                body={
                    "start_date": f"2024-{month:02}-01",
                    "end_date": LAST_DAYS[self.dice.randint(month, 12)],
                    "export_format": self.dice.choice([*ExportFormat]),
                    "notify": {"user_id": USER, "notification_type": channel},
                    "priority": self.dice.randint(0, 9),
                },
            )
            self.submits.append(submit)
        headers = {"Idempotency-Key": submit.key}
        url = f"{self.havoc.gateway.url}/api/export/work-logs"
        try:
            answer = self.http.post(url, json=submit.body, headers=headers)
        except httpx.HTTPError:
            self.done["submits without an answer"] += 1
            return
        self.done[f"submits answered {answer.status_code}"] += 1
        if answer.status_code == 202:
            submit.task_id = answer.json()["task_id"]

    def _cancel(self) -> None:
        known = [each.task_id for each in self.submits[-10:] if each.task_id]
        if not known:
            return
        task_id = self.dice.choice(known)
        self.cancelled.add(task_id)  # if the answer is lost, it may have been cancelled
        try:
            answer = self.http.delete(f"{self.havoc.gateway.url}/api/tasks/{task_id}")
        except httpx.HTTPError:
            return
        self.done[f"cancels answered {answer.status_code}"] += 1

    def _send_again(self) -> None:
        """Send what had no answer, with the same keys, now that everything answers."""
        for submit in [each for each in self.submits if each.task_id is None]:
            self._submit(submit)

    def _settle(self) -> None:
        since = time.monotonic()
        wait_until(
            lambda: not self.house.unfinished(),
            seconds=SETTLE_SECONDS,
            what="every task is over",
        )
        self.house.note("soak: all tasks over after the last fault", since)
        self.house.wait_until_tidy()
