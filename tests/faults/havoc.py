"""Faults at random: kills, stops and freezes of processes, and of what they need."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.database import UNAVAILABLE
from tests.faults.house import EXPORTER, GATEWAY, JANITOR, NOTIFIER, House
from tests.integration.notifier.servers import MailBox
from tests.processes import Service
from tests.servers import PostgresServer, children_of, wait_until

Action = Callable[[], object]


@dataclass
class Havoc:
    """The processes of a house, and everything that can happen to them.

    Attributes:
        house: where.
        dice: what decides.
        mailbox: of the mail server.
        postgres: the task database's server, if it may be restarted too.
    """

    house: House
    dice: random.Random
    mailbox: MailBox
    postgres: PostgresServer | None
    _due: list[tuple[float, Action]] = field(default_factory=list)

    def __post_init__(self) -> None:
        service = self.house.service
        self.gateway = service(GATEWAY)
        self.exporters = [service(EXPORTER) for _ in range(2)]
        self.notifiers = [service(NOTIFIER)]
        self.janitors = [service(JANITOR) for _ in range(2)]
        self.services = [self.gateway, *self.exporters, *self.notifiers, *self.janitors]

    def strike(self) -> str:
        """Let one fault happen; give its name."""
        faults: list[tuple[int, str, Action]] = [
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
        fault()
        return name

    def _later(self, action: Action, least: float = 0.2, most: float = 2) -> None:
        self._due.append((time.monotonic() + self.dice.uniform(least, most), action))

    def look_after(self) -> None:
        """Mend what it is time for, and start what has ended, as a supervisor does."""
        for each in [each for each in self._due if each[0] <= time.monotonic()]:
            self._due.remove(each)
            each[1]()
        for service in self.services:
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
            service.running.send_signal(signal.SIGKILL)
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

    def mend(self) -> None:
        """Mend everything, and wait until all is well."""
        for _, action in self._due:
            action()
        self._due.clear()
        for service in self.services:
            if service.running.poll() is not None:
                service.launch()
        for service in self.services:
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
