"""What operators do with Celery's own means, and what goes wrong inside its consumer."""

import time

import pytest
from celery import Celery

from shared.contracts.tasks import State
from tests.faults.house import EXPORTER, JANITOR, NOTIFIER, PROBE, House
from tests.servers import promised, wait_until

EX_SOFTWARE = 70


@pytest.fixture
def control(house: House) -> Celery:
    """An app that speaks to the house's workers, as Flower does."""
    return Celery("control", broker=house.redis.url, set_as_current=False)


def running_bell(control: Celery) -> str:
    """Ask the workers for the id of the one bell that they are busy with."""
    answer = wait_until(
        lambda: control.control.inspect(timeout=2).active(), seconds=30, what="a worker answers"
    )
    ((bell,),) = [each for each in answer.values() if each]
    return str(bell["id"])


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_bell_terminated_as_flower_does_it(house: House, control: Celery, pool: str) -> None:
    exporter = house.paused(EXPORTER, "writing", BULKHEAD_EXPORTER_POOL=pool)
    house.start(exporter, NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    bell = running_bell(control)
    since = time.monotonic()
    control.control.revoke(bell, terminate=True)
    task = house.wait_until_over(task_id, seconds=house.pace.patience)
    seconds = house.note(f"terminated by Flower: {pool}", since)
    assert (task.state, task.attempt) == (State.CANCELLED, 1)
    assert seconds < promised(5)
    wait_until(lambda: house.files() == [], seconds=10, what="nothing is left")
    after = house.export()
    house.is_done_once(after, f"terminated by Flower; the next one: {pool}", time.monotonic())
    assert house.task(task_id) == task, "not run again"
    control.close()


def test_a_bell_terminated_in_a_pool_of_greenlets(house: House, control: Celery) -> None:
    house.start(house.service(PROBE, BULKHEAD_PROBE_POOL="gevent"), JANITOR)
    task_id = house.submit("sleep")
    house.wait_until_runs(task_id)
    control.control.revoke(running_bell(control), terminate=True)
    task = house.wait_until_over(task_id, seconds=house.pace.patience)
    assert (task.state, task.attempt) == (State.CANCELLED, 1)
    after = house.submit()
    assert house.wait_until_over(after, seconds=house.pace.patience).state is State.DONE
    assert house.task(task_id) == task, "not run again"
    control.close()


def test_a_consumer_that_ceased_ends_its_worker(house: House, control: Celery) -> None:
    worker = house.service(EXPORTER, BULKHEAD_CONSUMER_PATIENCE_SECONDS="3")
    house.start(worker, NOTIFIER, JANITOR)
    for queue in ("export", "high_priority"):
        wait_until(
            lambda queue=queue: control.control.cancel_consumer(queue, reply=True, timeout=2),  # type: ignore[misc]
            seconds=30,
            what="the worker has ceased to consume",
        )
    since = time.monotonic()
    task_id = house.export()
    assert worker.running.wait(house.pace.patience) == EX_SOFTWARE
    assert house.task(task_id).state is State.QUEUED
    worker.start()  # as whoever supervises it does
    house.is_done_once(task_id, "a consumer that ceased", since)
    assert house.task(task_id).attempt == 1
    control.close()
