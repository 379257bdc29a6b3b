"""Downloads a file: whole, verified, or not at all."""

import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from cli.client import PATIENCE_SECONDS, Gateway
from cli.errors import CliError

CHUNK = 1024 * 1024
PARTIAL_CONTENT = 206


def download(
    gateway: Gateway, name: str, target: Path, digest: str, report: Callable[[int], None]
) -> None:
    """Download a file; a connection that breaks is taken up again where it broke.

    Args:
        gateway: who has it.
        name: the file's public name.
        target: where it goes, once it is whole; what stands there is replaced.
        digest: the SHA-256 that it must have, in hex.
        report: told the bytes that are there.

    Raises:
        CliError: the gateway is away for too long, or the content is another.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as file:
            seen = _Download(gateway, name, digest, file, report).run()
        if seen != digest:
            raise CliError(
                f"The content of {name} is not what was exported (SHA-256 {seen}, "
                f"expected {digest}); nothing was kept. Download it again."
            )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


class _Download:
    def __init__(
        self,
        gateway: Gateway,
        name: str,
        digest: str,
        file: BinaryIO,
        report: Callable[[int], None],
    ) -> None:
        self._gateway = gateway
        self._name = name
        self._digest = digest
        self._file = file
        self._report = report
        self._seen: Any = sha256()
        self._deadline = 0.0

    def run(self) -> str:
        """Fill the file; give the digest of what came."""
        self._be_patient()
        while not self._gateway.patiently(self._go_on, deadline=self._deadline):
            pass
        return str(self._seen.hexdigest())

    def _be_patient(self) -> None:
        self._deadline = time.monotonic() + PATIENCE_SECONDS

    def _go_on(self) -> bool:
        start = self._file.tell()
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": f'"{self._digest}"'}
        with self._gateway.opened(f"/api/download/{self._name}", headers) as answer:
            if start and answer.status_code != PARTIAL_CONTENT:
                raise CliError(f"{self._name} changed while it was downloaded. Download it again.")
            for chunk in answer.iter_bytes(CHUNK):
                self._seen.update(chunk)
                self._file.write(chunk)
                self._report(self._file.tell())
                self._be_patient()
        return True
