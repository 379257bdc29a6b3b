"""Mail servers that refuse, hang, ask to come again, or take a mail and hang up."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shared.contracts.tasks import Channel, Notification, State, Status
from shared.recipients import save_recipient
from tests.faults.house import HANDED_OVER_SECONDS, JANITOR, NOTIFIER, USER, House
from tests.integration.notifier.servers import MailBox, mail_server, silent_server
from tests.processes import Service
from tests.servers import free_port, promised, wait_until
from tests.stack import OWNER


def mailing(house: House, port: int, **settings: str) -> Service:
    """Prepare a notifier that sends mail to a port."""
    return house.service(
        NOTIFIER,
        BULKHEAD_NOTIFIER_SMTP_HOST="127.0.0.1",
        BULKHEAD_NOTIFIER_SMTP_PORT=str(port),
        BULKHEAD_NOTIFIER_SMTP_SECURITY="none",
        **settings,
    )


def tell(house: House, channel: Channel = Channel.EMAIL) -> str:
    """Submit a notification."""
    parameters = Notification(user_id=USER, channel=channel, facts={"text": "您的报表已生成"})
    task_id = house.store.submit(parameters, owner=OWNER)
    house.bell.ring(parameters.queue)
    return task_id


@contextmanager
def notifier_for(house: House, port: int, *, timeout: int = 10) -> Iterator[str]:
    """Run a notifier that sends mail to a port; give a notification's task."""
    save_recipient(house.engine, OWNER, USER, email="wang@example.org", webhook_url=None)
    notifier = mailing(house, port, BULKHEAD_NOTIFIER_SMTP_TIMEOUT_SECONDS=str(timeout))
    house.start(notifier, JANITOR)
    yield tell(house)


def is_retried(house: House, task_id: str) -> bool:
    """Whether it waits to be tried again, and says why."""
    task = house.task(task_id)
    return task.state is State.RETRYING and task.error_code == "delivery_unavailable"


def is_delivered(house: House, task_id: str, fault: str, since: float) -> int:
    """Assert that it is delivered after all; give the number of attempts."""
    task = house.wait_until_over(task_id, seconds=house.pace.patience)
    house.note(fault, since)
    assert task.status is Status.COMPLETED
    assert house.losses(task_id) == 0
    return task.attempt


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_a_mail_server_that_is_not_there_at_first(house: House, how: str) -> None:
    port, mailbox = free_port(), MailBox()

    def wait() -> None:
        wait_until(lambda: is_retried(house, task_id), seconds=60, what="it is being retried")

    if how == "hangs":
        with silent_server(port), notifier_for(house, port, timeout=1) as task_id:
            wait()
    else:
        with notifier_for(house, port) as task_id:
            wait()
    since = time.monotonic()
    with mail_server(mailbox, port=port):
        attempts = is_delivered(house, task_id, f"SMTP server {how}", since)
    assert attempts >= 2
    assert {mail["Message-ID"] for mail in mailbox.mails} == {f"<{task_id}@localhost>"}


@pytest.mark.parametrize(
    ("fault", "mailbox", "mails"),
    [
        ("answers 4xx, then 2xx", MailBox(at_recipient=["451 4.3.0 greylisted"]), 1),
        ("is full, then not", MailBox(at_data=["452 4.2.2 full", "421 4.3.2 shutting down"]), 1),
        # It has the mail and did not say so: nobody can know. The Message-ID tells.
        ("drops after DATA", MailBox(at_data=["drop"]), 2),
    ],
)
def test_a_mail_server_that_thinks_better_of_it(
    house: House, fault: str, mailbox: MailBox, mails: int
) -> None:
    answers = len(mailbox.at_recipient) + len(mailbox.at_data)
    mailbox = MailBox(at_recipient=[*mailbox.at_recipient], at_data=[*mailbox.at_data])
    since = time.monotonic()
    with mail_server(mailbox) as port, notifier_for(house, port) as task_id:
        attempts = is_delivered(house, task_id, f"SMTP server {fault}", since)
    assert attempts == answers + 1
    ids = [mail["Message-ID"] for mail in mailbox.mails]
    assert ids == [f"<{task_id}@localhost>"] * mails


@pytest.mark.parametrize("pool", ["threads", "prefork", "gevent"])
def test_a_stop_waits_for_the_reply_to_a_mail_and_for_nothing_else(house: House, pool: str) -> None:
    mailbox = MailBox()
    mailbox.may_answer.clear()
    with silent_server() as nobody, mail_server(mailbox) as port:
        save_recipient(
            house.engine, OWNER, USER,
            email="wang@example.org", webhook_url=f"https://127.0.0.1:{nobody}/",
        )  # fmt: skip
        notifier = mailing(
            house,
            port,
            BULKHEAD_NOTIFIER_POOL=pool,
            BULKHEAD_NOTIFIER_CONCURRENCY="2",
            BULKHEAD_NOTIFIER_ALLOW_PRIVATE_WEBHOOKS="true",
        )
        house.start(notifier)
        mail, call = tell(house), tell(house, Channel.WEBHOOK)
        wait_until(lambda: mailbox.mails, seconds=house.pace.patience, what="a mail is taken")
        house.wait_until_claimed(call)
        since = time.monotonic()
        notifier.running.send_signal(signal.SIGTERM)
        # It has not begun to say anything to the web server: that is handed over meanwhile.
        house.wait_for(call, Status.PENDING, seconds=house.pace.patience)
        assert time.monotonic() - since < promised(house.pace.grace + HANDED_OVER_SECONDS)
        assert house.task(mail).status is Status.PROCESSING
        mailbox.may_answer.set()
        attempts = is_delivered(house, mail, f"SIGTERM before the reply to a mail: {pool}", since)
        notifier.running.wait(house.pace.patience)
    assert (attempts, len(mailbox.mails)) == (1, 1)
    assert (house.task(call).attempt, house.losses(call)) == (1, 0)
