"""Workers as real processes: what runs, what is stopped, what is killed, what is away."""

import os
import signal
import socket

import pytest

from shared.contracts.queues import Queue
from shared.contracts.tasks import State, Status
from shared.health import TAKEN_SECONDS
from shared.tasks.runner import EX_SOFTWARE
from tests.processes import is_running
from tests.servers import promised, wait_until
from tests.stack import Stack

PROBE = "tests.probe"
JANITOR = "services.janitor"


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "solo"])
def test_a_bell_runs_a_task_to_its_end(stack: Stack, pool: str) -> None:
    worker = stack.service(PROBE, BULKHEAD_PROBE_POOL=pool).start()
    task_id = stack.submit()
    task = stack.wait_until_over(task_id)
    assert (task.state, task.attempt, task.progress) == (State.DONE, 1, 100)
    assert stack.files() == [f"{task_id}/1.csv"]
    assert worker.stop() == 0


def test_tasks_of_many_workers_each_end_once(stack: Stack) -> None:
    for _ in range(2):
        stack.service(PROBE, BULKHEAD_PROBE_CONCURRENCY="2").launch()
    tasks = [stack.submit(priority=n % 10) for n in range(40)]
    for service in stack.services:
        service.wait_until_ready()
    assert {stack.wait_until_over(each).attempt for each in tasks} == {1}
    assert len(stack.files()) == len(tasks)


@pytest.mark.parametrize(
    ("pool", "how"),
    [
        ("prefork", "check"),
        ("prefork", "sleep"),
        ("prefork", "swallow"),
        ("prefork", "stuck in C"),
        ("threads", "check"),
        ("gevent", "check"),
        ("gevent", "sleep"),
    ],
)
def test_a_running_task_is_cancelled_and_the_next_one_runs(
    stack: Stack, pool: str, how: str
) -> None:
    stack.service(PROBE, BULKHEAD_PROBE_POOL=pool).start()
    task_id = stack.submit(how)
    stack.wait_until_runs(task_id)
    stack.store.cancel(task_id, "local")
    task = stack.wait_until_over(task_id, seconds=5)
    assert (task.state, task.error_code, task.attempt) == (State.CANCELLED, "cancelled", 1)
    assert stack.wait_until_over(stack.submit()).state is State.DONE


def test_a_thread_that_does_not_stop_is_given_up_and_its_process_at_the_hard_limit(
    stack: Stack,
) -> None:
    worker = stack.service(
        PROBE,
        BULKHEAD_PROBE_POOL="threads",
        BULKHEAD_PROBE_CONCURRENCY="2",
        BULKHEAD_PROBE_SOFT_LIMIT_SECONDS="6",
        BULKHEAD_PROBE_HARD_LIMIT_SECONDS="7",
    ).start()
    stubborn = stack.submit("swallow")
    stack.wait_until_runs(stubborn)
    stack.store.cancel(stubborn, "local")
    assert stack.wait_until_over(stubborn, seconds=5).state is State.CANCELLED
    assert stack.wait_until_over(stack.submit()).state is State.DONE  # in the other thread
    neighbour = stack.submit("check")
    stack.wait_until_runs(neighbour)
    assert worker.running.wait(15) == EX_SOFTWARE
    assert stack.task(neighbour).state is State.QUEUED
    stack.service(PROBE).start()
    stack.bell.ring(Queue.EXPORT)
    assert stack.wait_until_over(neighbour).attempt == 2


@pytest.mark.parametrize("how", ["check", "sleep", "stuck in C"])
def test_a_stopping_worker_hands_its_task_to_another(stack: Stack, how: str) -> None:
    first = stack.service(PROBE).start()
    task_id = stack.submit(how)
    stack.wait_until_runs(task_id)
    second = stack.service(PROBE).start()
    assert first.stop(seconds=15) == 0
    task = stack.wait_until_over(task_id, seconds=5)
    assert (task.state, task.attempt) == (State.DONE, 2)
    assert stack.files() == [f"{task_id}/2.csv"]
    assert second.stop() == 0


def test_stopping_the_whole_process_group_hands_over_too(stack: Stack) -> None:
    worker = stack.service(PROBE).start()
    task_id = stack.submit("sleep")
    stack.wait_until_runs(task_id)
    os.killpg(worker.running.pid, signal.SIGTERM)
    worker.running.wait(15)
    assert stack.task(task_id).state is State.QUEUED
    assert stack.files() == []


@pytest.mark.parametrize("pool", ["threads", "gevent"])
def test_tasks_of_one_process_are_handed_over_when_it_is_told_to_stop(
    stack: Stack, pool: str
) -> None:
    worker = stack.service(PROBE, BULKHEAD_PROBE_POOL=pool).start()
    task_id = stack.submit("check")
    stack.wait_until_runs(task_id)
    assert worker.stop(seconds=15) == 0
    assert stack.task(task_id).state is State.QUEUED


