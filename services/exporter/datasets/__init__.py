"""What can be exported: one file per dataset, a declaration of its relation and columns."""

from services.exporter.datasets.dataset import Dataset
from services.exporter.datasets.work_logs import WORK_LOGS

__all__ = ["WORK_LOGS", "Dataset"]
