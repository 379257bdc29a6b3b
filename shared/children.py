"""Looks after a pool's processes from their parent, which goes on when one of them cannot.

A child that died gives its task back at once. One that lives keeps its task, also while a long call
into C holds its interpreter and no thread of its own can say so; but when such a child should have
stopped and has not, it is killed.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog

from shared.bell import Bell
from shared.process import process_state, unforked
from shared.storage import Storage
from shared.tasks.holdings import Holdings
from shared.tasks.runner import worker_name

OVERDUE_EVERY_SECONDS = 0.5
PATIENCE = timedelta(seconds=1.2)
"""How long a child may take to stop by itself: its own watcher needs half a second to see that it
should, and gives it another one."""
DEAD = ("", "Z", "X")
STOPPED = ("T", "t")

log = structlog.get_logger(__name__)


def child_pids(pool: Any) -> list[int]:
    """List the processes of Celery's pool; none if its tasks run in threads of this one."""
    processes = getattr(getattr(pool, "_pool", None), "_pool", None) or []
    pids = [each.pid for each in processes if hasattr(each, "exitcode") and each.pid]
    return [pid for pid in pids if process_state(pid) not in DEAD]


class Children:
    """The processes of one pool.

    Args:
        pool: gives Celery's pool.
        is_busy: whether any of them runs a task.
        holdings: the rows that they hold.
        storage: where they write.
        bell: rings for what they gave back.
        heartbeat_seconds: how often leases are extended.
    """

    def __init__(
        self,
        pool: Callable[[], Any],
        is_busy: Callable[[], bool],
        holdings: Holdings,
        storage: Storage,
        bell: Bell,
        heartbeat_seconds: float,
    ) -> None:
        self._pool = pool
        self._is_busy = is_busy
        self._holdings = holdings
        self._storage = storage
        self._bell = bell
        self._heartbeat_seconds = heartbeat_seconds
        self._seen: set[int] = set()
        self._asked_at = self._beat_at = time.monotonic()

    def look(self) -> None:
        """Look once; call it several times a second.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database did not answer; the next look makes up.
        """
        living = set(child_pids(self._pool()))
        self._seen |= living
        if dead := self._seen - living:
            self._take_back(dead)
            self._seen -= dead
        if not living or not self._is_busy():
            return
        moment = time.monotonic()
        if moment - self._asked_at >= OVERDUE_EVERY_SECONDS:
            self._asked_at = moment
            self._end_overdue(living)
        if moment - self._beat_at >= self._heartbeat_seconds:
            self._beat_at = moment
            self._extend(living)

    def _take_back(self, dead: set[int]) -> None:
        with unforked():
            losses = self._holdings.lose([worker_name(pid) for pid in dead])
        if losses:
            log.warning("children_lost", pids=sorted(dead), queues=losses.queues)
        self._storage.remove_lost(losses.attempts)
        self._bell.ring(*losses.queues)

    def _end_overdue(self, living: set[int]) -> None:
        names = {worker_name(pid): pid for pid in living}
        with unforked():
            overdue = self._holdings.overdue(names, PATIENCE)
        for name in overdue:
            log.error("child_did_not_stop", pid=names[name])
            with suppress(ProcessLookupError):
                os.kill(names[name], signal.SIGKILL)

    def _extend(self, living: set[int]) -> None:
        # One that is stopped gives no sign of life: another worker takes its task over.
        running = [pid for pid in living if process_state(pid) not in (None, *STOPPED)]
        if running:
            with unforked():
                self._holdings.extend([worker_name(pid) for pid in running])
