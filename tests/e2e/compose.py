"""Drives `docker compose` as people do, and looks at what it made."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from tests.processes import ROOT

COMMAND_SECONDS = 600
POLL_SECONDS = 0.25
OURS = ("gateway", "exporter", "notifier", "janitor")
PROFILES = ("--profile", "monitoring", "--profile", "mail", "--profile", "tools")

Answer = TypeVar("Answer")


def wait_until(condition: Callable[[], Answer], *, seconds: float, what: str) -> Answer:
    """Ask again and again until the answer is true; give it."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(POLL_SECONDS)
    return answer


def run(*command: str, environment: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Run a command and give its standard output; one that fails says why."""
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stderr[-4000:]}"
    return done.stdout


def docker(*arguments: str) -> str:
    """Run a command of the engine's."""
    return run("docker", *arguments).strip()


class Container:
    """One container.

    Args:
        container_id: the engine's name for it.
    """

    def __init__(self, container_id: str) -> None:
        self.id = container_id

    def facts(self) -> dict[str, Any]:
        """Everything that the engine knows of it."""
        facts: dict[str, Any] = json.loads(docker("inspect", self.id))[0]
        return facts

    @property
    def hostname(self) -> str:
        """What it calls itself."""
        return self.id[:12]

    @property
    def health(self) -> str:
        """`starting`, `healthy` or `unhealthy`; or, if it does not run, what it does."""
        state = self.facts()["State"]
        return str(state["Health"]["Status"] if state["Status"] == "running" else state["Status"])

    def why(self) -> str:
        """What its last health checks said."""
        return "\n".join(each["Output"] for each in self.facts()["State"]["Health"]["Log"])

    def wait_for(self, health: str, *, seconds: float = 60) -> None:
        """Wait until its health is such."""
        wait_until(
            lambda: self.health == health,
            seconds=seconds,
            what=f"{self.facts()['Name']} is {health}, not {self.health}",
        )

    def pause(self) -> None:
        """Freeze it; a kernel that is busy may need to be told twice."""
        wait_until(self._is_paused, seconds=60, what="it is paused")

    def _is_paused(self) -> bool:
        if self.facts()["State"]["Status"] != "paused":
            subprocess.run(["docker", "pause", self.id], capture_output=True, check=False)
        return bool(self.facts()["State"]["Status"] == "paused")

    def unpause(self) -> None:
        """Let it go on."""
        docker("unpause", self.id)

    def execute(self, *command: str, user: str = "") -> str:
        """Run a command inside."""
        return docker("exec", *(("--user", user) if user else ()), self.id, *command)

    def signal_main(self, signal: str) -> None:
        """Signal the service's own process, below the engine's init, from inside."""
        self.execute("sh", "-c", f"kill -{signal} $(cat /proc/1/task/1/children)")

    def log(self) -> list[dict[str, Any]]:
        """What it has logged, as far as that is structured."""
        lines = run("sh", "-c", f"docker logs {self.id} 2>&1").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


class Compose:
    """A project of its own: name, ports, volumes, images.

    Args:
        project: its name.
        settings: variables that `compose.yaml` reads.
        files: the compose files.
    """

    def __init__(self, project: str, settings: Mapping[str, str], files: Sequence[str]) -> None:
        self.project = project
        self.settings = dict(settings)
        self._files = [part for file in files for part in ("-f", file)]

    def __call__(self, *arguments: str, stdin: str = "", **settings: str) -> str:
        """Run `docker compose`, with more settings for this time."""
        command = ("docker", "compose", "--progress", "plain", "-p", self.project, *self._files)
        return run(*command, *arguments, environment={**self.settings, **settings}, stdin=stdin)

    def with_file(self, file: str) -> "Compose":
        """Give the same project with one more compose file."""
        more = Compose(self.project, self.settings, [])
        more._files = [*self._files, "-f", file]
        return more

    def up(self, *arguments: str, **settings: str) -> None:
        """`up --wait`; if that fails, say what the containers say."""
        try:
            self("up", "--wait", "--wait-timeout", "180", "--no-build", *arguments, **settings)
        except AssertionError as error:
            said = self("ps", "--all") + self("logs", "--tail", "20")
            raise AssertionError(f"{error}\n{said}") from error

    def containers(self, service: str) -> list[Container]:
        """The containers of a service, running or not."""
        return [Container(each) for each in self("ps", "-a", "-q", service).split()]

    def container(self, service: str) -> Container:
        """The one container of a service."""
        (only,) = self.containers(service)
        return only

    def scale(self, service: str, count: int) -> None:
        """Scale one service as people do."""
        self("up", "--wait", "--no-build", "--no-recreate", "--scale", f"{service}={count}")

    def sql(self, query: str) -> list[str]:
        """Ask the task database."""
        command = ("psql", "-h", "127.0.0.1", "-U", "bulkhead", "-At", "-c", query)
        password = "PGPASSWORD=$(cat /run/bulkhead/postgres_password)"
        quoted = " ".join(f"'{each}'" for each in command[:-1]) + ' "$0"'
        return self("exec", "-T", "postgres", "sh", "-c", f"{password} {quoted}", query).split(
            "\n"
        )[:-1]

    def remove(self) -> None:
        """Remove containers, networks and volumes."""
        self(*PROFILES, "down", "--volumes", "--remove-orphans", "--timeout", "2")


def leftovers(project: str) -> list[str]:
    """What the engine still has of a project; images by their tag."""
    label = f"label=com.docker.compose.project={project}"
    return [
        *docker("ps", "-a", "-q", "--filter", label).split(),
        *docker("volume", "ls", "-q", "--filter", label).split(),
        *docker("network", "ls", "-q", "--filter", label).split(),
    ]


def images(tag: str) -> list[str]:
    """Our images with this tag."""
    named = docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"bulkhead-*:{tag}")
    return named.split()
