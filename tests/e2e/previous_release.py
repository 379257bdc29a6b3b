"""Runs inside a container, before the upgrade: a database as the previous migration left it.

It holds what a release of that time would have written: an export that waits, one that is done and
whose file is there, a recipient if there were any, and an API key. Columns that only a newer
migration knows are not written, for they are not there.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, insert

from cli.prepare import give, write_secrets
from shared.database import create_database_engine
from shared.migrations import Schema, _config
from shared.settings import Settings

USER = 10001
KEY = "bhk_a-key-of-the-previous-release"
CONTENT = b"a file of the previous release\n"
WAITING, DONE = "0" * 31 + "1", "0" * 31 + "2"


def put(connection: Connection, table: str, row: dict[str, Any]) -> None:
    """Insert a row, as far as the table has its columns."""
    there = Table(table, MetaData(), autoload_with=connection)
    connection.execute(insert(there).values({name: row[name] for name in row if name in there.c}))


def task(task_id: str, now: datetime, **values: Any) -> dict[str, Any]:
    """A task's row."""
    parameters = {"start_date": "2024-01-01", "end_date": "2024-01-31", "export_format": "csv"}
    return {
        "id": task_id,
        "owner": "local",
        "kind": "export.work_logs",
        "queue": "export",
        "priority": 5,
        "rank": 1,
        "parameters": parameters,
        "status": "pending",
        "run_after": now,
        "attempt": 0,
        "losses": 0,
        "retries": 0,
        "progress": 0,
        "created_at": now,
        **values,
    }


def main() -> None:
    """Make it; print what is in it."""
    write_secrets(Path("/run/bulkhead"), USER)
    settings = Settings()
    engine = create_database_engine(settings.database_url, pool_size=0)
    now = datetime.now(UTC) - timedelta(hours=1)
    name = "work_logs_2024-01-01_2024-01-31_0123456789abcdef.csv"
    result = {
        "file_name": name,
        "records_count": 0,
        "start_date": "2024-01-01",
        "end_date": "2024-01-31",
        "created_at": "2024-02-01T08:00:00",
        "status": "completed",
        "size": len(CONTENT),
        "sha256": sha256(CONTENT).hexdigest(),
        "download_url": f"/api/download/{name}",
    }
    with engine.begin() as connection:
        script = ScriptDirectory.from_config(_config(Schema.TASKS))
        head = str(script.get_current_head())
        before = script.get_revision(head).down_revision
        assert isinstance(before, str), "there is no migration before the newest"
        command.upgrade(_config(Schema.TASKS, connection), before)
    with engine.begin() as connection:
        put(connection, "tasks", task(WAITING, now))
        put(
            connection,
            "tasks",
            task(
                DONE, now, status="completed", progress=100, attempt=1, result=result,
                started_at=now, finished_at=now,
            ),
        )  # fmt: skip
        put(
            connection,
            "files",
            {
                "task_id": DONE,
                "owner": "local",
                "name": name,
                "key": f"{DONE}/1.csv",
                "media_type": "text/csv",
                "size": len(CONTENT),
                "sha256": result["sha256"],
                "created_at": now,
            },
        )
        put(
            connection,
            "api_keys",
            {
                "id": "previous",
                "name": "crm",
                "owner": "local",
                "secret_sha256": sha256(KEY.encode()).hexdigest(),
                "created_at": now,
            },
        )
    file = Path("/data/exports") / DONE / "1.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    # As a folder that somebody else made: `init` hands it to the services.
    give(Path("/data/exports"), 0)
    facts = {"revision": before, "head": head, "key": KEY}
    sys.stdout.write(json.dumps({**facts, "waiting": WAITING, "done": DONE}))


if __name__ == "__main__":
    main()
