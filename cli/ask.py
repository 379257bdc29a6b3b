"""Commands that ask a gateway: notify, cleanup, recipients, tasks, cancel."""

import json
import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from cli.client import Gateway
from cli.errors import CliError
from cli.export import open_gateway
from cli.options import AsJson, Url
from shared.contracts.tasks import Channel, Status

recipients = typer.Typer(no_args_is_help=True, help="Where users are reached.")

UserId = Annotated[str, typer.Argument(help="The application's name for the user.")]


def notify(
    user_id: UserId,
    message: Annotated[str, typer.Argument(help="What to say.")],
    channel: Annotated[Channel, typer.Option(help="How to say it.")] = Channel.EMAIL,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Tell a user something, and wait until it is delivered."""
    body = {"user_id": user_id, "message": message, "notification_type": channel}
    with open_gateway(url) as gateway:
        task = _finish(gateway, gateway.submit("/api/notifications", body))
    result = task["result"]
    _show(
        task,
        f"Delivered to {result['recipient']} by {result['channel']} at {result['delivered_at']}.",
        as_json=as_json,
    )


def cleanup(
    days_old: Annotated[
        int, typer.Option(min=0, max=36_500, help="Remove files that are older; 0: all there are.")
    ] = 7,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Remove old export files now, and wait until they are gone."""
    with open_gateway(url) as gateway:
        task = _finish(gateway, gateway.submit(f"/api/cleanup?days_old={days_old}", {}))
    result = task["result"]
    _show(
        task,
        f"{result['deleted_count']:,} files removed, {result['freed_bytes']:,} bytes freed.",
        as_json=as_json,
    )


def tasks(
    status: Annotated[Status | None, typer.Option(help="Only with this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at the most.")] = 20,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the newest tasks."""
    params = {"limit": limit, **({"status": status} if status else {})}
    with open_gateway(url) as gateway:
        answer = gateway.ask("GET", "/api/tasks", "tasks", params=params)
    if as_json:
        _write(answer)
        return
    table = Table("task", "kind", "state", "%", "made", "error")
    for task in answer["tasks"]:
        table.add_row(
            task["task_id"],
            task["kind"],
            task["state"],
            str(task["progress"]),
            task["created_at"],
            task["error_code"] or "",
        )
    Console().print(table)


def cancel(
    task_id: Annotated[str, typer.Argument(help="As the submit answered it.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Cancel a task that waits or runs."""
    with open_gateway(url) as gateway:
        task = gateway.ask("DELETE", f"/api/tasks/{quote(task_id, safe='')}", "state")
    _show(task, f"Task {task_id} is {task['state']}.", as_json=as_json)


@recipients.command("set")
def set_recipient(
    user_id: UserId,
    email: Annotated[str | None, typer.Option(help="A mail address.")] = None,
    webhook_url: Annotated[str | None, typer.Option(help="An http or https address.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Register where a user is reached; what is not given is removed."""
    body = {"email": email, "webhook_url": webhook_url}
    with open_gateway(url) as gateway:
        saved = gateway.ask("PUT", _path(user_id), "user_id", json=body)
    _show(saved, _lines(saved), as_json=as_json)


@recipients.command("show")
def show_recipient(user_id: UserId, url: Url = None, as_json: AsJson = False) -> None:
    """Say where a user is reached."""
    with open_gateway(url) as gateway:
        found = gateway.ask("GET", _path(user_id), "user_id")
    _show(found, _lines(found), as_json=as_json)


@recipients.command("remove")
def remove_recipient(user_id: UserId, url: Url = None, as_json: AsJson = False) -> None:
    """Forget where a user is reached."""
    with open_gateway(url) as gateway:
        gateway.forget(_path(user_id))
    _show({"user_id": user_id, "removed": True}, f"{user_id} is forgotten.", as_json=as_json)


def _path(user_id: str) -> str:
    return f"/api/recipients/{quote(user_id, safe='')}"


def _lines(recipient: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in recipient.items() if value is not None)


def _finish(gateway: Gateway, task_id: str) -> dict[str, Any]:
    *_, task = gateway.follow(task_id)
    if task["status"] == "failed":
        raise CliError(f"{task['error']} (task {task_id}, {task['error_code']})")
    return task


def _show(facts: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        _write(facts)
    else:
        sys.stdout.write(f"{text}\n")


def _write(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
