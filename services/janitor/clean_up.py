"""The use case: old files go away, and what else nobody wants any more."""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Engine

from services.janitor.orphans import remove_orphans
from services.janitor.settings import JanitorSettings
from shared.contracts.tasks import CleanUp, CleanUpResult
from shared.database import now, read
from shared.inbox import remove_entries
from shared.storage import Storage
from shared.tasks.claims import Finished
from shared.tasks.context import TaskContext
from shared.tasks.files import (
    expire_files,
    expired_in_all,
    expired_keys,
    forget_idempotency_keys,
    forget_tasks,
)
from shared.tasks.idempotency import KEPT

log = structlog.get_logger(__name__)


class TidyUp:
    """Cleans up. A handler: see `shared.tasks.runner.Handler`.

    Args:
        engine: the task database.
        storage: where files are.
        settings: how long records and inbox entries are kept.
    """

    def __init__(self, engine: Engine, storage: Storage, settings: JanitorSettings) -> None:
        self._engine = engine
        self._storage = storage
        self._settings = settings

    def __call__(self, parameters: CleanUp, context: TaskContext) -> Finished:
        """Remove files that are older than the parameters say; begun again, it goes on.

        A file expires first, and only then it is unlinked: a download that comes between the two
        gets 410. Files of unfinished tasks have no record yet, so they are never touched.

        Raises:
            StorageReadOnlyError, StorageUnavailableError: files cannot be unlinked.
        """
        self._report(context, 0)
        while expire_files(
            self._engine,
            before=parameters.before,
            owner=parameters.owner,
            by_task=context.task_id,
        ):
            context.checkpoint()
        removed, after = 0, ""
        while keys := expired_keys(self._engine, context.task_id, after):
            for _, key in keys:
                context.checkpoint()
                self._storage.delete(key)
            removed, after = removed + len(keys), keys[-1][0]
            self._report(context, removed)
        count, size = expired_in_all(self._engine, context.task_id)
        if parameters.owner is None:
            self._tidy(context)
        cleaned_at = datetime.now(self._settings.zone).replace(tzinfo=None)
        return Finished(
            result=CleanUpResult(
                deleted_count=count,
                freed_bytes=size,
                days_old=parameters.days_old,
                cleaned_at=cleaned_at.isoformat(timespec="seconds"),
            )
        )

    def _report(self, context: TaskContext, removed: int) -> None:
        context.report(50 if removed else 5, "removing", removed=removed)

    def _tidy(self, context: TaskContext) -> None:
        """Forget old records, and remove what is in storage for nobody."""
        with read(self._engine) as connection:
            moment = now(connection)
        records_before = moment - timedelta(days=self._settings.record_retention_days)
        entries_before = moment - timedelta(days=self._settings.inbox_retention_days)
        counts = {}
        for name, remove_some, before in (
            ("task_records", forget_tasks, records_before),
            ("inbox_entries", remove_entries, entries_before),
            ("idempotency_keys", forget_idempotency_keys, moment - KEPT),
        ):
            counts[name] = 0
            while removed := remove_some(self._engine, before):
                counts[name] += removed
                context.checkpoint()
        orphans = remove_orphans(self._engine, self._storage, datetime.now(UTC), context.checkpoint)
        log.info("tidied", **counts, orphans=orphans)
