"""Speaks to a gateway: submits, follows, cancels, downloads."""

import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

from cli.errors import CliError, Status

PATIENCE_SECONDS = 60.0
"""How long a gateway may be away in the middle."""
POLL_SECONDS = 0.25
CHUNK = 1024 * 1024


class Gateway:
    """A gateway at an address.

    Args:
        url: its base address.
        api_key: sent as a bearer token, if there is one.
        language: of texts, `zh-CN` or `en`.
    """

    def __init__(self, url: str, api_key: str | None, language: str) -> None:
        headers = {"Accept-Language": language}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self.url = url.rstrip("/")
        self._client = httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def submit(self, path: str, body: dict[str, Any]) -> str:
        """Submit a task and give its id; a repeat after a broken connection gives the same one."""
        headers = {"Idempotency-Key": uuid4().hex}
        answer = self._send("POST", path, patience=0, json=body, headers=headers).json()
        return str(answer["task_id"])

    def follow(self, task_id: str) -> Iterator[dict[str, Any]]:
        """Give a task's answers, several a second, the last one when it is over."""
        while True:
            answer: dict[str, Any] = self._send("GET", f"/api/tasks/{task_id}").json()
            yield answer
            if answer["status"] in {"completed", "failed"}:
                return
            time.sleep(POLL_SECONDS)

    def cancel(self, task_id: str) -> None:
        """Ask for a task to be cancelled; one that is over stays as it is."""
        self._client.delete(f"/api/tasks/{task_id}")

    def download(self, name: str, target: Path, digest: str, report: Callable[[int], None]) -> None:
        """Download a file; a connection that breaks is taken up again where it broke.

        Args:
            name: the file's public name.
            target: where it goes, once it is whole; what stands there is replaced.
            digest: the SHA-256 that it must have, in hex.
            report: told the bytes that are there.

        Raises:
            CliError: the gateway is away, or the content is another.
        """
        part, deadline = target.with_name(target.name + ".part"), None
        seen = sha256()
        with part.open("wb") as file:
            while True:
                try:
                    for chunk in self._chunks(name, file.tell(), digest):
                        seen.update(chunk)
                        file.write(chunk)
                        report(file.tell())
                        deadline = None
                    break
                except httpx.TransportError as error:
                    deadline = deadline or time.monotonic() + PATIENCE_SECONDS
                    self._pause(error, deadline)
        if seen.hexdigest() != digest:
            part.unlink()
            raise CliError(
                f"The content of {name} is not what was exported (SHA-256 {seen.hexdigest()}, "
                f"expected {digest}); nothing was kept. Download it again."
            )
        part.replace(target)

    def _chunks(self, name: str, start: int, digest: str) -> Iterator[bytes]:
        headers = {"Range": f"bytes={start}-", "If-Range": f'"{digest}"'} if start else {}
        with self._client.stream("GET", f"/api/download/{name}", headers=headers) as answer:
            if start and answer.status_code != 206:  # noqa: PLR2004
                answer.read()
                raise CliError(f"{name} changed while it was downloaded. Download it again.")
            self._check(answer)
            yield from answer.iter_bytes(CHUNK)

    def _send(
        self, method: str, path: str, *, patience: float = PATIENCE_SECONDS, **options: Any
    ) -> httpx.Response:
        deadline = time.monotonic() + patience
        while True:
            try:
                answer = self._client.request(method, path, **options)
            except httpx.TransportError as error:
                self._pause(error, deadline)
                continue
            if answer.status_code == 503 and time.monotonic() < deadline:  # noqa: PLR2004
                time.sleep(POLL_SECONDS)
                continue
            self._check(answer)
            return answer

    def _pause(self, error: Exception, deadline: float) -> None:
        if time.monotonic() >= deadline:
            raise CliError(
                f"No gateway answers at {self.url} ({error}). "
                "Start one with `bulkhead up`, or name it with --url.",
                Status.UNREACHABLE,
            ) from error
        time.sleep(POLL_SECONDS)

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        answer.read()
        try:
            problem = answer.json()
            lines = [problem["detail"]]
            lines += [f"  {each['field']}: {each['message']}" for each in problem.get("errors", [])]
        except (ValueError, KeyError, TypeError):
            lines = [f"The gateway answered {answer.status_code} {answer.reason_phrase}"]
        status = Status.USAGE if answer.status_code in {400, 413, 422} else Status.FAILED
        raise CliError("\n".join(lines), status)
