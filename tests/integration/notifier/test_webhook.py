"""Webhooks: what is posted, how it is signed, and everything the other side can do."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from standardwebhooks import Webhook

from shared.contracts.tasks import Channel
from shared.errors import (
    DeliveryRefusedError,
    DeliveryUnavailableError,
    RecipientUnknownError,
    WebhookForbiddenError,
)
from shared.recipients import Recipient, save_recipient
from tests.integration.notifier.certificates import self_signed
from tests.integration.notifier.conftest import TASK_ID, Tell
from tests.integration.notifier.servers import WebHook, silent_server, web_server
from tests.servers import free_port

PRIVATE = {"allow_private_webhooks": True, "webhook_timeout_seconds": 60}


def register(engine: Engine, url: str) -> Recipient:
    return save_recipient(engine, "ann", "user_001", email=None, webhook_url=url)


def test_a_call_is_signed_and_says_what_happened(tell: Tell, task_engine: Engine) -> None:
    hook = WebHook()
    with web_server(hook) as url:
        secret = register(task_engine, url).webhook_secret
        result = tell(Channel.WEBHOOK, text="done <b>", **PRIVATE)
    assert result.recipient == "http://127.0.0.1/***"
    ((headers, body),) = hook.calls
    assert headers["webhook-id"] == TASK_ID
    assert headers["content-type"] == "application/json"
    assert secret is not None
    Webhook(secret).verify(body, headers)
    event = json.loads(body)
    assert event["type"] == "message"
    assert event["data"]["user_id"] == "user_001"
    assert event["data"]["text"] == "done <b>"


def test_the_secret_is_kept_when_the_url_changes(task_engine: Engine) -> None:
    first = register(task_engine, "https://a.example/")
    assert register(task_engine, "https://b.example/").webhook_secret == first.webhook_secret


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_what_may_pass_is_tried_again(tell: Tell, task_engine: Engine, status: int) -> None:
    hook = WebHook(answers=[(status, {"Retry-After": "7"})])
    with web_server(hook) as url:
        register(task_engine, url)
        with pytest.raises(DeliveryUnavailableError) as raised:
            tell(Channel.WEBHOOK, **PRIVATE)
        assert raised.value.after == timedelta(seconds=7)
        tell(Channel.WEBHOOK, attempt=2, **PRIVATE)
    assert len({headers["webhook-id"] for headers, _ in hook.calls}) == 1


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ("99999999", timedelta(hours=1)),
        ("Mon, 01 Jan 2024 00:00:00 GMT", timedelta()),
        ("soon", None),
    ],
)
def test_a_retry_after_is_bounded(
    tell: Tell, task_engine: Engine, header: str, after: timedelta | None
) -> None:
    with web_server(WebHook(answers=[(429, {"Retry-After": header})])) as url:
        register(task_engine, url)
        with pytest.raises(DeliveryUnavailableError) as raised:
            tell(Channel.WEBHOOK, **PRIVATE)
    assert raised.value.after == after


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 410])
def test_a_redirect_or_a_refusal_is_final(tell: Tell, task_engine: Engine, status: int) -> None:
    hook = WebHook(answers=[(status, {"Location": "/other"})])
    with web_server(hook) as url:
        register(task_engine, url)
        with pytest.raises(DeliveryRefusedError, match=f"HTTP {status}"):
            tell(Channel.WEBHOOK, **PRIVATE)
    assert len(hook.calls) == 1


def test_an_endless_answer_is_not_read(tell: Tell, task_engine: Engine) -> None:
    with web_server(WebHook(answers=[(200, {})], endless=True)) as url:
        register(task_engine, url)
        assert tell(Channel.WEBHOOK, **PRIVATE).status == "completed"


def test_a_server_that_is_away_or_silent_is_tried_again(tell: Tell, task_engine: Engine) -> None:
    register(task_engine, f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(DeliveryUnavailableError):
        tell(Channel.WEBHOOK, **PRIVATE)
    with silent_server() as port:
        register(task_engine, f"http://127.0.0.1:{port}/")
        with pytest.raises(DeliveryUnavailableError):
            tell(Channel.WEBHOOK, **{**PRIVATE, "webhook_timeout_seconds": 0.5})


def test_a_certificate_that_nobody_signed_is_not_trusted(
    tell: Tell, task_engine: Engine, tmp_path: Path
) -> None:
    hook = WebHook()
    with web_server(hook, self_signed(tmp_path)) as url:
        register(task_engine, url)
        with pytest.raises(DeliveryUnavailableError):
            tell(Channel.WEBHOOK, **PRIVATE)
    assert hook.calls == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://localhost:1/", "http://[::1]/", "http://10.0.0.1/",
            "http://169.254.169.254/latest", "http://0.0.0.0/"],
)  # fmt: skip
def test_our_own_network_is_not_called(tell: Tell, task_engine: Engine, url: str) -> None:
    register(task_engine, url)
    with pytest.raises(WebhookForbiddenError):
        tell(Channel.WEBHOOK)


def test_a_user_without_a_url_is_unknown(tell: Tell) -> None:
    with pytest.raises(RecipientUnknownError):
        tell(Channel.WEBHOOK)
