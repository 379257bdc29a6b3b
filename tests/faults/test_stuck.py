"""A task stuck in one call into C that holds the interpreter: nothing in its process can run."""

import signal
import time

from shared.contracts.tasks import State
from tests.faults.house import JANITOR, PROBE, House
from tests.processes import Service
from tests.servers import promised

STUCK = "hold the interpreter"
HARD_LIMIT_SECONDS = 2
CANCELLED_SECONDS = 2.5


def worker_with_limits(house: House, pool: str) -> Service:
    return house.service(
        PROBE,
        BULKHEAD_PROBE_POOL=pool,
        BULKHEAD_PROBE_SOFT_LIMIT_SECONDS="1",
        BULKHEAD_PROBE_HARD_LIMIT_SECONDS=str(HARD_LIMIT_SECONDS),
    )


def test_a_stuck_task_past_its_time_limit(house: House) -> None:
    (worker, _) = house.start(worker_with_limits(house, "prefork"), JANITOR)
    since = time.monotonic()
    task_id = house.submit(STUCK)
    task = house.wait_until_over(task_id, seconds=house.pace.patience)
    seconds = house.note(f"stuck past its limit of {HARD_LIMIT_SECONDS} s: prefork", since)
    assert (task.state, task.error_code, task.attempt) == (State.FAILED, "time_limit", 1)
    assert seconds < promised(HARD_LIMIT_SECONDS + 4)
    after = house.submit()
    assert house.wait_until_over(after, seconds=house.pace.patience).state is State.DONE
    assert worker.running.poll() is None
    assert house.task(task_id) == task, "not run again"


def test_a_stuck_task_past_its_time_limit_among_threads(house: House) -> None:
    """Nothing can run in its process; the sweep fails it, and the kernel ends the process."""
    (worker, _) = house.start(worker_with_limits(house, "threads"), JANITOR)
    since = time.monotonic()
    task_id = house.submit(STUCK)
    task = house.wait_until_over(task_id, seconds=house.pace.patience)
    seconds = house.note(f"stuck past its limit of {HARD_LIMIT_SECONDS} s: threads", since)
    assert (task.state, task.error_code, task.attempt) == (State.FAILED, "time_limit", 1)
    assert seconds < promised(house.pace.recovery)
    after = house.submit()
    # In seconds of computing, of which a busy machine has fewer.
    assert worker.running.wait(4 * house.pace.patience) == -signal.SIGPROF
    worker.start()  # as whoever supervises it does
    assert house.wait_until_over(after, seconds=house.pace.patience).state is State.DONE
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
    assert seconds < promised(CANCELLED_SECONDS + 1)
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
