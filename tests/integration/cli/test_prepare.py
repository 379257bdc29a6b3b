"""`bulkhead prepare`: secrets are made once, folders get their owner, databases their tables.

It gives files to other users, which only root may do; the containers' tests do that.
"""

import os
from pathlib import Path

import pytest

from cli.prepare import PASSWORDS, give, prepare, write_secrets
from shared.api_keys import find_owner
from shared.database import create_database_engine, read
from shared.migrations import Schema, is_current

ME = os.getuid()


def test_passwords_are_made_once_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = write_secrets(folder, ME)
    passwords = [(folder / name).read_text() for name in PASSWORDS]
    assert len(set(passwords)) == len(PASSWORDS)
    assert all(len(each) == 43 for each in passwords)
    (folder / "redis_url").unlink()
    assert write_secrets(folder, ME) == first
    assert [(folder / name).read_text() for name in PASSWORDS] == passwords
    assert (folder / "redis_url").read_text() == first["redis_url"]


def test_others_may_not_read_them_and_nobody_may_write_them(tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets", ME)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o750
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()}
    assert set(modes.values()) == {0o440}
    assert set(modes) == {*PASSWORDS, "database_url", "source_database_url", "redis_url"}


def test_a_draft_that_a_crash_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".redis_password.new").write_text("half a passw")
    write_secrets(tmp_path, ME)
    assert len((tmp_path / "redis_password").read_text()) == 43


@pytest.mark.skipif(ME != 0, reason="only root gives files away")
def test_a_folder_of_somebody_else_is_given_with_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "1.xlsx").touch()
    (tmp_path / "link").symlink_to("/etc/passwd")
    give(tmp_path, 10001)
    paths = [tmp_path, *tmp_path.rglob("*")]
    assert {path.lstat().st_uid for path in paths} == {10001}
    assert Path("/etc/passwd").stat().st_uid == 0
    os.chown(tmp_path, ME, ME)


def test_databases_and_a_first_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    secrets = tmp_path / "secrets"
    monkeypatch.setenv("BULKHEAD_DATABASE_URL", database_url)
    monkeypatch.setenv("BULKHEAD_SOURCE_DATABASE_URL", f"sqlite:///{tmp_path}/crm.sqlite3")
    prepare(secrets, [tmp_path], ME, needs_key=False)
    assert not (secrets / "api_key").exists()
    engine = create_database_engine(database_url)
    with read(engine) as connection:
        assert is_current(connection, Schema.TASKS)
    prepare(secrets, [tmp_path], ME, needs_key=True)
    key = (secrets / "api_key").read_text()
    assert find_owner(engine, key) == "local"
    prepare(secrets, [tmp_path], ME, needs_key=True)
    assert (secrets / "api_key").read_text() == key
    engine.dispose()
    # Somebody's own source is not ours to migrate.
    assert not (tmp_path / "crm.sqlite3").exists()
