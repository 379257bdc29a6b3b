"""Mail: into files, over SMTP, and everything a mail server can do wrong."""

import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from sqlalchemy import Engine

from services.notifier.channels.email import QUIT_SECONDS
from shared.contracts.languages import Language
from shared.contracts.tasks import Channel, Notification, Template
from shared.errors import (
    BulkheadError,
    ChannelMisconfiguredError,
    DeliveryRefusedError,
    DeliveryUnavailableError,
    RecipientUnknownError,
)
from shared.recipients import save_recipient
from tests.integration.notifier.certificates import self_signed
from tests.integration.notifier.conftest import TASK_ID, Tell
from tests.integration.notifier.servers import MailBox, authenticate, mail_server, silent_server
from tests.servers import free_port, promised

PLAIN = {"smtp_host": "127.0.0.1", "smtp_security": "none", "smtp_timeout_seconds": 60}


@pytest.fixture(autouse=True)
def registered(task_engine: Engine) -> None:
    save_recipient(task_engine, "ann", "user_001", email="wang@example.org", webhook_url=None)


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_without_a_mail_server_a_mail_is_a_file(tell: Tell, tmp_path: Path) -> None:
    for _ in range(2):
        result = tell(Channel.EMAIL)
    assert (result.channel, result.recipient, result.attempts) == ("email", "w***@example.org", 1)
    (path,) = (tmp_path / "mail").iterdir()
    message = message_from_bytes(path.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)
    assert message["To"] == "wang@example.org"
    assert message["Subject"] == "您有一条新通知"
    assert message["Message-ID"] == f"<{TASK_ID}@localhost>"
    assert part(message, "plain").strip() == "您的报表已生成"
    assert "<p>您的报表已生成</p>" in part(message, "html")


def test_a_mail_is_sent_with_one_message_id_in_every_attempt(tell: Tell) -> None:
    mailbox = MailBox()
    with mail_server(mailbox) as port:
        for attempt in (1, 2):
            result = tell(Channel.EMAIL, attempt=attempt, smtp_port=port, **PLAIN)
    assert result.attempts == 2
    assert len(mailbox.mails) == 2
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 1


@pytest.mark.parametrize(
    "text",
    ["<b>&\"'</b>", "{{ 7 * 7 }} {% raw %}", "line\r\n.\r\nBcc: eve@example.org", "😀 " * 900],
)
def test_a_users_wording_is_never_markup(tell: Tell, text: str) -> None:
    mailbox = MailBox()
    with mail_server(mailbox) as port:
        tell(Channel.EMAIL, text=text, language=Language.ENGLISH, smtp_port=port, **PLAIN)
    (mail,) = mailbox.mails
    assert part(mail, "plain").split() == text.split()
    assert "<b>" not in part(mail, "html")
    assert "49" not in part(mail, "html")
    assert mail["Bcc"] is None
    assert mail["Subject"] == "A notification for you"


def test_a_finished_export_is_told_with_its_link(tell: Tell) -> None:
    facts = {
        "file_name": "work_logs_x.xlsx", "records_count": 3, "start_date": "2024-01-01",
        "end_date": "2024-01-31", "size": 15, "created_at": "2024-02-01T08:00:00",
    }  # fmt: skip
    parameters = Notification(
        user_id="user_001",
        channel=Channel.EMAIL,
        template=Template.EXPORT_FINISHED,
        facts=facts,
        language=Language.ENGLISH,
    )
    mailbox = MailBox()
    with mail_server(mailbox) as port:
        tell(
            Channel.EMAIL, parameters=parameters, public_url="https://b.example/", smtp_port=port,
            **PLAIN,
        )  # fmt: skip
    (mail,) = mailbox.mails
    assert mail["Subject"] == "Your work logs are ready: 2024-01-01 to 2024-01-31"
    link = "https://b.example/api/download/work_logs_x.xlsx"
    assert link in part(mail, "plain")
    assert f'<a href="{link}">' in part(mail, "html")
    assert "7 days" in part(mail, "plain")


