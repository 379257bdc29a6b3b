"""Takes root's power over permissions from a process that is about to begin.

Another user would not do: the interpreter may lie where only root can look. User 0 without
capabilities obeys the modes of files, as anybody does.
"""

import ctypes
import errno
import os
import sys

PR_CAPBSET_DROP = 24  # Source: prctl(2)
CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3; source: capget(2)
CAPABILITIES = 64
"""As many as a kernel can have; it says of each whether it knows it."""


def drop_capabilities() -> None:
    """Drop all of them, also from what the next `exec` may have; call it in a child."""
    if sys.platform != "linux" or os.getuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(CAPABILITIES):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
            continue
        if ctypes.get_errno() == errno.EINVAL:  # the kernel knows no more
            break
        raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(header, none):
        raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")
