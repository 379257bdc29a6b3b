"""Health: alive (`/healthz`), ready (`/readyz`) and `/metrics`, the same for every service."""

import errno
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from redis import Redis
from sqlalchemy import Engine

from shared.database import read
from shared.migrations import Schema, is_current
from shared.process import unforked
from shared.storage import Storage

CHECK_SECONDS = 4.0
"""How long an answer may take, whatever hangs."""

TAKEN_SECONDS = 5.0
"""How long a port that is taken is waited for."""
LOOK_SECONDS = 0.1

Check = Callable[[], object]
"""Returns if the thing answers, raises if it does not."""

log = structlog.get_logger(__name__)


class NotReadyError(Exception):
    """A dependency answers, but is not as it should be."""


@dataclass(frozen=True)
class Readiness:
    """Which dependencies answer; the text is `ok` or the reason."""

    checks: dict[str, str]

    @property
    def is_ready(self) -> bool:
        """Whether all answer."""
        return all(text == "ok" for text in self.checks.values())

    def as_json(self) -> dict[str, object]:
        """The body of `/readyz`."""
        return {"status": "ready" if self.is_ready else "not_ready", "checks": self.checks}


def run_checks(checks: Mapping[str, Check]) -> Readiness:
    """Run all at once; one that takes longer than `CHECK_SECONDS` has failed."""
    pool = ThreadPoolExecutor(max_workers=max(1, len(checks)), thread_name_prefix="check")
    futures = {name: pool.submit(check) for name, check in checks.items()}
    pool.shutdown(wait=False)
    answers: dict[str, str] = {}
    for name, future in futures.items():
        try:
            future.result(CHECK_SECONDS)
            answers[name] = "ok"
        except TimeoutError:
            answers[name] = f"no answer within {CHECK_SECONDS:g} seconds"
        except Exception as error:  # noqa: BLE001  (a check may fail in any way)
            log.warning("check_failed", check=name, reason=str(error))
            # The reason in full is the log's: it may hold addresses.
            answers[name] = str(error) if isinstance(error, NotReadyError) else type(error).__name__
    return Readiness(answers)


def check_database(engine: Engine) -> None:
    """Raise unless the task database answers and has this release's schema, or a newer one."""
    with unforked(), read(engine) as connection:
        if not is_current(connection, Schema.TASKS):
            raise NotReadyError("the schema is older than this release; run: bulkhead migrate")


def check_broker(redis_url: str) -> None:
    """Raise unless the broker answers."""
    with Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2) as client:
        client.ping()


def check_storage(storage_url: str) -> None:
    """Raise unless a file can be written where exports go."""
    Storage.from_url(storage_url).check()


class HealthServer:
    """Serves a worker's health from a thread of its own.

    Args:
        host: to listen on.
        port: 0 takes a free one.
        alive: whether the process's loop turns.
        checks: what it needs to be ready.
    """

    def __init__(
        self, host: str, port: int, *, alive: Callable[[], bool], checks: Mapping[str, Check]
    ) -> None:
        self._address = (host, port)
        self._handler = partial(_Handler, alive, checks)

    def start(self) -> str:
        """Listen and answer from now on; give the address.

        Whoever had the port before may be about to end; a while is waited for that.

        Raises:
            OSError: the port is taken.
        """
        server = self._listen()
        server.daemon_threads = True
        # A child that outlives this process would keep the port from the next one.
        os.register_at_fork(after_in_child=server.socket.close)
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        return f"http://{self._address[0]}:{server.server_port}"

    def _listen(self) -> ThreadingHTTPServer:
        give_up_at, where = time.monotonic() + TAKEN_SECONDS, "{}:{}".format(*self._address)
        is_told = False
        while True:
            try:
                return ThreadingHTTPServer(self._address, self._handler)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                if time.monotonic() > give_up_at:
                    hint = f"{where} is taken; set BULKHEAD_…_HEALTH_PORT"
                    raise OSError(error.errno, hint) from error
                if not is_told:
                    log.warning("health_port_taken", address=where, patience=TAKEN_SECONDS)
                    is_told = True
            time.sleep(LOOK_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    def __init__(
        self, alive: Callable[[], bool], checks: Mapping[str, Check], *args: object
    ) -> None:
        self._alive = alive
        self._checks = checks
        super().__init__(*args)  # type: ignore[arg-type]  # request, address and server, as given

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/healthz":
                alive = self._alive()
                self._answer(alive, {"status": "alive" if alive else "stuck"})
            case "/readyz":
                readiness = run_checks(self._checks)
                self._answer(readiness.is_ready, readiness.as_json())
            case "/metrics":
                self._send(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(REGISTRY))
            case _:
                self._send(HTTPStatus.NOT_FOUND, "text/plain", b"not found\n")

    def _answer(self, good: bool, body: dict[str, object]) -> None:
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: HTTPStatus, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        log.debug("health_asked", request=format % args)
