"""A mail server for trying Bulkhead out: takes every mail, shows it in its log, delivers none."""

import signal
import sys
import threading
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

PORT = 587


class CatchAll:
    """Shows what comes in."""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take one mail; aiosmtpd calls it so."""
        content = envelope.content
        mail = message_from_bytes(
            content if isinstance(content, bytes) else str(content).encode(), policy=default
        )
        sys.stdout.write(show(mail, [str(each) for each in envelope.rcpt_tos]))
        sys.stdout.flush()
        return "250 Shown, not delivered"


def show(mail: EmailMessage, recipients: list[str]) -> str:
    """Give a mail as people read it."""
    headers = [f"{name}: {mail[name]}" for name in ("From", "To", "Subject", "Message-ID")]
    body = mail.get_body(("plain", "html"))
    text = str(body.get_content()) if body else ""
    return "\n".join([f"--- a mail for {', '.join(recipients)}", *headers, "", text, ""])


def main() -> None:
    """Listen until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    controller = Controller(CatchAll(), hostname="0.0.0.0", port=PORT)  # noqa: S104  (its container's)
    controller.start()
    sys.stdout.write(f"Listening on port {PORT}.\n")
    sys.stdout.flush()
    ended.wait()
    controller.stop()


if __name__ == "__main__":
    main()
