"""A mail server and a web server, in this process, that do what a test says."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers import free_port


def _set_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class MailBox:
    """What a mail server got, and what it answers.

    Attributes:
        mails: those it took, parsed.
        at_recipient: replies to RCPT, in turn; then 250.
        at_data: replies after DATA, in turn; then 250. "drop" takes the mail and hangs up.
        may_answer: unset, a mail is taken and the reply waits.
        may_quit: unset, a goodbye is not answered.
    """

    mails: list[EmailMessage] = field(default_factory=list)
    at_recipient: list[str] = field(default_factory=list)
    at_data: list[str] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=_set_event)
    may_quit: threading.Event = field(default_factory=_set_event)

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's names)
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if self.at_recipient and (reply := self.at_recipient.pop(0)):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_QUIT(  # noqa: N802
        self, _server: SMTP, _session: Session, _envelope: Envelope
    ) -> str:
        await asyncio.to_thread(self.may_quit.wait)
        return "221 Bye"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        reply = self.at_data.pop(0) if self.at_data else "250 OK"
        if reply.startswith("250") or reply == "drop":
            content = envelope.content
            assert isinstance(content, bytes)
            message = message_from_bytes(content, policy=default)
            assert isinstance(message, EmailMessage)
            self.mails.append(message)
        await asyncio.to_thread(self.may_answer.wait)
        if reply == "drop":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return reply


@contextmanager
def mail_server(mailbox: MailBox, **options: Any) -> Iterator[int]:
    """Run a mail server on a free port, unless options name one; they are aiosmtpd's."""
    options = {"port": free_port(), **options}
    controller = Controller(mailbox, hostname="127.0.0.1", **options)
    controller.start()
    try:
        yield int(controller.port)
    finally:
        controller.stop()


def authenticate(
    _server: object, _session: object, _envelope: object, _mechanism: str, data: Any
) -> AuthResult:
    """Know one user, ann, whose password is secret."""
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ann", b"secret")
    return AuthResult(success=good, handled=False)


@contextmanager
def silent_server(port: int = 0) -> Iterator[int]:
    """Take connections and never say a word."""
    with socket.create_server(("127.0.0.1", port)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
            thread.join()
            for each in held:
                each.close()


@dataclass
class WebHook:
    """What a web server got, and what it answers.

    Attributes:
        calls: headers and body of each call.
        answers: `(status, headers)` in turn; then 204.
    """

    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    endless: bool = False


@contextmanager
def web_server(hook: WebHook, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run a web server on a free port; give its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.calls.append(({k.lower(): v for k, v in self.headers.items()}, body))
            status, headers = hook.answers.pop(0) if hook.answers else (204, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if hook.endless:
                with suppress(OSError):
                    while True:
                        self.wfile.write(b"x" * 65536)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            scheme = "https" if context else "http"
            yield f"{scheme}://127.0.0.1:{server.server_port}/hook"
        finally:
            server.shutdown()
            thread.join()
