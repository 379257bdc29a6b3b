"""The sweep: what makes a lost worker, a lost bell or a lost broker a delay, and nothing worse."""

import time

import structlog

from services.janitor.frozen_writer import end_frozen_writer
from services.janitor.schedule import Scheduler
from shared.bell import Bell
from shared.contracts.queues import Queue
from shared.database import UNAVAILABLE, now, read
from shared.storage import Storage
from shared.tasks.losses import Losses
from shared.tasks.queries import count_due
from shared.tasks.store import TaskStore

RUNG_AT_ONCE = 200
SPARE_BELLS = 1000
"""Bells of a queue that nobody listens to are forgotten beyond so many."""
PATIENCE_SECONDS = 5.0
"""How long workers have, once the database is back, to say that they live."""

log = structlog.get_logger(__name__)


class Sweep:
    """Recovers lapsed leases and rings for due tasks; any number of them may run at once.

    Args:
        store: the task rows.
        storage: where lost tasks wrote.
        bell: rings.
        scheduler: inserts what is due by the clock.
        max_losses: workers a task may lose before it fails.
    """

    def __init__(
        self,
        store: TaskStore,
        storage: Storage,
        bell: Bell,
        scheduler: Scheduler,
        max_losses: int,
    ) -> None:
        self._store = store
        self._storage = storage
        self._bell = bell
        self._scheduler = scheduler
        self._max_losses = max_losses
        self._was_away = False
        self._recover_from = time.monotonic()

    def once(self) -> bool:
        """Sweep; True if more is to be done at once.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database did not answer.
        """
        try:
            return self._sweep()
        except UNAVAILABLE:
            self._was_away = True
            end_frozen_writer(self._store.engine)
            raise

    def _sweep(self) -> bool:
        recovered = self._recover()
        self._scheduler.run_due()
        with read(self._store.engine) as connection:
            due = count_due(connection)
        rung = [self._ring(queue, due.get(queue, 0)) for queue in Queue]
        return bool(recovered) or RUNG_AT_ONCE in rung

    def _recover(self) -> Losses:
        with read(self._store.engine) as connection:
            now(connection)  # it answers
        if self._was_away:
            # Leases lapsed because nobody could extend them. Whoever lives does so now.
            self._was_away = False
            self._recover_from = time.monotonic() + PATIENCE_SECONDS
        if time.monotonic() < self._recover_from:
            return Losses()
        recovered = self._store.recover_lapsed(self._max_losses)
        if recovered:
            log.warning("leases_lapsed", waiting=recovered.waiting, failed=recovered.failed)
        self._storage.remove_lost(recovered.attempts)
        return recovered

    def _ring(self, queue: Queue, due: int) -> int:
        waiting = self._bell.count_waiting(queue)
        if waiting is None:
            return 0
        if waiting > due + SPARE_BELLS:
            self._bell.silence(queue)
            waiting = 0
        missing = min(max(due - waiting, 0), RUNG_AT_ONCE)
        return missing if self._bell.ring(*[queue] * missing) else 0
