"""Ends a process that is frozen while it alone may write into SQLite: nobody else could go on.

PostgreSQL ends such a transaction by itself (`shared/postgres.py`); SQLite's lock is the kernel's,
and stays for as long as the process does. What a killed process had written of its transaction,
SQLite rolls back.
"""

import os
import signal
from pathlib import Path

import structlog
from sqlalchemy import Engine

from shared.process import process_state

WRITE_LOCK = 120
"""The byte of the `-shm` file that a writer locks. Source: https://www.sqlite.org/walformat.html"""
STOPPED = "T"
LOCKS = Path("/proc/locks")  # Source: proc_locks(5)

log = structlog.get_logger(__name__)


def end_frozen_writer(engine: Engine) -> bool:
    """End whoever has stopped in the middle of a write; call it when the database stayed locked.

    Only Linux can say who that is, and only a process on this machine writes into SQLite. One that
    a debugger holds is left alone.

    Returns:
        Whether a process was ended.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or not LOCKS.exists():
        return False
    pid = writer(Path(path))
    if pid is None or process_state(pid) != STOPPED:
        return False
    log.error("frozen_writer_killed", pid=pid, hint="it kept the database from everybody")
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError as error:
        log.warning("frozen_writer_not_killed", pid=pid, reason=str(error))
        return False
    return True


def writer(database: Path) -> int | None:
    """Give the process that may write into an SQLite database now; None if nobody does."""
    try:
        found = database.with_name(f"{database.name}-shm").stat()
    except OSError:
        return None
    shared_memory = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in LOCKS.read_text().splitlines():
        # 1: POSIX  ADVISORY  WRITE 4711 08:01:1048577 120 120; "1: -> POSIX …" waits for it.
        _, kind, _, access, pid, file, first, *_ = line.split()
        if (kind, access, file, first) == ("POSIX", "WRITE", shared_memory, str(WRITE_LOCK)):
            return int(pid)
    return None
