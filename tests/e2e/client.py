"""A client on the host: asks the gateway as the documents say, and waits."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.e2e.compose import wait_until

YEAR = {"start_date": "2024-01-01", "end_date": "2024-12-31"}
DAY = {"start_date": "2024-01-31", "end_date": "2024-01-31"}
OVER = ("completed", "failed")


@dataclass(frozen=True)
class Client:
    """The gateway of a project, from the host."""

    http: httpx.Client

    def export(self, **body: object) -> str:
        """Submit an export; give its task."""
        return self.submit("/api/export/work-logs", {**DAY, **body})

    def submit(self, path: str, body: object = None, **options: Any) -> str:
        """Submit a task; give its id."""
        answer = self.http.post(path, json=body, **options)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def task(self, task_id: str) -> dict[str, Any]:
        """Ask for a task."""
        answer = self.http.get(f"/api/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        task: dict[str, Any] = answer.json()
        return task

    def wait(self, task_id: str, *, seconds: float = 120) -> dict[str, Any]:
        """Wait until a task is over."""
        wait_until(
            lambda: self.task(task_id)["status"] in OVER,
            seconds=seconds,
            what=f"the end of {self.task(task_id)}",
        )
        return self.task(task_id)

    def completed(self, *tasks: str, seconds: float = 120) -> list[dict[str, Any]]:
        """Wait until tasks are over, all of them well."""
        ended = [self.wait(each, seconds=seconds) for each in tasks]
        bad = [each for each in ended if each["status"] != "completed"]
        assert not bad, bad
        return ended

    def download(self, task: dict[str, Any]) -> bytes:
        """Download a finished export."""
        answer = self.http.get(task["result"]["download_url"])
        assert answer.status_code == 200, answer.text
        return answer.content

    def readiness(self) -> tuple[int, float]:
        """Ask `/readyz`: its status, and how many seconds that took; 0 if nobody answers."""
        try:
            answer = self.http.get("/readyz")
        except httpx.HTTPError:
            return 0, 0.0
        return answer.status_code, answer.elapsed.total_seconds()
