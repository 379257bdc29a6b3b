"""SIGTERM: to a worker under load, to one child, to every service in turn."""

import os
import signal
import time

import httpx
import pytest

from shared.contracts.tasks import ExportFormat
from tests.faults.house import (
    EXPORTER,
    GATEWAY,
    HANDED_OVER_SECONDS,
    JANITOR,
    NOTIFIER,
    USER,
    House,
)
from tests.servers import promised, wait_until


def test_a_stop_under_load_hands_over_what_is_longer_than_the_grace_period(house: House) -> None:
    (first, *_) = house.start(house.paused(EXPORTER, "writing"), NOTIFIER, JANITOR)
    long = house.export()
    house.wait_until_paused()
    (second,) = house.start(EXPORTER)
    others = [house.export(ExportFormat.CSV) for _ in range(5)]
    since = time.monotonic()
    first.running.send_signal(signal.SIGTERM)
    house.waits_again(long)
    seconds = time.monotonic() - since - house.pace.grace
    assert seconds < promised(HANDED_OVER_SECONDS)
    assert first.running.wait(house.pace.patience) == 0
    began = time.monotonic() - seconds
    house.are_done_once([long, *others], "SIGTERM under load", began)
    for each in (long, *others):
        assert house.losses(each) == 0
    assert house.task(long).attempt == 2
    assert {house.task(each).attempt for each in others} == {1}
    assert second.stop(seconds=house.pace.patience) == 0


def test_a_lone_child_that_is_told_to_end_hands_over(house: House) -> None:
    house.start(house.paused(EXPORTER, "reading"), NOTIFIER, JANITOR)
    task_id = house.export()
    child = house.wait_until_paused()
    since = time.monotonic()
    os.kill(child, signal.SIGTERM)
    house.is_done_once(task_id, "SIGTERM to a lone child", since, within=house.pace.sweep + 5)
    assert (house.task(task_id).attempt, house.losses(task_id)) == (2, 0)
    assert not house.has_lapsed()


@pytest.mark.parametrize(
    ("number", "pool", "to_all"),
    [
        (signal.SIGHUP, "prefork", False),
        (signal.SIGHUP, "prefork", True),
        (signal.SIGQUIT, "prefork", True),
        (signal.SIGQUIT, "threads", False),
        (signal.SIGINT, "threads", True),
    ],
)
def test_whatever_signal_ends_a_worker_it_hands_over(
    house: House, number: signal.Signals, pool: str, to_all: bool
) -> None:
    paused = house.paused(EXPORTER, "writing", BULKHEAD_EXPORTER_POOL=pool)
    (first, *_) = house.start(paused, NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    house.start(EXPORTER)
    send = os.killpg if to_all else os.kill
    since = time.monotonic()
    send(first.running.pid, number)
    wait_until(lambda: "shutdown" in first.log.read_text(), seconds=10, what="it is told")
    send(first.running.pid, number)  # by somebody who cannot wait
    house.waits_again(task_id)
    assert time.monotonic() - since < promised(house.pace.grace + HANDED_OVER_SECONDS)
    house.is_done_once(task_id, f"{number.name} twice: {pool}{', all' * to_all}", since)
    assert (house.task(task_id).attempt, house.losses(task_id)) == (2, 0)
    assert not house.has_lapsed()
    assert first.running.wait(house.pace.patience) == 0


def test_a_deploy_that_restarts_every_service_under_load(house: House) -> None:
    gateway = house.service(GATEWAY)
    workers = house.start(gateway, EXPORTER, EXPORTER, NOTIFIER, JANITOR)[1:]
    body = {
        "start_date": "2024-01-01",
        "end_date": "2024-12-31",
        "notify": {"user_id": USER, "notification_type": "inbox"},
    }

    def submit() -> None:
        answer = httpx.post(f"{gateway.url}/api/export/work-logs", json=body, timeout=20)
        assert answer.status_code == 202
        house.accepted.append(answer.json()["task_id"])

    for each in workers:
        submit()
        submit()
        assert each.stop(seconds=house.pace.patience) == 0
        each.start()
    gateway.stop()
    gateway.start()
    since = time.monotonic()
    submit()
    house.are_done_once(house.accepted, "a deploy under load", since)
    for task_id in house.accepted:
        assert house.losses(task_id) == 0
    assert not house.has_lapsed()