def test_a_killed_child_costs_a_loss_and_its_task_runs_again(stack: Stack) -> None:
    stack.service(JANITOR).start()
    worker = stack.service(PROBE).start()
    task_id = stack.submit("sleep")
    stack.wait_until_runs(task_id)
    (child,) = worker.children()
    os.kill(child, signal.SIGKILL)
    task = stack.wait_until_over(task_id)
    assert (task.state, task.attempt) == (State.DONE, 2)
    assert stack.files() == [f"{task_id}/2.csv"]


def test_a_killed_worker_leaves_no_child_and_another_finishes(stack: Stack) -> None:
    stack.service(JANITOR).start()
    worker = stack.service(PROBE).start()
    task_id = stack.submit("sleep")
    stack.wait_until_runs(task_id)
    children = worker.children()
    os.kill(worker.running.pid, signal.SIGKILL)
    worker.running.wait()
    wait_until(lambda: not any(map(is_running, children)), seconds=5, what="no child is left")
    stack.service(PROBE).start()
    task = stack.wait_until_over(task_id)
    assert (task.state, task.attempt) == (State.DONE, 2)


def test_a_child_that_outlives_its_parent_does_not_keep_the_port(stack: Stack) -> None:
    worker = stack.service(PROBE).start()
    task_id = stack.submit("stuck in C")
    stack.wait_until_runs(task_id)
    (child,) = worker.children()
    os.kill(worker.running.pid, signal.SIGKILL)
    worker.running.wait()
    assert is_running(child), "it cannot even be told"
    try:
        worker.start()
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_port_that_is_taken_is_waited_for(stack: Stack) -> None:
    worker = stack.service(PROBE)
    with socket.create_server(("127.0.0.1", worker.port)):
        worker.launch()
        assert worker.running.wait(promised(TAKEN_SECONDS + 10)) == EX_SOFTWARE
        assert f"{worker.port} is taken" in worker.log.read_text()
        worker.launch()
        wait_until(
            lambda: worker.log.read_text().count("health_port_taken") == 2,
            seconds=10,
            what="it waits again",
        )
    worker.wait_until_ready()


def test_a_task_that_kills_its_worker_every_time_fails(stack: Stack) -> None:
    stack.service(JANITOR).start()
    stack.service(PROBE).start()
    task = stack.wait_until_over(stack.submit("always die"), seconds=30)
    assert (task.state, task.error_code, task.attempt) == (State.FAILED, "worker_lost", 3)


@pytest.mark.parametrize(
    ("pool", "how"),
    [("prefork", "check"), ("prefork", "stuck in C"), ("threads", "check"), ("gevent", "sleep")],
)
def test_a_task_past_its_time_limit_fails(stack: Stack, pool: str, how: str) -> None:
    stack.service(
        PROBE,
        BULKHEAD_PROBE_POOL=pool,
        BULKHEAD_PROBE_SOFT_LIMIT_SECONDS="1",
        BULKHEAD_PROBE_HARD_LIMIT_SECONDS="2",
    ).start()
    task = stack.wait_until_over(stack.submit(how), seconds=10)
    assert (task.state, task.error_code, task.attempt) == (State.FAILED, "time_limit", 1)


def test_a_retryable_error_is_tried_again(stack: Stack) -> None:
    stack.service(JANITOR).start()
    stack.service(PROBE).start()
    task = stack.wait_until_over(stack.submit("away twice"))
    assert (task.state, task.attempt) == (State.DONE, 3)


def test_retries_are_bounded(stack: Stack) -> None:
    stack.service(JANITOR).start()
    stack.service(PROBE, BULKHEAD_MAX_RETRIES="1").start()
    task = stack.wait_until_over(stack.submit("always away"))
    assert (task.error_code, task.attempt) == ("source_unavailable", 2)


def test_a_defect_fails_at_once_and_its_traceback_stays_in_the_log(stack: Stack) -> None:
    worker = stack.service(PROBE).start()
    task = stack.wait_until_over(stack.submit("defect"))
    assert (task.error_code, task.attempt) == ("internal_error", 1)
    assert "secret" not in repr(task)
    assert "ZeroDivisionError" in worker.log.read_text()


def test_a_broker_that_lost_everything_needs_only_to_be_rung_again(stack: Stack) -> None:
    stack.service(JANITOR).start()
    worker = stack.service(PROBE).start()
    stack.redis.kill()
    stack.redis.forget()
    task_id = stack.submit()
    wait_until(
        lambda: worker.health("readyz")[0] == 503, seconds=10, what="without a broker, not ready"
    )
    assert worker.health("healthz")[0] == 200
    stack.redis.start()
    assert stack.wait_until_over(task_id, seconds=60).attempt == 1


def test_an_empty_bell_does_nothing(stack: Stack) -> None:
    worker = stack.service(PROBE).start()
    stack.bell.ring(Queue.EXPORT, Queue.EXPORT, Queue.HIGH_PRIORITY)
    assert stack.wait_for(stack.submit(), Status.COMPLETED).attempt == 1
    assert worker.stop() == 0
