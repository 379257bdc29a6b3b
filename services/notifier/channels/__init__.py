"""Ways to tell users something: one file per channel, behind one interface."""

from sqlalchemy import Engine

from services.notifier.channels.channel import Channel, Delivery
from services.notifier.channels.email import EmailChannel
from services.notifier.channels.inbox import InboxChannel
from services.notifier.channels.webhook import WebhookChannel
from services.notifier.settings import NotifierSettings
from shared.contracts.tasks import Channel as ChannelName


def build_channels(settings: NotifierSettings, engine: Engine) -> dict[ChannelName, Channel]:
    """Make one sender for each channel that can be asked for."""
    return {
        ChannelName.EMAIL: EmailChannel(settings),
        ChannelName.WEBHOOK: WebhookChannel(settings),
        ChannelName.INBOX: InboxChannel(engine),
    }


__all__ = ["Channel", "Delivery", "build_channels"]
