"""`bulkhead export`: submits an export, shows how far it is, downloads and verifies the file."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.client import Gateway
from cli.download import download
from cli.errors import CliError, Status
from cli.settings import ClientSettings


def open_gateway(url: str | None) -> Gateway:
    """Open the gateway at a URL, or at `BULKHEAD_URL`, with the key in `BULKHEAD_API_KEY`."""
    settings = ClientSettings()
    language = "zh-CN" if os.environ.get("LANG", "").startswith("zh") else "en"
    return Gateway(url or settings.url, settings.api_key, language)


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
        answer = _follow(gateway, task_id, progress)
        if answer["status"] == "failed":
            raise CliError(f"{answer['error']} (task {task_id}, {answer['error_code']})")
        result = answer["result"]
        path = (folder / Path(result["file_name"]).name).absolute()
        bar = progress.add_task("download", total=result["size"], rows="")
        download(
            gateway, path.name, path, result["sha256"],
            lambda size: progress.update(bar, completed=size),
        )  # fmt: skip
    return path, answer


def _follow(gateway: Gateway, task_id: str, progress: Progress) -> dict[str, Any]:
    bar = progress.add_task("export", total=100, rows="")
    answer: dict[str, Any] = {}
    try:
        for answer in gateway.follow(task_id):
            progress.update(
                bar,
                completed=answer["progress"],
                description=str(answer["state"]),
                rows=_rows(answer, progress.tasks[bar].elapsed),
            )
    except KeyboardInterrupt:
        if gateway.cancel(task_id):
            text = f"Interrupted; task {task_id} is cancelled."
        else:
            text = f"Interrupted; task {task_id} was not cancelled: it is over, or nobody answers."
        raise CliError(text, Status.INTERRUPTED) from None
    return answer


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


def _rows(answer: dict[str, Any], elapsed: float | None) -> str:
    result = answer.get("result") or {}
    if "records_count" in result:
        return f"{result['records_count']:,} rows"
    if "rows_written" not in result:
        return ""
    written, total = result["rows_written"], result["rows_total"]
    rate = f", {written / elapsed:,.0f} rows/s" if elapsed else ""
    return f"{written:,} of {total:,} rows{rate}"
