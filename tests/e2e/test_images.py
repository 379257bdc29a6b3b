"""What an image holds: shared code, one service, that service's dependencies, and nothing else."""

import json

import pytest

from tests.e2e.compose import OURS, Container, docker
from tests.e2e.conftest import Built, Stack

ONLY_IN = {
    "fastapi": "gateway",
    "uvicorn": "gateway",
    "openpyxl": "exporter",
    "isal": "exporter",
    "httpx": "notifier",
    "jinja2": "notifier",
    "cronsim": "janitor",
}
IN_NONE = ("pip", "pytest", "typer", "flower", "aiosmtpd", "cli", "tests")
LOOK = "import importlib.util as u, sys; print(*(n for n in sys.argv[1:] if u.find_spec(n)))"


def python(image: str, *arguments: str) -> str:
    """Run the image's Python, without its service."""
    return docker("run", "--rm", "--network", "none", "--entrypoint", "/opt/venv/bin/python", image,
                  *arguments)  # fmt: skip


@pytest.mark.parametrize("service", OURS)
def test_an_image_has_its_own_dependencies_and_none_of_its_neighbours(
    built: Built, service: str
) -> None:
    image = f"bulkhead-{service}:{built.tag}"
    found = python(image, "-c", LOOK, *ONLY_IN, *IN_NONE, "sqlalchemy", "celery").split()
    own = {name for name, owner in ONLY_IN.items() if owner == service}
    assert set(found) == {*own, "sqlalchemy", "celery"}


@pytest.mark.parametrize("service", OURS)
def test_an_image_has_shared_and_one_service(built: Built, service: str) -> None:
    image = f"bulkhead-{service}:{built.tag}"
    listing = "import pathlib; print(*sorted(p.name for p in pathlib.Path('services').iterdir()))"
    assert python(image, "-c", listing).split() == ["__init__.py", "__pycache__", service]
    listing = "import os; print(*sorted(os.listdir()))"
    # The first names the project's version, and holds no code.
    assert python(image, "-c", listing).split() == [
        "bulkhead-0.1.0.dist-info",
        "services",
        "shared",
    ]


@pytest.mark.parametrize("service", OURS)
def test_an_image_says_what_it_is_and_how_it_starts(built: Built, service: str) -> None:
    config = json.loads(docker("inspect", f"bulkhead-{service}:{built.tag}"))[0]["Config"]
    assert config["Cmd"] == ["python", "-m", f"services.{service}"]
    assert not config["Entrypoint"]
    assert config["User"] == "10001:10001"
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == f"bulkhead-{service}"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    version = python(
        f"bulkhead-{service}:{built.tag}",
        "-c", "from importlib.metadata import version; print(version('bulkhead'))",
    )  # fmt: skip
    assert labels["org.opencontainers.image.version"] == version


def test_an_image_keeps_nothing_of_where_packages_came_from(built: Built) -> None:
    for service in OURS:
        image = f"bulkhead-{service}:{built.tag}"
        assert python(image, "-c", "import os; print(os.listdir('/run/bulkhead'))") == "[]"
        history = docker("history", "--no-trunc", image)
        assert "index-url" not in history
        look = (
            "import os; print(os.path.exists('/root/.cache/pip'), os.path.exists('/requirements'))"
        )
        asked = docker("run", "--rm", "--user", "0", "--entrypoint", "python", image, "-c", look)
        assert asked == "False False"


@pytest.mark.parametrize("service", OURS)
def test_a_container_is_confined(stack: Stack, service: str) -> None:
    container = stack.compose.container(service)
    written = {
        path: _can_write(container, path)
        for path in ("/x", "/app/x", "/opt/venv/x", "/run/bulkhead/x", "/tmp/x", "/data/exports/x")
    }
    assert written == {
        "/x": False,
        "/app/x": False,
        "/opt/venv/x": False,
        "/run/bulkhead/x": False,
        "/tmp/x": True,
        "/data/exports/x": True,
    }
    mounts = container.execute("cat", "/proc/mounts").splitlines()
    memory = {line.split()[1] for line in mounts if line.split()[2] == "tmpfs"}
    assert {each for each in memory if not each.startswith(("/dev", "/proc", "/sys"))} == {"/tmp"}
    status = container.execute("cat", "/proc/1/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split() == ["10001"] * 4
    assert int(facts["CapBnd"], 16) == 0
    assert facts["NoNewPrivs"] == "1"


def _can_write(container: Container, path: str) -> bool:
    said = container.execute("sh", "-c", f"(: >{path}) 2>/dev/null && rm {path} && echo yes || :")
    return said == "yes"


def test_containers_have_bounds_and_restart_and_are_reached_from_this_machine_only(
    stack: Stack,
) -> None:
    for service in (*OURS, "redis", "postgres"):
        facts = stack.compose.container(service).facts()
        host = facts["HostConfig"]
        assert host["Memory"] > 0, service
        assert host["RestartPolicy"]["Name"] == "unless-stopped", service
        assert facts["Config"]["StopTimeout"] >= 15, service
        assert facts["Config"]["Healthcheck"]["Test"], service
        addresses = {
            each["HostIp"] for bound in (host["PortBindings"] or {}).values() for each in bound
        }
        assert addresses == ({"127.0.0.1"} if service == "gateway" else set())


def test_passwords_stand_in_files_only(stack: Stack) -> None:
    redis = stack.compose.container("redis")
    names = ("redis_password", "postgres_password")
    passwords = [redis.execute("cat", f"/run/bulkhead/{name}") for name in names]
    assert all(len(each) == 43 for each in passwords)
    for service in (*OURS, "redis", "postgres", "init"):
        container = stack.compose.container(service)
        seen = docker("inspect", container.id) + docker("logs", container.id)
        if service != "init":
            seen += docker("top", container.id, "-eo", "pid,args")
        for each in passwords:
            assert each not in seen, service
    # They are what opens the doors.
    refused = redis.execute("sh", "-c", "redis-cli -h 127.0.0.1 ping 2>&1 || :")
    assert "NOAUTH" in refused
