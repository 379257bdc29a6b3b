"""A task stuck in one call into C that holds the interpreter: nothing in its process can run."""

import time

import pytest

from shared.contracts.tasks import State
from tests.faults.house import JANITOR, PROBE, House

STUCK = "hold the interpreter"
CANCELLED_SECONDS = 2.5


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_stuck_task_past_its_time_limit(house: House, pool: str) -> None:
    hard = 2
    worker = house.service(
        PROBE,
        BULKHEAD_PROBE_POOL=pool,
        BULKHEAD_PROBE_SOFT_LIMIT_SECONDS="1",
        BULKHEAD_PROBE_HARD_LIMIT_SECONDS=str(hard),
    )
    house.start(worker, JANITOR)
    since = time.monotonic()
    task_id = house.submit(STUCK)
    task = house.wait_until_over(task_id, seconds=house.pace.patience)
    seconds = house.note(f"stuck past its limit of {hard} s: {pool}", since)
    assert (task.state, task.error_code, task.attempt) == (State.FAILED, "time_limit", 1)
    assert seconds < (hard + 4 if pool == "prefork" else hard + house.pace.recovery)
    assert house.files() == []
    if pool == "prefork":
        after = house.submit()
        assert house.wait_until_over(after, seconds=house.pace.patience).state is State.DONE
        assert worker.running.poll() is None
    assert house.task(task_id) == task, "not run again"


def test_a_stuck_task_is_cancelled(house: House) -> None:
    worker = house.service(PROBE)
    house.start(worker, JANITOR)
    task_id = house.submit(STUCK)
    house.wait_until_claimed(task_id)
    since = time.monotonic()
    house.store.cancel(task_id, "local")
    task = house.wait_until_over(task_id, seconds=house.pace.patience)
    seconds = house.note("cancel of a stuck task", since)
    assert (task.state, task.attempt) == (State.CANCELLED, 1)
    assert seconds < CANCELLED_SECONDS + 1
    after = house.submit()
    assert house.wait_until_over(after, seconds=house.pace.patience).state is State.DONE
    assert house.task(task_id) == task, "not run again"


def test_a_stuck_task_keeps_its_lease(house: House) -> None:
    """It may be a long call that ends well: a worker that lives is not taken for dead."""
    house.start(PROBE, PROBE, JANITOR)
    task_id = house.submit(STUCK)
    house.wait_until_claimed(task_id)
    claimed = house.lease_of(task_id)
    seconds = 2 * house.pace.lease
    house.wait_until_extended(task_id, claimed, seconds)
    assert (house.task(task_id).attempt, house.losses(task_id)) == (1, 0)
