"""`bulkhead` as a process: run to its end, or in the background."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from shared.process import tied
from tests.processes import ROOT
from tests.servers import children_of, wait_until

READY_SECONDS = 60
PROCESSES = 6


def environment(**changes: str) -> dict[str, str]:
    """The tests' environment without settings of Bulkhead's, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BULKHEAD_")}
    # A proxy is for other machines: that nobody listens there must not matter.
    proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    own = {"NO_COLOR": "1", "COLUMNS": "200", "PYTHONPATH": str(ROOT)}
    return {**kept, **proxy, **own, **changes}


def bulkhead(
    *arguments: str | Path, stdin: str | None = None, **changes: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        env=environment(**changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        input=stdin,
    )


class UpProcess:
    """`bulkhead up` in the background."""

    def __init__(self, data_dir: Path, port: int, *options: str) -> None:
        self.data_dir = data_dir
        self.url = f"http://127.0.0.1:{port}"
        self.log = data_dir.with_name(f"{data_dir.name}.log")
        command = [sys.executable, "-m", "cli", "up", "--data-dir", str(data_dir),
                   "--port", str(port), *options]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                tied(command),
                env=environment(BULKHEAD_SHUTDOWN_GRACE_SECONDS="0.5"),
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> "UpProcess":
        wait_until(self._is_ready, seconds=READY_SECONDS, what="up is ready")
        return self

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.text
        return "ready at" in self.text

    @property
    def text(self) -> str:
        """All that it has written."""
        return self.log.read_text()

    def family(self) -> list[int]:
        """Its processes, theirs included."""
        found, new = [], [self.process.pid]
        while new:
            found += new
            new = [child for pid in new for child in children_of(pid)]
        return found[1:]

    def whole_family(self) -> list[int]:
        """Its processes, once the broker, four services and the exporter's own child are there."""

        def all_of_them() -> list[int]:
            found = self.family()
            return found if len(found) >= PROCESSES else []

        return wait_until(all_of_them, seconds=READY_SECONDS, what="every process is there")

    def child(self, name: str) -> int:
        """The process that runs a service."""
        for pid in children_of(self.process.pid):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if name.encode() in words:
                return pid
        raise AssertionError(f"no {name} runs")

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal; give the exit status."""
        self.process.send_signal(number)
        return self.process.wait(40)

    def kill(self) -> None:
        """End it now."""
        self.process.kill()
        self.process.wait()
