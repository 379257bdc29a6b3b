"""Storage in a local folder: what is published, read, gone, full and forbidden."""

import errno
from pathlib import Path

import pytest

from shared.errors import StorageFullError, StorageReadOnlyError, StorageUnavailableError
from shared.storage import CHUNK, Storage, storage_errors

CONTENT = bytes(range(256)) * (2 * CHUNK // 256) + b"the end"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.from_url((tmp_path / "file s").as_uri())


@pytest.fixture
def key(storage: Storage) -> str:
    scratch = storage.scratch("task", 1)
    scratch.mkdir(parents=True)
    (scratch / "file.csv").write_bytes(CONTENT)
    storage.publish(scratch / "file.csv", "task/1.csv")
    storage.remove_scratch("task", 1)
    return "task/1.csv"


@pytest.mark.parametrize(
    ("start", "end"), [(0, len(CONTENT)), (0, 1), (5, CHUNK + 7), (len(CONTENT) - 3, len(CONTENT))]
)
def test_a_published_file_is_read_in_parts(
    storage: Storage, key: str, start: int, end: int
) -> None:
    assert b"".join(storage.read(key, start, end)) == CONTENT[start:end]


def leave(storage: Storage, attempt: int) -> None:
    """What an attempt leaves that died: scratch, and a file that no row knows."""
    scratch = storage.scratch("task", attempt)
    scratch.mkdir(parents=True)
    (scratch / "export.csv").write_bytes(b"half")
    (storage.root / "task").mkdir(exist_ok=True)
    (storage.root / "task" / f"{attempt}.csv").write_bytes(b"whole")


def test_an_attempt_removes_what_earlier_ones_left(storage: Storage) -> None:
    for attempt in (1, 2, 10):
        leave(storage, attempt)
    storage.remove_leftovers("task", before=10)
    assert [each.name for each in (storage.root / "task").iterdir()] == ["10.csv"]
    assert [each.name for each in storage.scratch("task", 1).parent.iterdir()] == ["10"]


def test_a_task_that_failed_leaves_nothing(storage: Storage) -> None:
    leave(storage, 1)
    storage.remove_leftovers("task")
    storage.remove_leftovers("task")
    assert not (storage.root / "task").exists()
    assert not storage.scratch("task", 1).parent.exists()


def test_an_empty_file_is_read_whole(storage: Storage) -> None:
    (storage.root / "empty").write_bytes(b"")
    assert b"".join(storage.read("empty", 0, 0)) == b""


def test_a_file_that_is_deleted_while_it_is_read_is_read_to_its_end(
    storage: Storage, key: str
) -> None:
    chunks = storage.read(key, 0, len(CONTENT))
    first = next(chunks)
    storage.delete(key)
    assert first + b"".join(chunks) == CONTENT


def test_what_is_gone_says_so_at_once(storage: Storage, key: str) -> None:
    storage.delete(key)
    storage.delete(key)
    with pytest.raises(FileNotFoundError):
        storage.read(key, 0, 10)


def test_scratch_is_beside_the_files_and_leaves_nothing(storage: Storage, key: str) -> None:
    for attempt in (1, 2):
        storage.scratch("other", attempt).mkdir(parents=True)
    storage.remove_scratch("other", 1)
    assert storage.scratch("other", 2).is_dir()
    storage.remove_scratch("other", 2)
    storage.remove_scratch("other", 2)
    assert [each.name for each in storage.root.rglob("*") if each.is_file()] == ["1.csv"]
    assert not storage.scratch("other", 2).parent.exists()


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "/plain/path", "file://", "file:///", "file://h/x"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="BULKHEAD_STORAGE_URL must be"):
        Storage.from_url(url)


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, StorageFullError),
        (errno.EDQUOT, StorageFullError),
        (errno.EROFS, StorageReadOnlyError),
        (errno.EACCES, StorageReadOnlyError),
        (errno.EIO, StorageUnavailableError),
    ],
)
def test_what_the_file_system_says_becomes_something_to_act_on(
    number: int, error: type[Exception]
) -> None:
    with pytest.raises(error), storage_errors():
        raise OSError(number, "said the kernel")


def test_a_check_leaves_nothing_behind(storage: Storage) -> None:
    storage.check()
    assert not [each for each in storage.root.rglob("*") if each.is_file()]


def test_a_folder_that_cannot_be_made_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageUnavailableError):
        Storage(tmp_path / "file" / "folder")
