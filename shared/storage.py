"""Files by URL: a local folder or shared volume now; an object store is the same interface.

Scratch is a folder on the storage's own file system, so that publishing a file of any size is a
rename. A file is on disk, not only in memory, before its task says that it is there.
"""

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.store import LocalStore

from shared.errors import StorageFullError, StorageReadOnlyError, StorageUnavailableError

SCRATCH = ".scratch"
CHUNK = 1024 * 1024
"""Bytes read from storage at once."""
LISTED_AT_ONCE = 500


class Storage:
    """A folder of finished files, each under a key like `{task_id}/{attempt}.xlsx`.

    Args:
        root: the folder; made when it is not there.
    """

    def __init__(self, root: Path) -> None:
        with storage_errors():
            root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self._store = LocalStore(root, automatic_cleanup=True)

    @classmethod
    def from_url(cls, url: str) -> "Storage":
        """Open the storage at a URL; `file:///path` is what this release knows.

        Raises:
            ValueError: another scheme, or no absolute path.
            StorageReadOnlyError: the folder cannot be made.
        """
        parts = urlsplit(url)
        path = Path(url2pathname(parts.path))
        is_folder = path.is_absolute() and path != Path("/")
        if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not is_folder:
            raise ValueError(f"BULKHEAD_STORAGE_URL must be file:///absolute/path, not {url!r}")
        return cls(path)

    def scratch(self, task_id: str, attempt: int) -> Path:
        """Name the folder that one attempt of a task writes in; whoever writes first makes it."""
        return self.root / SCRATCH / task_id / str(attempt)

    def remove_scratch(self, task_id: str, attempt: int) -> None:
        """Remove what an attempt left, also when there is nothing."""
        folder = self.scratch(task_id, attempt)
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another attempt's folder stands beside it, or nothing does
            folder.parent.rmdir()

    def remove_leftovers(self, task_id: str, before: int | None = None) -> None:
        """Remove what attempts of a task left whose workers could not do so themselves.

        Args:
            task_id: a task that runs anew, or that has ended without a file.
            before: only what attempts before this one left; None: all of it.
        """
        for folder in (self.root / SCRATCH / task_id, self.root / task_id):
            with suppress(OSError):
                for each in folder.iterdir():
                    attempt = each.name.partition(".")[0]
                    if before is not None and not (attempt.isdecimal() and int(attempt) < before):
                        continue
                    if each.is_dir():
                        shutil.rmtree(each, ignore_errors=True)
                    else:
                        each.unlink(missing_ok=True)
                folder.rmdir()

    def remove_lost(self, attempts: Mapping[str, int]) -> None:
        """Remove what attempts left that were lost, by task; later attempts are left alone."""
        for task_id, attempt in attempts.items():
            self.remove_leftovers(task_id, before=attempt + 1)

    def publish(self, path: Path, key: str) -> None:
        """Move a finished scratch file to its key, durably.

        Raises:
            StorageFullError, StorageReadOnlyError, StorageUnavailableError: it could not be.
        """
        with storage_errors():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            target = self.root / key
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
            for folder in (target.parent, self.root):
                _sync_folder(folder)

    def read(self, key: str, start: int, end: int) -> Iterator[bytes]:
        """Open a file and give its bytes from `start` up to, not including, `end`.

        It is open when this returns: a file that is gone is known at once, one that is removed
        later is read to its end all the same.

        Raises:
            FileNotFoundError: no such file.
            StorageUnavailableError: storage does not answer.
        """
        with storage_errors(may_be_missing=True):
            if start >= end:
                obstore.head(self._store, key)
                return iter(())
            opened = obstore.get(self._store, key, options={"range": (start, end)})
            return (bytes(chunk) for chunk in opened.stream(min_chunk_size=CHUNK))

    def delete(self, key: str) -> None:
        """Remove a file, also when it is gone already."""
        with storage_errors(), suppress(FileNotFoundError):
            self._store.delete(key)

    def list(self) -> Iterator[list[tuple[str, datetime]]]:
        """List everything that is stored, scratch included, in batches of `(key, modified at)`.

        Raises:
            StorageUnavailableError: it cannot be listed.
        """
        with storage_errors():
            for batch in self._store.list(chunk_size=LISTED_AT_ONCE):
                yield [(each["path"], each["last_modified"]) for each in batch]

    def check(self) -> None:
        """Write and remove a small file.

        Raises:
            StorageFullError, StorageReadOnlyError, StorageUnavailableError: it could not be.
        """
        with storage_errors():
            folder = self.root / SCRATCH
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f"probe-{os.getpid()}"
            probe.write_bytes(b"bulkhead")
            probe.unlink(missing_ok=True)


@contextmanager
def storage_errors(*, may_be_missing: bool = False) -> Iterator[None]:
    """Turn what the file system or the object store says into errors that people can act on.

    Args:
        may_be_missing: let `FileNotFoundError` through. Elsewhere it means that a folder of ours
            has gone away, with a volume that is not mounted, say: the next try makes it anew.
    """
    try:
        yield
    except OSError as error:
        if may_be_missing and isinstance(error, FileNotFoundError):
            raise
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFullError from error
        if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise StorageReadOnlyError from error
        raise StorageUnavailableError(reason=os.strerror(error.errno or errno.EIO)) from error
    except obstore.exceptions.BaseError as error:
        raise StorageUnavailableError(reason=type(error).__name__) from error


def _sync_folder(folder: Path) -> None:
    # A rename is durable once its folder is. Source: fsync(2)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
