"""Ties a process to the one that started it, and keeps SQLite apart from forks.

`python -m shared.process PARENT SIGNAL COMMAND…` becomes the command, tied to its parent.
"""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PR_SET_PDEATHSIG = 1  # Source: prctl(2)


def die_with_parent(parent: int, with_signal: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel signal this process when its parent is gone, however the parent ended.

    Call it in the child. Only Linux can do this; elsewhere it does nothing.

    Args:
        parent: the parent's process id, for a parent that is gone already is noticed at once.
        with_signal: what the child gets.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, with_signal)
    if os.getppid() != parent:
        os.kill(os.getpid(), with_signal)


def tied(command: Sequence[str], with_signal: signal.Signals = signal.SIGKILL) -> list[str]:
    """Give the command line that runs a command tied to this process."""
    me = [sys.executable, "-m", "shared.process", str(os.getpid()), str(int(with_signal))]
    return [*me, *command]


def process_state(pid: int) -> str | None:
    """Give the kernel's letter for what a process does: `R`, `S`, `T` stopped, `Z` dead.

    Empty if there is no such process; None where that cannot be known. Source: proc_pid_stat(5)
    """
    if sys.platform != "linux":
        return None
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return text.rpartition(")")[2].split()[0]


_forks = threading.Lock()
os.register_at_fork(
    before=_forks.acquire, after_in_parent=_forks.release, after_in_child=_forks.release
)


@contextmanager
def unforked() -> Iterator[None]:
    """Hold back any fork of this process meanwhile; for threads that open a database beside a pool.

    A child would inherit what SQLite knows of its parent's locks, and believe that it holds them.
    Source: https://www.sqlite.org/howtocorrupt.html section 2.6
    """
    with _forks:
        yield


if __name__ == "__main__":
    _, _parent, _number, *_command = sys.argv
    die_with_parent(int(_parent), signal.Signals(int(_number)))
    os.execvp(_command[0], _command)  # noqa: S606  (the command is the caller's)
