"""E-mail over SMTP, or, where no mail server is set, into files that mail programs open."""

import os
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr

import structlog

from services.notifier.channels.channel import Channel, Delivery
from services.notifier.settings import NotifierSettings
from shared.errors import (
    ChannelMisconfiguredError,
    DeliveryRefusedError,
    DeliveryUnavailableError,
)
from shared.recipients import Recipient

LATER = range(400, 500)
"""SMTP replies that ask to come again. Source: RFC 5321 section 4.2.1"""
NOT_AUTHENTICATED = (530, 534, 535, 538)
"""Replies that mean the channel's own login or encryption. Source: RFC 4954 section 6"""
QUIT_SECONDS = 1.0
"""How long the goodbye may take of a server that has taken the mail."""

log = structlog.get_logger(__name__)


class EmailChannel(Channel):
    """Sends one mail, plain text and HTML, with one Message-ID per notification.

    Args:
        settings: mail server, sender, login.
    """

    def __init__(self, settings: NotifierSettings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "mail"
        name, address = parseaddr(settings.smtp_sender)
        self._sender = Address(name, addr_spec=address)

    def address(self, user_id: str, recipient: Recipient | None) -> str | None:  # noqa: ARG002
        """The registered address."""
        return recipient.email if recipient else None

    def mask(self, address: str) -> str:
        """`ann@example.org` is `a***@example.org`."""
        local, _, domain = address.rpartition("@")
        return f"{local[:1]}***@{domain}"

    def send(self, delivery: Delivery, commit: Callable[[], None]) -> None:
        """Hand it to the mail server; see `Channel.send`."""
        message = self._compose(delivery)
        if not self._settings.smtp_host:
            self._write(delivery, message)
            return
        with _smtp_errors(delivery), self._connected() as server:
            commit()
            server.send_message(message)

    def _compose(self, delivery: Delivery) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        # A header is one line: the policy refuses any other, and a subject is made one here.
        message["Subject"] = " ".join(delivery.subject.split())
        message["From"] = self._sender
        message["To"] = Address(addr_spec=delivery.address)
        message["Date"] = formatdate(localtime=False)
        message["Message-ID"] = f"<{delivery.task_id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(delivery.text, cte="quoted-printable")
        message.add_alternative(delivery.html, subtype="html", cte="quoted-printable")
        return message

    def _write(self, delivery: Delivery, message: EmailMessage) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{delivery.task_id}.eml"
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(message.as_bytes())
        part.replace(path)
        log.info("mail_written", file=path.name, reason="BULKHEAD_NOTIFIER_SMTP_HOST is not set")

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        settings = self._settings
        where = (settings.smtp_host, settings.smtp_port)
        timeout = settings.smtp_timeout_seconds
        if settings.smtp_security == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=timeout, context=context)
        else:
            server = smtplib.SMTP(*where, timeout=timeout)
        try:
            if settings.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_username:
                server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
            yield server
            with suppress(smtplib.SMTPException, OSError):  # it is delivered: a rude end is none
                if server.sock:
                    server.sock.settimeout(QUIT_SECONDS)
                server.quit()
        finally:
            server.close()


@contextmanager
def _smtp_errors(delivery: Delivery) -> Iterator[None]:
    """Tell what may pass from what will not."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        ((code, text),) = error.recipients.values()
        raise _refusal(code, text, delivery) from error
    except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as error:
        if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code in LATER:
            raise DeliveryUnavailableError(reason=f"SMTP {error.smtp_code}") from error
        raise ChannelMisconfiguredError(channel="email", reason=_short(error)) from error
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code, error.smtp_error, delivery) from error
    except ssl.SSLError as error:
        raise ChannelMisconfiguredError(channel="email", reason=_short(error)) from error
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryUnavailableError(reason=_short(error)) from error


def _refusal(code: int, text: bytes | str, delivery: Delivery) -> Exception:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    reason = f"SMTP {code} {' '.join(words.split())[:200]}"
    if code in LATER or code < 0:
        return DeliveryUnavailableError(reason=reason)
    if code in NOT_AUTHENTICATED:
        return ChannelMisconfiguredError(channel="email", reason=reason)
    return DeliveryRefusedError(user_id=delivery.user_id, reason=reason)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
