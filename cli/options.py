"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(help="The instance's folder; default: BULKHEAD_DATA_DIR, else .bulkhead."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]
Url = Annotated[
    str | None,
    typer.Option(help="The gateway; default: BULKHEAD_URL, else http://127.0.0.1:8000."),
]
