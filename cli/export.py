"""`bulkhead export`: submits an export, shows how far it is, downloads and verifies the file."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.client import Gateway
from cli.errors import CliError, Status


def open_gateway(url: str | None) -> Gateway:
    """Open the gateway at a URL, or at `BULKHEAD_URL`, with the key in `BULKHEAD_API_KEY`."""
    chosen = url or os.environ.get("BULKHEAD_URL") or "http://127.0.0.1:8000"
    language = "zh-CN" if os.environ.get("LANG", "").startswith("zh") else "en"
    return Gateway(chosen, os.environ.get("BULKHEAD_API_KEY"), language)


def export_work_logs(
    gateway: Gateway, body: dict[str, Any], folder: Path, *, console: Console
) -> tuple[Path, dict[str, Any]]:
    """Export work logs into a file in a folder; give its path and the task's last answer.

    Args:
        gateway: who does it.
        body: of the request.
        folder: made when it is not there.
        console: shows the progress.

    Raises:
        CliError: it failed, or no gateway answers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    task_id = gateway.submit("/api/export/work-logs", body)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("export", total=100, rows="")
        try:
            answer: dict[str, Any] = {}
            for answer in gateway.follow(task_id):
                rows = _rows(answer, progress.tasks[bar].elapsed)
                progress.update(
                    bar, completed=answer["progress"], description=_state(answer), rows=rows
                )
        except KeyboardInterrupt:
            gateway.cancel(task_id)
            raise CliError(f"Cancelled task {task_id}.", Status.INTERRUPTED) from None
        if answer["status"] == "failed":
            raise CliError(f"{answer['error']} (task {task_id}, {answer['error_code']})")
        result = answer["result"]
        path = folder / Path(result["file_name"]).name
        got = progress.add_task("download", total=result["size"], rows="")
        gateway.download(
            path.name, path, result["sha256"], lambda size: progress.update(got, completed=size)
        )
    return path, answer


def print_result(path: Path, answer: dict[str, Any], console: Console, *, as_json: bool) -> None:
    """Say where the file is: the path alone on standard output, or all as JSON."""
    result = answer["result"]
    if as_json:
        facts = {"task_id": answer["task_id"], "path": str(path), **result}
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
        return
    console.print(
        f"{result['records_count']:,} rows, {result['size']:,} bytes, SHA-256 verified",
        highlight=False,
    )
    sys.stdout.write(f"{path}\n")


def _state(answer: dict[str, Any]) -> str:
    return str(answer["state"])


def _rows(answer: dict[str, Any], elapsed: float | None) -> str:
    result = answer.get("result") or {}
    if "records_count" in result:
        return f"{result['records_count']:,} rows"
    if "rows_written" not in result:
        return ""
    written, total = result["rows_written"], result["rows_total"]
    rate = f", {written / elapsed:,.0f} rows/s" if elapsed else ""
    return f"{written:,} of {total:,} rows{rate}"
