"""The use case: an application's rows become a file."""

import os
import secrets
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path

from services.exporter.datasets import WORK_LOGS
from services.exporter.formats import Format
from services.exporter.reader import Reader
from shared.contracts.events import ExportFinished
from shared.contracts.tasks import ExportFormat, ExportResult, WorkLogsExport
from shared.errors import RowCountError
from shared.settings import Settings
from shared.storage import storage_errors
from shared.tasks.claims import Finished, WrittenFile
from shared.tasks.context import TaskContext

QUERYING, WRITING, FINISHING = 0, 5, 95
"""The percentages at which the three steps begin."""


class Export:
    """Exports work logs. A handler: see `shared.tasks.runner.Handler`.

    Args:
        reader: of the application's rows.
        formats: by the name that a request gives.
        settings: the time zone.
    """

    def __init__(
        self, reader: Reader, formats: dict[ExportFormat, Format], settings: Settings
    ) -> None:
        self._reader = reader
        self._formats = formats
        self._settings = settings

    def __call__(self, parameters: WorkLogsExport, context: TaskContext) -> Finished:
        """Write the rows that the parameters select into a file in the scratch folder.

        Raises:
            SourceUnavailableError, SourceSchemaError: the rows cannot be read.
            StorageFullError, StorageReadOnlyError, StorageUnavailableError: nor written.
            RowCountError: as many rows as the snapshot holds were not written.
        """
        context.report(QUERYING, "querying")
        with storage_errors():
            context.scratch.mkdir(parents=True, exist_ok=True)
        days = f"{parameters.start_date}_{parameters.end_date}"
        extension = parameters.export_format.value
        name = f"work_logs_{days}_{secrets.token_hex(8)}.{extension}"
        path = context.scratch / f"export.{extension}"
        written = self._write(path, parameters, context)
        context.report(FINISHING, "finishing")
        with storage_errors(), path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
            size = os.fstat(file.fileno()).st_size
        created_at = datetime.now(self._settings.zone).replace(tzinfo=None)
        result = ExportResult(
            file_name=name,
            records_count=written,
            start_date=parameters.start_date,
            end_date=parameters.end_date,
            created_at=created_at.isoformat(timespec="seconds"),
            size=size,
            sha256=digest,
        )
        media_type = self._formats[parameters.export_format].media_type
        return Finished(
            result=result,
            file=WrittenFile(path, name, media_type, size, digest),
            event=ExportFinished(parameters=parameters, result=result),
        )

    def _write(self, path: Path, parameters: WorkLogsExport, context: TaskContext) -> int:
        """Write the file and give its number of rows."""
        file_format, written = self._formats[parameters.export_format], 0
        with self._reader.open(WORK_LOGS, parameters, context) as snapshot:
            total = snapshot.total
            table = WORK_LOGS.table(
                parameters.language, self._settings.zone, total, datetime.now(UTC)
            )
            with storage_errors(), file_format.open(path, table) as write:
                for batch in snapshot.batches:
                    context.checkpoint()
                    if written + len(batch) > total:
                        raise RowCountError(expected=total, written=written + len(batch))
                    write(batch)
                    written += len(batch)
                    percent = WRITING + (FINISHING - WRITING) * written // total
                    context.report(
                        percent, "writing", format=file_format.label, written=written, total=total
                    )
        if written != total:
            raise RowCountError(expected=total, written=written)
        return written
