"""A full disk and a folder that cannot be written to, for workers without root's powers."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.contracts.tasks import ExportFormat, State
from tests.faults.house import EXPORTER, JANITOR, NOTIFIER, House
from tests.privileges import drop_capabilities
from tests.servers import wait_until

SIZE = 400 * 1024
"""Bytes: less than a csv of all rows needs, more than a workbook of them does."""


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a file system of `SIZE` bytes; skip the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write away from everybody."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


def test_services_of_the_faults_obey_permissions(tmp_path: Path) -> None:
    with read_only(tmp_path / "folder"):
        written = subprocess.run(
            [sys.executable, "-c", "import sys; open(sys.argv[1] + '/file', 'w')",
             str(tmp_path / "folder")],
            preexec_fn=drop_capabilities, check=False, capture_output=True, text=True,
        )  # fmt: skip
    assert "PermissionError" in written.stderr
    assert list((tmp_path / "folder").iterdir()) == []


def fails_and_is_told(house: House, code: str) -> None:
    """Assert that an export fails for a reason, leaves nothing, and its user is told."""
    task_id = house.export(ExportFormat.CSV)
    task = house.wait_until_over(task_id, seconds=house.pace.patience)
    assert (task.state, task.error_code, task.attempt) == (State.FAILED, code, 1)
    house.wait_until_told(task_id)
    assert house.told(task_id) == 1
    wait_until(lambda: house.files() == [], seconds=5, what="nothing is left")


def test_the_disk_is_full_while_writing(house: House) -> None:
    folder = house.data_dir / "files"
    with small_disk(folder):
        (worker, *_) = house.start(EXPORTER, NOTIFIER, JANITOR)
        free = os.statvfs(folder).f_bavail
        fails_and_is_told(house, "storage_full")
        assert os.statvfs(folder).f_bavail >= free - 2  # a folder or two, of one block each
        since = time.monotonic()
        # xlsx is compressed: this one fits.
        house.is_done_once(house.export(), "disk full; then a file that fits", since)
        assert worker.health("readyz")[0] == 200
        house.close()


def test_the_storage_folder_is_read_only(house: House) -> None:
    folder = house.data_dir / "files"
    (worker, *_) = house.start(EXPORTER, NOTIFIER, JANITOR)
    with read_only(folder):
        # Scratch is inside it: whoever made it before must not be helped by that.
        for each in folder.iterdir():
            each.chmod(0o555)
        fails_and_is_told(house, "storage_not_writable")
        assert worker.health("healthz")[0] == 200
        assert worker.health("readyz")[0] == 503
    for each in folder.iterdir():
        each.chmod(0o755)
    since = time.monotonic()
    house.is_done_once(house.export(), "storage read only; then writable again", since)


def test_the_storage_folder_turns_read_only_while_writing(house: House) -> None:
    """The scratch file is open already; it is the publishing that fails."""
    folder = house.data_dir / "files"
    house.start(house.paused(EXPORTER, "writing"), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    with read_only(folder):
        house.resume()
        task = house.wait_until_over(task_id, seconds=house.pace.patience)
        assert (task.state, task.error_code) == (State.FAILED, "storage_not_writable")
        wait_until(lambda: house.files() == [], seconds=5, what="nothing is left")
    since = time.monotonic()
    house.is_done_once(house.export(), "storage read only while writing; then not", since)


def test_the_storage_folder_goes_away_while_writing(house: House) -> None:
    house.start(house.paused(EXPORTER, "writing"), NOTIFIER, JANITOR)
    task_id = house.export()
    house.wait_until_paused()
    shutil.rmtree(house.data_dir / "files")
    since = time.monotonic()
    house.resume()
    house.is_done_once(task_id, "storage folder removed while writing", since)
    assert (house.task(task_id).attempt, house.losses(task_id)) == (2, 0)
