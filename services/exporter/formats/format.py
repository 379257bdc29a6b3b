"""What every format does. A new one is a new file with one of these, and a line in `__init__`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

from services.exporter.table import Batch, Table


class Format(ABC):
    """Writes tables into files of one kind.

    Attributes:
        media_type: of the files, as in `Content-Type`.
        label: what people call it.
    """

    media_type: ClassVar[str]
    label: ClassVar[str]

    @abstractmethod
    def open(self, path: Path, table: Table) -> AbstractContextManager[Callable[[Batch], None]]:
        """Begin a file; the context gives a function that writes the next rows.

        When the context ends without an error the file is whole.

        Raises:
            OSError: it cannot be written.
        """
