"""What a file can be: one file per format, behind one interface."""

from services.exporter.formats.csv import Csv
from services.exporter.formats.format import Format
from services.exporter.formats.xlsx import Xlsx
from shared.contracts.tasks import ExportFormat


def build_formats(*, csv_formula_guard: bool = True) -> dict[ExportFormat, Format]:
    """Make one writer for each format that can be asked for."""
    return {
        ExportFormat.XLSX: Xlsx(),
        ExportFormat.CSV: Csv(formula_guard=csv_formula_guard),
    }


__all__ = ["Format", "build_formats"]
