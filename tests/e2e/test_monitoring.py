"""The profile `monitoring`: Flower answers on this machine and shows the workers."""

import httpx

from tests.e2e.compose import wait_until
from tests.e2e.conftest import Stack

WORKERS = ("exporter", "notifier", "janitor")


def test_flower_shows_every_worker(stack: Stack) -> None:
    compose = stack.compose
    before = stack.others()
    compose("--profile", "monitoring", "up", "--wait", "--no-build")
    assert stack.others() == before
    flower = compose.container("flower")
    assert flower.health == "healthy"
    (bound,) = flower.facts()["HostConfig"]["PortBindings"].values()
    assert [each["HostIp"] for each in bound] == ["127.0.0.1"]
    url = f"http://127.0.0.1:{compose.settings['FLOWER_PORT']}/workers"
    names = {f"{name}-" for name in WORKERS}

    def seen() -> bool:
        page = httpx.get(url, trust_env=False).text
        return all(
            f"{name}-" in page and f"@{compose.container(name).hostname}" in page
            for name in WORKERS
        )

    wait_until(seen, seconds=60, what=f"{names} on Flower's page")
    stack.client.completed(stack.client.export())
    tasks = f"http://127.0.0.1:{compose.settings['FLOWER_PORT']}/tasks"
    assert httpx.get(tasks, trust_env=False).status_code == 200
    assert flower.execute("id", "-u") == "10001"
    compose("--profile", "monitoring", "rm", "--stop", "--force", "flower")
