"""The inbox: kept in the task database, for applications that show their own."""

from collections.abc import Callable

from sqlalchemy import Engine

from services.notifier.channels.channel import Channel, Delivery
from shared.inbox import put_entry
from shared.recipients import Recipient


class InboxChannel(Channel):
    """Stores notifications; every user has an inbox.

    Args:
        engine: the task database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def address(self, user_id: str, recipient: Recipient | None) -> str:  # noqa: ARG002
        """A user's inbox is the user's name."""
        return user_id

    def mask(self, address: str) -> str:
        """The owner gave this name; it discloses nothing."""
        return address

    def send(self, delivery: Delivery, commit: Callable[[], None]) -> None:  # noqa: ARG002
        """Keep it, once however often it is sent: there is nothing to commit to."""
        put_entry(
            self._engine,
            task_id=delivery.task_id,
            owner=delivery.owner,
            user_id=delivery.user_id,
            subject=delivery.subject,
            message=delivery.text,
        )
