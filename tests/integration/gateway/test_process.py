"""The gateway as a process: where it listens, what it refuses, how it stops."""

import httpx
import pytest

from tests.processes import Service
from tests.stack import Stack

BODY = {"start_date": "2024-01-01", "end_date": "2024-01-31"}


@pytest.fixture
def gateway(stack: Stack) -> Service:
    return stack.service("services.gateway").start()


def test_it_answers_in_json_lines_and_stops_when_told(gateway: Service) -> None:
    answer = httpx.post(f"{gateway.url}/api/export/work-logs", json=BODY)
    assert answer.status_code == 202
    gateway.stop(seconds=10)
    log = gateway.log.read_text()
    assert f'"request_id": "{answer.headers["x-request-id"]}"' in log
    assert '"status": 202' in log
    assert "Traceback" not in log


def test_a_chunked_body_above_the_limit_is_refused(gateway: Service) -> None:
    chunks = (b"x" * 65536 for _ in range(20))
    answer = httpx.post(
        f"{gateway.url}/api/export/work-logs",
        content=chunks,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"BULKHEAD_GATEWAY_HOST": "0.0.0.0"}, "does not listen on 0.0.0.0 without API keys"),
        ({"BULKHEAD_TIMEZONE": "Mars/Olympus"}, "BULKHEAD_TIMEZONE: no such time zone"),
    ],
)
def test_wrong_settings_end_it_with_a_status_of_their_own(
    stack: Stack, settings: dict[str, str], says: str
) -> None:
    gateway = stack.service("services.gateway", **settings).launch()
    assert gateway.running.wait(20) == 78
    assert says in gateway.log.read_text()
    assert "Traceback" not in gateway.log.read_text()


def test_it_listens_to_others_when_that_is_said(stack: Stack) -> None:
    settings = {"BULKHEAD_GATEWAY_HOST": "0.0.0.0", "BULKHEAD_ALLOW_ANONYMOUS": "true"}
    gateway = stack.service("services.gateway", **settings).start()
    assert httpx.get(f"{gateway.url}/api/tasks").status_code == 200
