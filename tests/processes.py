"""Bulkhead's own processes, started as users start them, which a test may stop and kill."""

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.servers import children_of, free_port, wait_until
from tests.template import ForkedProcess, Template

START_SECONDS = 60

ROOT = Path(__file__).parent.parent

_template = Template(ROOT)


class Service:
    """One `python -m <module>` that serves health; its log is a file in `folder`.

    Args:
        module: what to run.
        environment: its settings.
        folder: for its log.
        port_variable: the setting of the port that its health is on.
        privileged: whether it keeps root's power over permissions, if the tests have it.
    """

    def __init__(
        self,
        module: str,
        environment: Mapping[str, str],
        folder: Path,
        port_variable: str,
        *,
        privileged: bool = True,
    ) -> None:
        self.module = module
        self.privileged = privileged
        self.port = free_port()
        self.environment = {**environment, port_variable: str(self.port)}
        self.log = folder / f"{module}-{self.port}.log"
        self.process: ForkedProcess | None = None

    def start(self) -> "Service":
        """Start and wait until it is ready."""
        return self.launch().wait_until_ready()

    def launch(self) -> "Service":
        """Start, and do not wait."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BULKHEAD_")}
        environment = {**inherited, **self.environment}
        self.process = _template.start(
            self.module, environment, self.log, privileged=self.privileged
        )
        return self

    def wait_until_ready(self) -> "Service":
        """Wait until `/readyz` says so."""
        wait_until(self._is_ready, seconds=START_SECONDS, what=f"{self.module} is ready")
        return self

    def _is_ready(self) -> bool:
        assert self.running.poll() is None, self.log.read_text()
        return self.health("readyz")[0] == 200

    @property
    def running(self) -> ForkedProcess:
        assert self.process is not None
        return self.process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def health(self, name: str) -> tuple[int, dict[str, object]]:
        """Ask `/healthz` or `/readyz`; 0 if nobody listens."""
        try:
            with urllib.request.urlopen(f"{self.url}/{name}", timeout=6) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            return 0, {}

    def children(self) -> list[int]:
        """List the processes that it has forked."""
        return children_of(self.running.pid)

    def stop(self, *, seconds: float = 20) -> int:
        """Send SIGTERM and wait; give the exit status."""
        self.running.send_signal(signal.SIGTERM)
        return self.running.wait(seconds)

    def kill(self) -> None:
        """End it now, and what it has forked with it."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def is_running(pid: int) -> bool:
    """Whether the process is there, and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
