"""Speaks to a gateway: submits, follows, cancels, opens files."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx

from cli.errors import CliError, Status

PATIENCE_SECONDS = 60.0
"""How long a gateway may be away in the middle."""
POLL_SECONDS = 0.25
AWAY = frozenset({429, 502, 503, 504})
"""What a gateway, or a proxy before it, answers when asking again later helps."""
REFUSED = frozenset({400, 413, 422})
HIGHEST_PORT = 65535

Answer = TypeVar("Answer")


class AwayError(Exception):
    """Nobody can answer now.

    Args:
        reason: for people.
        seconds: when to ask again.
    """

    def __init__(self, reason: str, seconds: float = POLL_SECONDS) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Gateway:
    """A gateway at an address.

    Args:
        url: its base address.
        api_key: sent as a bearer token, if there is one.
        language: of texts, `zh-CN` or `en`.

    Raises:
        CliError: that is no address.
    """

    def __init__(self, url: str, api_key: str, language: str) -> None:
        headers = {"Accept-Language": language}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self.url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(30, connect=5),
            # A proxy that the environment names does not lead back to this machine.
            trust_env=not _is_this_machine(_host(url)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def submit(self, path: str, body: dict[str, Any]) -> str:
        """Submit a task and give its id; a repeat after a broken connection gives the same one.

        Raises:
            CliError: refused; or nobody listens there, which is said at once.
        """
        headers = {"Idempotency-Key": uuid4().hex}
        options = {"json": body, "headers": headers}
        return str(self._ask("POST", path, "task_id", must_listen=True, **options)["task_id"])

    def ask(self, method: str, path: str, member: str, **options: Any) -> dict[str, Any]:
        """Ask for something that is there at once, and give the answer.

        Args:
            method: of HTTP.
            path: below the gateway's address.
            member: one that the answer has.
            **options: `json` and `params`, as httpx takes them.

        Raises:
            CliError: refused, or nobody answers.
        """
        return self._ask(method, path, member, must_listen=True, **options)

    def forget(self, path: str) -> None:
        """Delete something; raises like `ask`."""
        try:
            with _away_if_unheard():
                self._check(self._client.delete(path))
        except AwayError as error:
            raise self.unreachable(error) from error

    def follow(self, task_id: str) -> Iterator[dict[str, Any]]:
        """Give a task's answers, several a second, the last one when it is over."""
        while True:
            answer = self._ask("GET", f"/api/tasks/{task_id}", "status")
            yield answer
            if answer["status"] in {"completed", "failed"}:
                return
            time.sleep(POLL_SECONDS)

    def cancel(self, task_id: str) -> bool:
        """Ask for a task to be cancelled; False if it is over, or nobody answers."""
        try:
            answer = self._client.delete(f"/api/tasks/{task_id}", timeout=5)
        except httpx.HTTPError:
            return False
        return answer.is_success

    @contextmanager
    def opened(self, path: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Open a file to be read in pieces.

        Raises:
            AwayError: now, or in the middle.
            CliError: there is no such file.
        """
        with _away_if_unheard(), self._client.stream("GET", path, headers=headers) as answer:
            self._check(answer)
            yield answer

    def patiently(self, work: Callable[[], Answer], *, deadline: float) -> Answer | None:
        """Do something once; None, after a pause, if the gateway is away.

        Args:
            work: raises `AwayError` if it is.
            deadline: the monotonic time until which it may be away.

        Raises:
            CliError: it is away for too long.
        """
        try:
            return work()
        except AwayError as error:
            if time.monotonic() >= deadline:
                raise self.unreachable(error) from error
            time.sleep(min(error.seconds, max(0.0, deadline - time.monotonic())))
            return None

    def unreachable(self, reason: Exception) -> CliError:
        """Say that nobody answers, and what to do."""
        return CliError(
            f"No gateway answers at {self.url} ({reason}). "
            "Start one with `bulkhead up`, or name it with --url.",
            Status.UNREACHABLE,
        )

    def _ask(
        self, method: str, path: str, member: str, *, must_listen: bool = False, **options: Any
    ) -> dict[str, Any]:
        def once() -> httpx.Response:
            with _away_if_unheard():
                try:
                    answer = self._client.request(method, path, **options)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    if must_listen:
                        raise self.unreachable(error) from error
                    raise
                self._check(answer)
                return answer

        deadline, answer = time.monotonic() + PATIENCE_SECONDS, None
        while answer is None:
            answer = self.patiently(once, deadline=deadline)
        try:
            facts: dict[str, Any] = answer.json()
            facts[member]
        except (ValueError, KeyError, TypeError):
            raise CliError(
                f"What answers at {self.url} is not Bulkhead's gateway; name it with --url.",
                Status.UNREACHABLE,
            ) from None
        return facts

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        answer.read()
        words = f"The gateway answered {answer.status_code} {answer.reason_phrase}"
        if answer.status_code in AWAY:
            after = answer.headers.get("Retry-After", "")
            raise AwayError(words, float(after) if after.isdecimal() else POLL_SECONDS)
        try:
            problem = answer.json()
            lines = [problem["detail"]]
            lines += [f"  {each['field']}: {each['message']}" for each in problem.get("errors", [])]
        except (ValueError, KeyError, TypeError):
            lines = [words]
        status = Status.USAGE if answer.status_code in REFUSED else Status.FAILED
        raise CliError("\n".join(lines), status)


@contextmanager
def _away_if_unheard() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise AwayError(str(error) or type(error).__name__) from error


def _host(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    has_host = parsed.host and "%" not in parsed.host and (parsed.port or 0) <= HIGHEST_PORT
    if parsed.scheme not in {"http", "https"} or not has_host:
        raise CliError(f"{url} is no address like http://127.0.0.1:8000", Status.USAGE)
    return parsed.host


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
