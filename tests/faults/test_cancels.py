"""Cancelling at every step of an export, and a task whose worker is gone."""

import time

import pytest

from shared.contracts.tasks import ExportFormat, State
from shared.tasks.store import Cancellation
from tests.faults.house import EXPORTER, JANITOR, NOTIFIER, House, kill_all
from tests.servers import promised, wait_until
from tests.stack import OWNER

CANCELLED_SECONDS = 2
NOISE_SECONDS = 1
"""What a busy machine may add."""


def is_cancelled(house: House, task_id: str, fault: str, since: float) -> float:
    """Assert that it ends as cancelled, without a file, and that nobody is told."""
    task = house.wait_until_over(task_id, seconds=house.pace.patience)
    seconds = house.note(fault, since)
    assert (task.state, task.error_code) == (State.CANCELLED, "cancelled")
    wait_until(lambda: house.files() == [], seconds=5, what="nothing is left")
    assert house.told(task_id) == 0
    assert house.store.cancel(task_id, OWNER) is Cancellation.OVER
    return seconds


@pytest.mark.parametrize("step", ["reading", "writing", "compressing", "stored"])
def test_cancelled_at_a_step(house: House, step: str) -> None:
    house.start(house.paused(EXPORTER, step), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    since = time.monotonic()
    for _ in range(2):  # repeating it is harmless
        assert house.store.cancel(task_id, OWNER) is Cancellation.CANCELLING
    if step == "stored":  # nothing is left to interrupt: the row decides
        house.resume()
    seconds = is_cancelled(house, task_id, f"cancel: {step}", since)
    assert seconds < promised(CANCELLED_SECONDS + NOISE_SECONDS)
    assert house.task(task_id).attempt == 1
    house.is_done_once(
        house.export(ExportFormat.CSV), f"cancel: {step}; the next", time.monotonic()
    )


def test_cancelled_after_it_is_recorded(house: House) -> None:
    """A race with the end has one winner."""
    house.start(house.paused(EXPORTER, "recorded"), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    assert house.store.cancel(task_id, OWNER) is Cancellation.OVER
    since = time.monotonic()
    house.resume()
    house.is_done_once(task_id, "cancel: recorded", since)


def test_cancelled_after_its_worker_was_killed(house: House) -> None:
    (first, *_) = house.start(house.paused(EXPORTER, "stored"), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    house.start(EXPORTER)
    since = time.monotonic()
    kill_all(first)
    assert house.store.cancel(task_id, OWNER) is Cancellation.CANCELLING
    seconds = is_cancelled(house, task_id, "cancel: its worker was killed", since)
    assert seconds < promised(house.pace.recovery)
    assert house.task(task_id).attempt == 1, "not run again"


@pytest.mark.parametrize("step", ["writing", "stored"])
def test_cancelled_while_it_waits_again_after_a_loss(house: House, step: str) -> None:
    """Nobody runs it again, so nobody but whoever took it back can remove what it left."""
    (first, _) = house.start(house.paused(EXPORTER, step), JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    assert house.files() != []
    kill_all(first)
    wait_until(
        lambda: house.task(task_id).state is State.QUEUED,
        seconds=house.pace.recovery,
        what="it waits again",
    )
    since = time.monotonic()
    assert house.store.cancel(task_id, OWNER) is Cancellation.CANCELLED
    is_cancelled(house, task_id, f"cancel: waiting after a loss while {step}", since)
