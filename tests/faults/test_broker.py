"""Redis killed, emptied, absent; messages repeated, and given out again."""

import signal
import time

import httpx
import pytest

from shared.contracts.tasks import ExportFormat
from tests.faults.house import EXPORTER, GATEWAY, JANITOR, NOTIFIER, USER, House
from tests.servers import promised, wait_until

ACCEPTED_SECONDS = 2
"""What is promised for a submit while the broker does not answer."""
BODY = {
    "start_date": "2024-01-01",
    "end_date": "2024-12-31",
    "export_format": "csv",
    "notify": {"user_id": USER, "notification_type": "inbox"},
}


@pytest.mark.parametrize("data", ["kept", "lost"])
def test_redis_killed_in_the_middle_of_an_export(house: House, data: str) -> None:
    house.start(house.paused(EXPORTER, "writing"), NOTIFIER, JANITOR)
    running = house.export()
    house.wait_until_paused()
    waiting = [house.export(ExportFormat.CSV) for _ in range(3)]
    house.redis.kill()
    if data == "lost":
        house.redis.forget()
    house.resume()
    house.wait_until_over(running, seconds=house.pace.patience)  # without a broker
    since = time.monotonic()
    house.redis.start()
    house.are_done_once([running, *waiting], f"SIGKILL of Redis, its data {data}", since)
    for each in (running, *waiting):
        assert (house.task(each).attempt, house.losses(each)) == (1, 0)


def test_redis_absent_during_submits(house: House) -> None:
    gateway = house.service(GATEWAY)
    services = house.start(gateway, EXPORTER, NOTIFIER, JANITOR)
    house.redis.kill()
    gone_at = time.monotonic()
    pause = house.pace.broker_absence / 20
    with httpx.Client(timeout=20) as http:
        # Submits go on for as long as the broker is away.
        while time.monotonic() - gone_at < house.pace.broker_absence:
            answer = http.post(f"{gateway.url}/api/export/work-logs", json=BODY)
            assert answer.status_code == 202
            assert answer.elapsed.total_seconds() < promised(ACCEPTED_SECONDS)
            house.accepted.append(answer.json()["task_id"])
            wait_until(
                lambda: time.monotonic() - gone_at > len(house.accepted) * pause,
                seconds=60,
                what="it is time for the next submit",
            )
    for service in services:
        assert service.health("healthz")[0] == 200
    since = time.monotonic()
    house.redis.start()
    house.are_done_once(house.accepted, "Redis absent during submits", since)
    for each in house.accepted:
        assert house.task(each).attempt == 1


def test_redis_frozen_during_a_submit(house: House) -> None:
    """It takes connections and never answers."""
    gateway = house.service(GATEWAY)
    house.start(gateway, EXPORTER, NOTIFIER, JANITOR)
    server = house.redis.process
    assert server is not None
    server.send_signal(signal.SIGSTOP)
    try:
        answer = httpx.post(f"{gateway.url}/api/export/work-logs", json=BODY, timeout=20)
        assert answer.status_code == 202
        assert answer.elapsed.total_seconds() < promised(ACCEPTED_SECONDS)
    finally:
        server.send_signal(signal.SIGCONT)
    since = time.monotonic()
    task_id = answer.json()["task_id"]
    house.is_done_once(task_id, "Redis frozen during a submit", since)
    assert house.task(task_id).attempt == 1


def test_the_same_message_five_times_at_once(house: House) -> None:
    workers = house.start(EXPORTER, EXPORTER, NOTIFIER, JANITOR)[:2]
    since = time.monotonic()
    task_id = house.export(ring=5)
    house.is_done_once(task_id, "the same message five times", since)
    wait_until(lambda: house.bells() == 0, seconds=house.pace.patience, what="all are heard")
    assert house.starts(task_id, *workers) == 1
    assert (house.task(task_id).attempt, house.losses(task_id)) == (1, 0)


def test_a_task_longer_than_the_visibility_timeout(house: House) -> None:
    """The broker's client would give its bell out anew; it is acknowledged long since."""
    short = {"PAUSED_VISIBILITY_SECONDS": "1"}
    first, second, *_ = house.start(
        house.paused(EXPORTER, "writing", **short),
        house.paused(EXPORTER, "writing", **short),
        NOTIFIER,
        JANITOR,
    )
    task_id = house.export()
    house.wait_until_paused()
    assert house.unacknowledged() == 0
    since = time.monotonic()
    longer = since + max(5.0, 1.5 * house.pace.lease)
    wait_until(lambda: time.monotonic() > longer, seconds=60, what="both timeouts have passed")
    assert house.unacknowledged() == 0
    house.resume()
    house.is_done_once(task_id, "a task longer than the visibility timeout", longer)
    assert house.starts(task_id, first, second) == 1
    assert (house.task(task_id).attempt, house.losses(task_id)) == (1, 0)
