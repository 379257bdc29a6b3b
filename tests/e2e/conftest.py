"""One set of containers for all tests: built, started and filled once, and always removed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import httpx
import pytest

from tests.e2e.client import Client
from tests.e2e.compose import OURS, Compose, docker, images, leftovers, wait_until
from tests.servers import free_port

PREFIX = "bulkhead-e2e"
FILES = ("compose.yaml", "tests/e2e/compose.yaml")
ROWS = 300_000
TEST_SECONDS = 600


def pytest_configure() -> None:
    """Have a SIGTERM end the tests as Ctrl-C does: with everything removed."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First whether it starts at all; and the first test waits for images to be built."""
    items.sort(key=lambda item: item.path.name != "test_start.py")
    for item in items:
        item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@dataclass(frozen=True)
class Built:
    """Images of this run, and how long they took."""

    tag: str
    seconds: float
    settings: dict[str, str]

    def project(self, name: str) -> Compose:
        """Prepare a project with these images."""
        ports = {"BULKHEAD_PORT": str(free_port()), "FLOWER_PORT": str(free_port())}
        return Compose(f"{self.tag}-{name}", {**self.settings, **ports}, FILES)


@dataclass(frozen=True)
class Stack:
    """Containers that run."""

    compose: Compose
    client: Client
    up_seconds: float

    def others(self, *services: str) -> dict[str, object]:
        """Which containers the other services have, and since when they run."""
        return {
            each: [
                (container.id, container.facts()["State"]["StartedAt"])
                for container in self.compose.containers(each)
            ]
            for each in (*OURS, "redis", "postgres")
            if each not in services
        }


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Build every image, from the working tree, with a tag of this run's own."""
    remove_what_is_left()
    tag = f"{PREFIX}-{os.getpid()}"
    clean = {name: "" for name in os.environ if name.startswith("BULKHEAD_")}
    settings = {
        **clean,
        "BULKHEAD_TAG": tag,
        # A worker that is lost is noticed sooner than by default.
        "BULKHEAD_LEASE_SECONDS": "6",
        "BULKHEAD_HEARTBEAT_SECONDS": "2",
        "PIP_CONF": os.environ.get("PIP_CONF") or pip_conf(tmp_path_factory.mktemp("pip")),
    }
    compose = Compose(f"{tag}-build", settings, FILES)
    try:
        began = time.monotonic()
        compose("--profile", "*", "build")
        yield Built(tag, time.monotonic() - began, settings)
    finally:
        if found := images(tag):
            docker("rmi", "--force", *found)


def pip_conf(folder: Path) -> str:
    """Where packages come from on this machine, if not from pip's default: so they do in builds."""
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode != 0 or not asked.stdout.startswith("http"):
        return ""
    path = folder / "pip.conf"
    path.write_text(f"[global]\nindex-url = {asked.stdout.strip()}\n")
    return str(path)


@pytest.fixture(scope="session")
def stack(built: Built) -> Iterator[Stack]:
    """The containers that most tests share, with `ROWS` work logs of 2024 in their source."""
    compose = built.project("main")
    try:
        began = time.monotonic()
        compose.up()
        seconds = time.monotonic() - began
        compose("run", "--rm", "-T", "admin", "sample-data", "--rows", str(ROWS))
        with connect(compose) as http:
            yield Stack(compose, Client(http), seconds)
    finally:
        compose.remove()
        assert leftovers(compose.project) == []


@pytest.fixture
def healthy(stack: Stack) -> Iterator[Stack]:
    """The same, for a test that breaks something; what it leaves broken is put right."""
    yield stack
    for service in (*OURS, "redis", "postgres"):
        for container in stack.compose.containers(service):
            if container.health == "paused":
                container.unpause()
    if not all(
        [each.health for each in stack.compose.containers(service)] == ["healthy"]
        for service in (*OURS, "redis", "postgres")
    ):
        stack.compose.up()
    wait_until(lambda: stack.client.readiness()[0] == 200, seconds=60, what="the gateway is ready")


def connect(compose: Compose, **options: str) -> httpx.Client:
    """A client of a project's gateway; it retries nothing."""
    return httpx.Client(
        base_url=f"http://127.0.0.1:{compose.settings['BULKHEAD_PORT']}",
        timeout=30,
        trust_env=False,
        headers=options,
    )


def remove_what_is_left() -> None:
    """Remove what runs that were killed have left: theirs, whose process is gone."""
    ours = re.compile(rf"({PREFIX}-(\d+))-\w+")
    listed = (
        docker("ps", "-a", "--format", '{{.Label "com.docker.compose.project"}}').splitlines()
        + docker("volume", "ls", "--format", '{{.Label "com.docker.compose.project"}}').splitlines()
    )
    for project in sorted(set(listed)):
        found = ours.fullmatch(project)
        if found and not Path(f"/proc/{found[2]}").exists():
            Compose(project, {}, FILES).remove()
    for image in images(f"{PREFIX}-*"):
        tag = image.rpartition(":")[2]
        if not Path(f"/proc/{tag.rpartition('-')[2]}").exists():
            docker("rmi", "--force", image)
