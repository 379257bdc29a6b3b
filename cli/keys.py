"""`bulkhead keys`: makes, lists and revokes API keys."""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from cli.errors import CliError
from cli.options import AsJson, DataDir
from shared.api_keys import create_key, list_keys, revoke_key
from shared.database import create_database_engine
from shared.migrations import Schema, migrate
from shared.tasks.models import OWNER_LENGTH

keys = typer.Typer(no_args_is_help=True, help="API keys of the gateway.")


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    owner: Annotated[
        str, typer.Option(help="Who owns what is made with it; keys of one owner share all.")
    ] = "local",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; it is shown now and never again."""
    if not 0 < len(owner) <= OWNER_LENGTH or not 0 < len(name) <= OWNER_LENGTH:
        raise CliError(f"Names of keys and owners have 1 to {OWNER_LENGTH} characters.")
    key_id, secret = create_key(_engine(data_dir), name, owner)
    if as_json:
        facts = {"id": key_id, "name": name, "owner": owner, "key": secret}
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(f"{secret}\n")
    Console(stderr=True).print(
        f"Key {key_id} of {owner}. It is stored nowhere: note it now. From now on the gateway "
        "answers requests with `Authorization: Bearer <key>` only.",
        highlight=False,
    )


@keys.command("list")
def list_all(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    found = list_keys(_engine(data_dir))
    if as_json:
        facts = [asdict(key) for key in found]
        text = json.dumps(facts, ensure_ascii=False, default=datetime.isoformat)
        sys.stdout.write(f"{text}\n")
        return
    table = Table("id", "name", "owner", "made", "revoked")
    for key in found:
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
        table.add_row(key.id, key.name, key.owner, f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    Console().print(table)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """End a key's life at once."""
    if not revoke_key(_engine(data_dir), key_id):
        raise CliError(f"There is no key {key_id} that is alive; see `bulkhead keys list`.")
    text = json.dumps({"id": key_id, "revoked": True}) if as_json else f"Key {key_id} is revoked."
    sys.stdout.write(f"{text}\n")


def _engine(data_dir: Path | None) -> Engine:
    from cli.instance import Instance

    engine = create_database_engine(Instance.open(data_dir).settings.database_url, pool_size=0)
    migrate(engine, Schema.TASKS)
    return engine
