"""Wires the exporter: its settings, clients, handler and Celery app."""

from services.exporter.export import Export
from services.exporter.formats import build_formats
from services.exporter.reader import Reader
from services.exporter.settings import ExporterSettings
from services.exporter.source import create_source_engine
from shared.contracts.queues import Queue
from shared.contracts.tasks import WorkLogsExport
from shared.settings import read_settings
from shared.tasks.runner import Handler
from shared.worker import create_worker

settings = read_settings(ExporterSettings)


def build() -> dict[str, Handler]:
    """Make the handlers and their clients, in the process that runs tasks."""
    source = create_source_engine(settings.source_database_url)
    formats = build_formats(csv_formula_guard=settings.csv_formula_guard)
    return {WorkLogsExport.kind: Export(Reader(source, settings.batch_rows), formats, settings)}


app = create_worker(
    settings,
    queues=(Queue.EXPORT, Queue.HIGH_PRIORITY),
    build=build,
    limits={WorkLogsExport.kind: settings.limits},
)
