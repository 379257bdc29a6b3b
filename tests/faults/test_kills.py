"""SIGKILL: of a child at every step of an export, of its parent, of whole services."""

import os
import signal
import time

import httpx
import pytest

from shared.contracts.tasks import Channel, ExportFormat, State
from shared.recipients import save_recipient
from tests.faults.house import (
    EXPORTER,
    GATEWAY,
    JANITOR,
    NOTIFIER,
    USER,
    House,
    kill_all,
)
from tests.integration.notifier.servers import MailBox, mail_server
from tests.processes import is_running
from tests.servers import promised, wait_until
from tests.stack import OWNER


@pytest.mark.parametrize(
    ("step", "export_format", "attempts"),
    [
        ("reading", ExportFormat.CSV, 2),
        ("writing", ExportFormat.XLSX, 2),
        ("compressing", ExportFormat.XLSX, 2),
        ("stored", ExportFormat.CSV, 2),
        ("recorded", ExportFormat.XLSX, 1),
    ],
)
def test_a_child_killed_at_a_step(
    house: House, step: str, export_format: ExportFormat, attempts: int
) -> None:
    house.start(house.paused(EXPORTER, step), NOTIFIER, JANITOR)
    task_id = house.export(export_format)
    child = house.wait_until_paused()
    since = time.monotonic()
    os.kill(child, signal.SIGKILL)
    fault = f"SIGKILL of the child: {step}"
    house.is_done_once(task_id, fault, since, within=house.pace.sweep + 5)
    assert house.task(task_id).attempt == attempts
    assert house.losses(task_id) == attempts - 1
    assert not house.has_lapsed(), "its parent did not wait for the lease"


@pytest.mark.parametrize("step", ["writing", "stored"])
def test_a_whole_worker_killed(either_house: House, step: str) -> None:
    house = either_house
    (first, *_) = house.start(house.paused(EXPORTER, step), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    house.start(EXPORTER)
    since = time.monotonic()
    kill_all(first)
    kind = house.engine.dialect.name
    fault = f"SIGKILL of the whole worker: {step}, {kind}"
    house.is_done_once(task_id, fault, since, within=house.pace.recovery)
    assert (house.task(task_id).attempt, house.losses(task_id)) == (2, 1)


def test_a_parent_killed_takes_its_children_along_and_they_hand_over(house: House) -> None:
    (first, *_) = house.start(house.paused(EXPORTER, "reading"), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    house.start(EXPORTER)
    children = first.children()
    since = time.monotonic()
    os.kill(first.running.pid, signal.SIGKILL)
    first.running.wait()
    house.is_done_once(task_id, "SIGKILL of the parent alone", since, within=house.pace.sweep + 5)
    assert (house.task(task_id).attempt, house.losses(task_id)) == (2, 0)
    assert not house.has_lapsed()
    wait_until(lambda: not any(map(is_running, children)), seconds=5, what="no child is left")


def test_a_gateway_killed_between_its_commit_and_its_bell(house: House) -> None:
    gateway = house.paused(GATEWAY, "committed")
    house.start(gateway, EXPORTER, NOTIFIER, JANITOR)
    body = {
        "start_date": "2024-01-01",
        "end_date": "2024-12-31",
        "notify": {"user_id": USER, "notification_type": "inbox"},
    }
    asked = f"{gateway.url}/api/export/work-logs"
    with httpx.Client() as http, pytest.raises(httpx.TimeoutException):
        http.post(asked, json=body, timeout=3)
    house.wait_until_paused()
    since = time.monotonic()
    kill_all(gateway)
    gateway.start()
    asked = f"{gateway.url}/api/tasks?kind=export.work_logs"
    (task,) = httpx.get(asked).json()["tasks"]
    house.is_done_once(task["task_id"], "SIGKILL of the gateway before its bell", since)
    assert house.task(task["task_id"]).attempt == 1


def test_janitors_killed_and_two_at_once(house: House) -> None:
    """One dies holding what it has just taken back; the two others take nothing twice."""
    paused = house.paused(JANITOR, "recovered")
    (worker, _, _) = house.start(house.paused(EXPORTER, "writing"), NOTIFIER, paused)
    tasks = [house.export() for _ in range(4)]
    house.wait_until_paused()
    house.marker.unlink()
    since = time.monotonic()
    kill_all(worker)
    house.wait_until_paused()
    kill_all(paused)
    house.start(JANITOR, JANITOR, EXPORTER)
    house.are_done_once(tasks, "SIGKILL of the janitor; then two of them", since)
    assert sum(house.losses(each) for each in tasks) == 1
    assert sorted(house.task(each).attempt for each in tasks) == [1, 1, 1, 2]


@pytest.mark.parametrize("channel", [Channel.INBOX, Channel.EMAIL])
def test_a_notifier_killed_between_delivering_and_recording(house: House, channel: Channel) -> None:
    save_recipient(house.engine, OWNER, USER, email="wang@example.org", webhook_url=None)
    mailbox = MailBox()
    with mail_server(mailbox) as port:
        house.environment |= {
            "BULKHEAD_NOTIFIER_SMTP_HOST": "127.0.0.1",
            "BULKHEAD_NOTIFIER_SMTP_PORT": str(port),
            "BULKHEAD_NOTIFIER_SMTP_SECURITY": "none",
        }
        first = house.paused(NOTIFIER, "stored")
        house.start(EXPORTER, first, JANITOR)
        task_id = house.export(ExportFormat.CSV, channel=channel)
        house.wait_until_paused()
        house.start(NOTIFIER)
        since = time.monotonic()
        kill_all(first)
        wait_until(
            lambda: house.follow_up(task_id).state is State.DONE,
            seconds=house.pace.patience,
            what="the notification is done",
        )
        seconds = house.note(f"SIGKILL of the notifier after delivering: {channel}", since)
    assert seconds < promised(house.pace.recovery)
    assert house.follow_up(task_id).attempt == 2
    assert house.told(task_id) == (channel is Channel.INBOX)
    # A mail is at least once: the protocol cannot tell. Its Message-ID tells.
    assert len(mailbox.mails) == (2 if channel is Channel.EMAIL else 0)
    assert len({each["Message-ID"] for each in mailbox.mails}) == (channel is Channel.EMAIL)
