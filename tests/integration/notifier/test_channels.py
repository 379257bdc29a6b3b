"""What every channel promises: one suite, which a new channel joins with one receiver."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import unquote
from json import loads
from typing import Any

import pytest
from sqlalchemy import Engine

from services.notifier.channels import build_channels
from services.notifier.settings import NotifierSettings
from services.notifier.wording import TEMPLATES, Writer
from shared.contracts.languages import Language
from shared.contracts.tasks import Channel, Notification, Template
from shared.errors import RecipientUnknownError
from shared.inbox import list_entries
from shared.recipients import save_recipient
from shared.tasks.context import TaskStopped
from tests.integration.notifier.conftest import TASK_ID, Tell
from tests.integration.notifier.servers import MailBox, WebHook, mail_server, web_server

USER, ADDRESS, PATH = "user_001", "wang.secret@example.org", "hook"
FACTS: dict[Template, dict[str, object]] = {
    Template.MESSAGE: {"text": "hello"},
    Template.EXPORT_FINISHED: {
        "file_name": "f.xlsx", "records_count": 1, "start_date": "2024-01-01",
        "end_date": "2024-01-02", "size": 3,
    },
    Template.EXPORT_FAILED: {
        "start_date": "2024-01-01", "end_date": "2024-01-02", "error_code": "worker_lost",
        "error_arguments": {"losses": 3},
    },
}  # fmt: skip


@dataclass
class Received:
    """One notification as it arrived: by what a repeat is recognised, and what it says."""

    id: str
    text: str


@dataclass
class Receiver:
    """The other side of a channel.

    Attributes:
        settings: of the notifier, so that it finds the other side.
        received: gives what has arrived.
    """

    settings: dict[str, Any]
    received: Callable[[], list[Received]]


@contextmanager
def mail(engine: Engine) -> Iterator[Receiver]:
    save_recipient(engine, "ann", USER, email=ADDRESS, webhook_url=None)
    mailbox = MailBox()

    def received() -> list[Received]:
        return [
            Received(
                unquote(each["Message-ID"]).partition("@")[0],
                # A mail's lines end with CR LF.
                "\n".join(each.get_body(("plain",)).get_content().splitlines()),  # type: ignore[union-attr]
            )
            for each in mailbox.mails
        ]

    with mail_server(mailbox) as port:
        settings = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none"}
        yield Receiver(settings, received)


@contextmanager
def webhook(engine: Engine) -> Iterator[Receiver]:
    hook = WebHook()

    def received() -> list[Received]:
        return [
            Received(headers["webhook-id"], loads(body)["data"]["message"])
            for headers, body in hook.calls
        ]

    with web_server(hook) as url:
        save_recipient(engine, "ann", USER, email=None, webhook_url=url)
        yield Receiver({"allow_private_webhooks": True}, received)


@contextmanager
def inbox(engine: Engine) -> Iterator[Receiver]:
    def received() -> list[Received]:
        entries, _ = list_entries(engine, "ann", USER, limit=10)
        return [Received(each.id, each.message) for each in entries]

    yield Receiver({}, received)


RECEIVERS: dict[Channel, Callable[[Engine], AbstractContextManager[Receiver]]] = {
    Channel.EMAIL: mail,
    Channel.WEBHOOK: webhook,
    Channel.INBOX: inbox,
}


@pytest.fixture(params=Channel)
def channel(request: pytest.FixtureRequest) -> Channel:
    return Channel(request.param)


@pytest.fixture
def receiver(channel: Channel, task_engine: Engine) -> Iterator[Receiver]:
    with RECEIVERS[channel](task_engine) as receiver:
        yield receiver


def test_every_channel_that_can_be_asked_for_is_there(task_engine: Engine) -> None:
    assert set(build_channels(NotifierSettings(), task_engine)) == set(Channel)


@pytest.mark.parametrize(
    "text", ["您的报表已生成 😀", "<b>&\"'</b> {{ 7 * 7 }} %s", "a\nb\n\nc", "=1+1"]
)
def test_what_arrives_is_what_was_said(
    tell: Tell, channel: Channel, receiver: Receiver, text: str
) -> None:
    before = datetime.now(NotifierSettings().zone).replace(tzinfo=None, microsecond=0)
    result = tell(channel, text=text, **receiver.settings)
    assert receiver.received() == [Received(TASK_ID, text)]
    assert (result.channel, result.attempts, result.status) == (channel, 1, "completed")
    assert datetime.fromisoformat(result.delivered_at) >= before
    assert "secret" not in result.recipient
    assert PATH not in result.recipient


def test_a_repeat_is_recognised(tell: Tell, channel: Channel, receiver: Receiver) -> None:
    for attempt in (1, 2):
        tell(channel, attempt=attempt, **receiver.settings)
    assert {each.id for each in receiver.received()} == {TASK_ID}
    if channel is Channel.INBOX:
        assert len(receiver.received()) == 1


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize("language", Language)
def test_every_template_arrives_in_every_language(
    tell: Tell, channel: Channel, receiver: Receiver, template: Template, language: Language
) -> None:
    parameters = Notification(
        user_id=USER, channel=channel, template=template, facts=FACTS[template], language=language
    )
    tell(channel, parameters=parameters, **receiver.settings)
    (arrived,) = receiver.received()
    assert arrived.text.strip()
    assert "{" not in arrived.text


def test_a_stop_before_it_is_sent_sends_nothing(
    tell: Tell, channel: Channel, receiver: Receiver
) -> None:
    """But for the inbox: an entry is there once, however often it is put there."""
    if channel is Channel.INBOX:
        tell(channel, stopped=True, **receiver.settings)
        return
    with pytest.raises(TaskStopped):
        tell(channel, stopped=True, **receiver.settings)
    assert receiver.received() == []


def test_a_stranger_is_told_nothing(tell: Tell, channel: Channel, receiver: Receiver) -> None:
    if channel is Channel.INBOX:  # every name has one
        tell(channel, user_id="nobody", **receiver.settings)
    else:
        with pytest.raises(RecipientUnknownError):
            tell(channel, user_id="nobody", **receiver.settings)
    assert receiver.received() == []


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize("language", Language)
def test_every_template_is_there_in_every_language(template: Template, language: Language) -> None:
    wording = Writer("https://b.example", 7).write(template, FACTS[template], language)
    assert wording.subject
    assert "\n" not in wording.subject
    assert wording.text.strip()
    assert "{" not in wording.text
    assert wording.subject.isascii() is (language is Language.ENGLISH)
    assert f'lang="{language.value}"' in wording.html


def test_no_template_is_left_over() -> None:
    names = {f"{each.value}.{language.value}.txt" for each in Template for language in Language}
    assert {path.name for path in TEMPLATES.iterdir()} == {*names, "mail.html"}
