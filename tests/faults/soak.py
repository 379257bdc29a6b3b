"""A soak: random submits, cancels and kills, from one seed; at the end nothing may be amiss.

One thread does everything, so that a seed gives the same faults in the same order; what the
machine makes of them differs each time.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from shared.contracts.tasks import Channel, ExportFormat
from shared.database import UNAVAILABLE
from shared.recipients import save_recipient
from tests.faults.house import EXPORTER, GATEWAY, JANITOR, NOTIFIER, USER, House
from tests.integration.notifier.servers import MailBox
from tests.processes import Service, children_of
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
        self.gateway = house.service(GATEWAY)
        self.exporters = [house.service(EXPORTER) for _ in range(2)]
        self.notifiers = [house.service(NOTIFIER)]
        self.janitors = [house.service(JANITOR) for _ in range(2)]
        self.http = httpx.Client(timeout=10)
        self._due: list[tuple[float, Callable[[], object]]] = []

    @property
    def workers(self) -> list[Service]:
        """Every process but the gateway."""
        return [*self.exporters, *self.notifiers, *self.janitors]

    def run(self, seconds: float) -> None:
        """Let it rain for so long; then mend everything and wait until all tasks are over."""
        self.house.start(self.gateway, *self.workers)
        end = time.monotonic() + seconds
        fault_at = time.monotonic()
        while time.monotonic() < end:
            for _ in range(self.dice.randint(0, 2)):
                self._submit()
            if self.dice.random() < 0.3:
                self._cancel()
            if time.monotonic() >= fault_at:
                fault_at = time.monotonic() + self.dice.uniform(0.5, 2.5)
                self._fault()
            self._do_what_is_due()
            pause = time.monotonic() + self.dice.uniform(0.05, 0.4)
            wait_until(lambda pause=pause: time.monotonic() > pause, seconds=5, what="a pause")  # type: ignore[misc]
        self._mend()
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
        url = f"{self.gateway.url}/api/export/work-logs"
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
            answer = self.http.delete(f"{self.gateway.url}/api/tasks/{task_id}")
        except httpx.HTTPError:
            return
        self.done[f"cancels answered {answer.status_code}"] += 1

    def _fault(self) -> None:
        faults: list[tuple[int, str, Callable[[], object]]] = [
            (4, "SIGKILL of an exporter's child", self._kill_child),
            (3, "SIGKILL of an exporter", lambda: self._kill(self._exporter())),
            (1, "SIGKILL of a parent", lambda: self._kill_parent(self._exporter())),
            (1, "SIGTERM to an exporter", lambda: self._stop(self._exporter())),
            (2, "SIGSTOP of an exporter", lambda: self._freeze(self._exporter())),
            (2, "SIGKILL of the notifier", lambda: self._kill(self.notifiers[0])),
            (2, "SIGKILL of a janitor", lambda: self._kill(self.dice.choice(self.janitors))),
            (1, "SIGKILL of the gateway", lambda: self._kill(self.gateway)),
            (1, "SIGKILL of Redis", lambda: self._kill_redis(forget=False)),
            (1, "SIGKILL of Redis, its data lost", lambda: self._kill_redis(forget=True)),
            (1, "mail server asks to come again", self._delay_mail),
            (1 if self.postgres else 0, "PostgreSQL restarted", self._restart_postgres),
        ]
        weights = [each[0] for each in faults]
        ((_, name, fault),) = self.dice.choices(faults, weights)
        self.done[name] += 1
        fault()

    def _later(self, action: Callable[[], object], least: float = 0.2, most: float = 2) -> None:
        self._due.append((time.monotonic() + self.dice.uniform(least, most), action))

    def _do_what_is_due(self) -> None:
        for each in [each for each in self._due if each[0] <= time.monotonic()]:
            self._due.remove(each)
            each[1]()
        for service in (self.gateway, *self.workers):
            waits = any(getattr(action, "service", None) is service for _, action in self._due)
            if service.running.poll() is not None and not waits:
                service.launch()  # ended by itself, or by us: whoever supervises starts it anew

    def _exporter(self) -> Service:
        """Choose one that has something to lose, if any has."""
        busy = self._busy()
        return self.dice.choice(
            [each for each in self.exporters if busy.intersection(children_of(each.running.pid))]
            or self.exporters
        )

    def _busy(self) -> set[int]:
        """The processes that hold a task, as the rows say."""
        try:
            return {int(each.split(":")[-2]) for each in self.house.holders()}
        except UNAVAILABLE:
            return set()

    def _kill_child(self) -> None:
        children = {pid for each in self.exporters for pid in children_of(each.running.pid)}
        if children:
            chosen = sorted(children & self._busy()) or sorted(children)
            os.kill(self.dice.choice(chosen), signal.SIGKILL)

    def _kill(self, service: Service) -> None:
        service.kill()
        self._later(_Start(service))

    def _kill_parent(self, service: Service) -> None:
        if service.running.poll() is None:
            service.running.kill()
            service.running.wait()
        self._later(_Start(service))

    def _stop(self, service: Service) -> None:
        if service.running.poll() is None:
            service.running.send_signal(signal.SIGTERM)

    def _freeze(self, service: Service) -> None:
        if service.running.poll() is None:
            pid = service.running.pid
            os.killpg(pid, signal.SIGSTOP)
            longer = 2.0 * self.house.pace.lease
            self._later(lambda: _signal_group(pid, signal.SIGCONT), 0.5, longer)

    def _kill_redis(self, *, forget: bool) -> None:
        if self.house.redis.process is None:
            return
        self.house.redis.kill()
        if forget:
            self.house.redis.forget()
        self._later(self.house.redis.start, 0, 4)

    def _delay_mail(self) -> None:
        self.mailbox.at_recipient.append("451 4.3.0 greylisted")

    def _restart_postgres(self) -> None:
        assert self.postgres is not None
        if self.postgres.process is not None:
            self.postgres.stop()
            self._later(self.postgres.start, 0, 4)

    def _mend(self) -> None:
        for _, action in self._due:
            action()
        self._due.clear()
        for service in (self.gateway, *self.workers):
            if service.running.poll() is not None:
                service.launch()
        for service in (self.gateway, *self.workers):
            wait_until(
                lambda service=service: (
                    (  # type: ignore[misc]
                        service.running.poll() is None or service.launch()
                    )
                    and service.health("readyz")[0] == 200
                ),
                seconds=60,
                what=f"{service.module} is ready again",
            )
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


class _Start:
    """Starts a service that is down."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def __call__(self) -> None:
        if self.service.running.poll() is not None:
            self.service.launch()


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
