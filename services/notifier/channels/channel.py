"""What every channel does. A new one is a new file with one of these, and a line in `__init__`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.recipients import Recipient


@dataclass(frozen=True)
class Delivery:
    """One notification on its way to one user.

    Attributes:
        task_id: the same in every attempt; a receiver can tell repeats by it.
        owner: whose user it is.
        user_id: the user.
        address: what `Channel.address` gave.
        recipient: the user's registration; None where the channel needs none.
        subject: one line.
        text: plain.
        html: the same with markup; whatever came from outside is escaped.
        data: what it is about, for programs.
        template: which kind of notification it is.
    """

    task_id: str
    owner: str
    user_id: str
    address: str
    recipient: Recipient | None
    subject: str
    text: str
    html: str
    data: dict[str, Any]
    template: str


class Channel(ABC):
    """Delivers notifications one way."""

    @abstractmethod
    def address(self, user_id: str, recipient: Recipient | None) -> str | None:
        """Give where the user is reached; None if that is not known."""

    @abstractmethod
    def mask(self, address: str) -> str:
        """Write an address so that it is recognised and not disclosed."""

    @abstractmethod
    def send(self, delivery: Delivery, commit: Callable[[], None]) -> None:
        """Deliver; a repeat of the same task is recognisable as one.

        Args:
            delivery: what to whom.
            commit: called right before the step that cannot be taken back. Until then a worker
                that is told to stop may leave this method anywhere; from then on it waits for the
                answer, without which nobody knows whether to send it again.

        Raises:
            DeliveryUnavailableError: not now; it is tried again.
            DeliveryRefusedError, ChannelMisconfiguredError, WebhookForbiddenError: not at all.
        """
