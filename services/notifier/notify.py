"""The use case: one user is told something over one channel."""

from datetime import datetime

from sqlalchemy import Engine

from services.notifier.channels import Channel, Delivery
from services.notifier.wording import Writer
from shared.contracts.tasks import Channel as ChannelName
from shared.contracts.tasks import Notification, NotificationResult
from shared.errors import RecipientUnknownError
from shared.recipients import load_recipient
from shared.settings import Settings
from shared.tasks.claims import Finished
from shared.tasks.context import TaskContext


class Notify:
    """Delivers notifications. A handler: see `shared.tasks.runner.Handler`.

    Args:
        engine: the task database, which holds the recipients.
        channels: by name.
        writer: puts facts into words.
        settings: the time zone.
    """

    def __init__(
        self,
        engine: Engine,
        channels: dict[ChannelName, Channel],
        writer: Writer,
        settings: Settings,
    ) -> None:
        self._engine = engine
        self._channels = channels
        self._writer = writer
        self._settings = settings

    def __call__(self, parameters: Notification, context: TaskContext) -> Finished:
        """Deliver one notification.

        Raises:
            RecipientUnknownError: the user has no address for the channel.
            BulkheadError: what the channel says; see `Channel.send`.
        """
        context.report(10, "delivering")
        channel = self._channels[parameters.channel]
        recipient = load_recipient(self._engine, context.owner, parameters.user_id)
        address = channel.address(parameters.user_id, recipient)
        if address is None:
            raise RecipientUnknownError(user_id=parameters.user_id, channel=parameters.channel)
        wording = self._writer.write(parameters.template, parameters.facts, parameters.language)
        channel.send(
            Delivery(
                task_id=context.task_id,
                owner=context.owner,
                user_id=parameters.user_id,
                address=address,
                recipient=recipient,
                subject=wording.subject,
                text=wording.text,
                html=wording.html,
                data={
                    "user_id": parameters.user_id,
                    "subject": wording.subject,
                    "message": wording.text,
                    **parameters.facts,
                },
                template=parameters.template.value,
            ),
            context.pass_point_of_no_return,
        )
        delivered_at = datetime.now(self._settings.zone).replace(tzinfo=None)
        return Finished(
            result=NotificationResult(
                channel=parameters.channel,
                recipient=channel.mask(address),
                attempts=context.attempt,
                delivered_at=delivered_at.isoformat(timespec="seconds"),
            )
        )
