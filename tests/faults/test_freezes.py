"""SIGSTOP for longer than the lease, then SIGCONT: whoever wakes up late changes nothing."""

import os
import signal
import time

import pytest

from services.janitor.sweep import PATIENCE_SECONDS
from shared.contracts.tasks import State, Status
from shared.database import SQLITE_BUSY_SECONDS
from shared.postgres import IDLE_SECONDS
from tests.faults.house import EXPORTER, JANITOR, NOTIFIER, House
from tests.processes import is_running
from tests.servers import promised, wait_until


@pytest.mark.parametrize("step", ["writing", "stored"])
def test_a_worker_frozen_for_longer_than_its_lease(either_house: House, step: str) -> None:
    house = either_house
    (frozen, *_) = house.start(house.paused(EXPORTER, step), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    house.start(EXPORTER)
    since = time.monotonic()
    house.freeze(os.killpg, frozen.running.pid)
    house.resume()  # awake again, it goes on where it was
    house.wait_until_told(task_id)
    seconds = time.monotonic() - since
    assert seconds < promised(house.pace.recovery)
    second = house.task(task_id)
    assert (second.attempt, house.losses(task_id)) == (2, 1)
    os.killpg(frozen.running.pid, signal.SIGCONT)
    wait_until(
        lambda: '"ending": "lost"' in frozen.log.read_text(),
        seconds=house.pace.patience,
        what="the frozen worker finds that its task is somebody else's",
    )
    kind = house.engine.dialect.name
    house.is_done_once(task_id, f"SIGSTOP of a worker: {step}, {kind}", time.monotonic() - seconds)
    assert house.task(task_id) == second
    # It was presumed dead, and works as well as any other now.
    again = house.export()
    house.wait_until_told(again)
    assert house.task(again).status is Status.COMPLETED


def test_a_child_frozen_alone(house: House) -> None:
    """Its parent lives, and does not extend the lease of a child that gives no sign of life."""
    (first, *_) = house.start(house.paused(EXPORTER, "writing"), NOTIFIER, JANITOR)
    task_id = house.export()
    child = house.wait_until_paused()
    house.start(EXPORTER)
    since = time.monotonic()
    house.freeze(os.kill, child)
    house.resume()
    house.is_done_once(task_id, "SIGSTOP of a child alone", since, within=house.pace.recovery)
    assert (house.task(task_id).attempt, house.losses(task_id)) == (2, 1)
    second = house.task(task_id)
    os.kill(child, signal.SIGCONT)
    wait_until(
        lambda: '"ending": "lost"' in first.log.read_text(),
        seconds=house.pace.patience,
        what="the frozen child finds that its task is somebody else's",
    )
    house.wait_until_tidy()
    assert house.task(task_id) == second


def test_a_worker_that_wakes_up_while_another_is_at_it(either_house: House) -> None:
    """The row says that the task runs, as it did before: only the attempt tells the two apart."""
    house = either_house
    (frozen, *_) = house.start(house.paused(EXPORTER, "stored"), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    first, house.marker = house.marker, house.folder / "second"
    since = time.monotonic()
    house.freeze(os.killpg, frozen.running.pid)
    house.start(house.paused(EXPORTER, "writing"))
    house.wait_until_paused()
    os.killpg(frozen.running.pid, signal.SIGCONT)
    first.with_suffix(".go").touch()
    wait_until(
        lambda: '"ending": "' in frozen.log.read_text(),
        seconds=house.pace.patience,
        what="the frozen worker is done with it",
    )
    assert '"ending": "lost"' in frozen.log.read_text()
    task = house.task(task_id)
    assert (task.state, task.attempt) == (State.RUNNING, 2)
    assert house.files() == [f".scratch/{task_id}/2/export.xlsx"]
    house.resume()
    kind = house.engine.dialect.name
    house.is_done_once(task_id, f"SIGSTOP; awake while another is at it, {kind}", since)
    assert (house.task(task_id).attempt, house.losses(task_id)) == (2, 1)


def test_a_worker_frozen_in_the_middle_of_a_write_on_sqlite(house: House) -> None:
    """Nobody else can write: the janitor finds out who it is, and ends it."""
    (frozen, *_) = house.start(house.paused(EXPORTER, "beating"), NOTIFIER, JANITOR)
    task_id = house.export()
    child = house.wait_until_paused()
    since = time.monotonic()
    os.killpg(frozen.running.pid, signal.SIGSTOP)
    assert not house.can_be_written()
    other = house.service(EXPORTER).launch()
    within = 2 * SQLITE_BUSY_SECONDS + house.pace.recovery + PATIENCE_SECONDS
    fault = "SIGSTOP of a worker in the middle of a write, sqlite"
    house.is_done_once(task_id, fault, since, within=within)
    assert (house.task(task_id).attempt, house.losses(task_id)) == (2, 1)
    assert not is_running(child)
    os.killpg(frozen.running.pid, signal.SIGCONT)
    assert other.stop(seconds=house.pace.patience) == 0
    house.resume()  # the others of that worker do as they did
    again = house.export()
    house.wait_until_told(again)
    assert house.task(again).status is Status.COMPLETED


def test_a_worker_frozen_in_the_middle_of_a_transaction(postgres_house: House) -> None:
    """It holds its row locked: the database ends the transaction, or nobody could go on."""
    house = postgres_house
    (frozen, *_) = house.start(house.paused(EXPORTER, "beating"), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    since = time.monotonic()
    os.killpg(frozen.running.pid, signal.SIGSTOP)
    house.resume()
    house.start(EXPORTER)
    fault = "SIGSTOP of a worker in the middle of a transaction, postgresql"
    # Its handler may have come to its end meanwhile, and waits for the row: two transactions, one
    # after the other. With the product's lease both are over before it lapses.
    within = max(house.pace.recovery, 2 * IDLE_SECONDS + house.pace.sweep + 5)
    house.is_done_once(task_id, fault, since, within=within)
    second = house.task(task_id)
    os.killpg(frozen.running.pid, signal.SIGCONT)
    wait_until(
        lambda: '"ending": "lost"' in frozen.log.read_text(),
        seconds=house.pace.patience,
        what="the frozen worker finds that its task is somebody else's",
    )
    house.wait_until_tidy()
    assert house.task(task_id) == second