def test_a_login_over_starttls_is_kept_from_a_stranger(tell: Tell, tmp_path: Path) -> None:
    mailbox = MailBox()
    options = {"tls_context": self_signed(tmp_path), "require_starttls": True}
    with mail_server(mailbox, **options) as port:
        with pytest.raises(ChannelMisconfiguredError, match="certificate"):
            tell(Channel.EMAIL, smtp_port=port, **{**PLAIN, "smtp_security": "starttls"})
        with pytest.raises(ChannelMisconfiguredError, match="530"):
            tell(Channel.EMAIL, smtp_port=port, **PLAIN)
    assert mailbox.mails == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_login_that_is_wrong_is_the_channels_fault(tell: Tell) -> None:
    mailbox = MailBox()
    options = {
        "authenticator": authenticate, "auth_require_tls": False, "auth_required": True,
    }  # fmt: skip
    with mail_server(mailbox, **options) as port:
        with pytest.raises(ChannelMisconfiguredError, match="535"):
            tell(Channel.EMAIL, smtp_port=port, smtp_username="ann", smtp_password="no", **PLAIN)
        with pytest.raises(ChannelMisconfiguredError, match="530"):
            tell(Channel.EMAIL, smtp_port=port, **PLAIN)
        tell(Channel.EMAIL, smtp_port=port, smtp_username="ann", smtp_password="secret", **PLAIN)
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("mailbox", "error"),
    [
        (MailBox(at_recipient=["451 4.3.0 greylisted"]), DeliveryUnavailableError),
        (MailBox(at_recipient=["550 5.1.1 nobody here"]), DeliveryRefusedError),
        (MailBox(at_data=["452 4.2.2 full"]), DeliveryUnavailableError),
        (MailBox(at_data=["554 5.7.1 spam"]), DeliveryRefusedError),
        (MailBox(at_data=["drop"]), DeliveryUnavailableError),
    ],
)
def test_what_may_pass_is_tried_again_and_what_will_not_is_not(
    tell: Tell, mailbox: MailBox, error: type[BulkheadError]
) -> None:
    mailbox = MailBox(at_recipient=[*mailbox.at_recipient], at_data=[*mailbox.at_data])
    with mail_server(mailbox) as port:
        with pytest.raises(error):
            tell(Channel.EMAIL, smtp_port=port, **PLAIN)
        tell(Channel.EMAIL, attempt=2, smtp_port=port, **PLAIN)
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 1


def test_a_server_that_is_away_or_silent_is_tried_again(tell: Tell) -> None:
    with pytest.raises(DeliveryUnavailableError):
        tell(Channel.EMAIL, smtp_port=free_port(), **PLAIN)
    with silent_server() as port, pytest.raises(DeliveryUnavailableError):
        tell(Channel.EMAIL, smtp_port=port, **{**PLAIN, "smtp_timeout_seconds": 0.5})


def test_a_goodbye_that_is_not_answered_is_not_waited_for(tell: Tell) -> None:
    mailbox = MailBox()
    mailbox.may_quit.clear()
    with mail_server(mailbox) as port:
        began = time.monotonic()
        tell(Channel.EMAIL, smtp_port=port, **PLAIN)
        seconds = time.monotonic() - began
        mailbox.may_quit.set()
    assert len(mailbox.mails) == 1
    assert seconds < promised(QUIT_SECONDS + 5)


def test_a_user_without_an_address_is_unknown(tell: Tell, task_engine: Engine) -> None:
    with pytest.raises(RecipientUnknownError):
        tell(Channel.EMAIL, user_id="nobody")
    save_recipient(task_engine, "ann", "user_002", email=None, webhook_url="http://x.example/")
    with pytest.raises(RecipientUnknownError):
        tell(Channel.EMAIL, user_id="user_002")
