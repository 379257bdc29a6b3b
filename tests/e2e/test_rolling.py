"""A rolling restart of everything, under load: nothing is lost, nothing fails."""

import threading
import time
from itertools import count
from typing import Self
from uuid import uuid4

import httpx

from tests.e2e.client import YEAR
from tests.e2e.compose import OURS
from tests.e2e.conftest import Stack, connect

PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.3


class Load(threading.Thread):
    """Submits exports and notifications, one after the other, as a careful client does.

    Each has an `Idempotency-Key`, so that one whose answer was lost is sent again and made once.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__(name="load", daemon=True)
        self._http = connect(stack.compose)
        self._ended = threading.Event()
        self.tasks: list[str] = []
        self.error: Exception | None = None

    def run(self) -> None:
        bodies = (
            ("/api/export/work-logs", {"start_date": "2024-06-01", "end_date": "2024-06-03"}),
            (
                "/api/export/work-logs",
                {**YEAR, "employee_ids": ["emp_001"], "export_format": "csv"},
            ),
            (
                "/api/notifications",
                {"user_id": "user_008", "message": "hi", "notification_type": "inbox"},
            ),
        )
        try:
            for number in count():
                if self._ended.wait(PAUSE_SECONDS):
                    return
                path, body = bodies[number % len(bodies)]
                self.tasks.append(self._submit(path, body))
        except Exception as error:  # noqa: BLE001  (the test fails with it)
            self.error = error

    def _submit(self, path: str, body: object) -> str:
        headers, deadline = {"Idempotency-Key": uuid4().hex}, time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._http.post(path, json=body, headers=headers)
                if answer.status_code < 500:
                    assert answer.status_code == 202, answer.text
                    return str(answer.json()["task_id"])
                reason = answer.text
            except httpx.TransportError as error:
                reason = repr(error)
            assert time.monotonic() < deadline, reason
            time.sleep(PAUSE_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()
        self._http.close()


def test_everything_is_replaced_under_load(healthy: Stack) -> None:
    compose, client = healthy.compose, healthy.client
    before = {each: compose.container(each).id for each in OURS}
    known = int(compose.sql("SELECT count(*) FROM tasks WHERE parent_id IS NULL")[0])
    with Load(healthy) as load:
        long = client.export(**YEAR)
        for service in OURS:
            compose.up("--no-deps", "--force-recreate", service)
        for service in ("redis", "postgres"):
            compose("restart", service)
            compose.container(service).wait_for("healthy")
        for service in OURS:
            compose.container(service).wait_for("healthy")
    assert load.error is None
    assert all(compose.container(each).id != before[each] for each in OURS)
    assert len(set(load.tasks)) == len(load.tasks) > 20
    client.completed(long, *load.tasks)
    made = int(compose.sql("SELECT count(*) FROM tasks WHERE parent_id IS NULL")[0]) - known
    assert made == len(load.tasks) + 1
    # Told to stop, a worker hands its task over: that is no loss.
    (losses,) = compose.sql(f"SELECT losses FROM tasks WHERE id = '{long}'")
    assert losses == "0"
