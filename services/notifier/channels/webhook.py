"""Webhooks: one signed POST, as the Standard Webhooks specification describes.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import ipaddress
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook

from services.notifier.channels.channel import Channel, Delivery
from services.notifier.settings import NotifierSettings
from shared.errors import DeliveryRefusedError, DeliveryUnavailableError, WebhookForbiddenError
from shared.recipients import Recipient

LONGEST_RETRY_AFTER = timedelta(hours=1)
TRY_AGAIN = (408, 425, 429)
REQUEST_STARTS = "http11.send_request_headers.started"
"""The connection stands. Source: https://www.encode.io/httpcore/extensions/#trace"""


class WebhookChannel(Channel):
    """Calls the user's webhook; follows no redirect and reads no answer.

    Args:
        settings: timeout, and whether private networks may be called.
    """

    def __init__(self, settings: NotifierSettings) -> None:
        self._allow_private = settings.allow_private_webhooks
        self._client = httpx.Client(
            timeout=settings.webhook_timeout_seconds, follow_redirects=False, trust_env=False
        )

    def address(self, user_id: str, recipient: Recipient | None) -> str | None:  # noqa: ARG002
        """The registered URL."""
        return recipient.webhook_url if recipient else None

    def mask(self, address: str) -> str:
        """Scheme and host: the path may hold a secret."""
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.hostname}/***"

    def send(self, delivery: Delivery, commit: Callable[[], None]) -> None:
        """Post it; any 2xx is delivered. See `Channel.send`."""
        host = urlsplit(delivery.address).hostname or ""
        if not self._allow_private and _is_private(host):
            raise WebhookForbiddenError(user_id=delivery.user_id)
        now = datetime.now(UTC)
        body = json.dumps(
            {"type": delivery.template, "timestamp": now.isoformat(), "data": delivery.data},
            ensure_ascii=False,
        )
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Bulkhead",
            "webhook-id": delivery.task_id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        secret = delivery.recipient.webhook_secret if delivery.recipient else None
        if secret:
            headers["webhook-signature"] = Webhook(secret).sign(delivery.task_id, now, body)

        def trace(event: str, _info: object) -> None:
            if event == REQUEST_STARTS:
                commit()

        try:
            with self._client.stream(
                "POST",
                delivery.address,
                content=body.encode(),
                headers=headers,
                extensions={"trace": trace},
            ) as answer:
                _check(answer, delivery)
        except httpx.TransportError as error:
            raise DeliveryUnavailableError(reason=type(error).__name__) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = type(error).__name__
            raise DeliveryRefusedError(user_id=delivery.user_id, reason=reason) from error


def _check(answer: httpx.Response, delivery: Delivery) -> None:
    status = answer.status_code
    if answer.is_success:
        return
    if status in TRY_AGAIN or answer.is_server_error:
        after = _retry_after(answer.headers.get("retry-after"))
        raise DeliveryUnavailableError(after=after, reason=f"HTTP {status}")
    raise DeliveryRefusedError(user_id=delivery.user_id, reason=f"HTTP {status}")


def _retry_after(header: str | None) -> timedelta | None:
    """Read `Retry-After`, seconds or a date: RFC 9110 section 10.2.3."""
    if header is None:
        return None
    try:
        if header.strip().isdecimal():
            wait = timedelta(seconds=min(int(header), LONGEST_RETRY_AFTER.total_seconds()))
        else:
            wait = parsedate_to_datetime(header) - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta()), LONGEST_RETRY_AFTER)


def _is_private(host: str) -> bool:
    """Whether a name leads into our own network; one that does not resolve leads nowhere yet."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(not ipaddress.ip_address(str(each[4][0])).is_global for each in found)
