"""Ties a process to the one that started it, so that none is left behind."""

import ctypes
import os
import signal
import sys

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
