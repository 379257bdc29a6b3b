"""What tests of the notifier work with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from services.notifier.channels import build_channels
from services.notifier.notify import Notify
from services.notifier.settings import NotifierSettings
from services.notifier.wording import Writer
from shared.contracts.languages import Language
from shared.contracts.queues import Queue
from shared.contracts.tasks import Channel, Notification, NotificationResult
from shared.tasks.claims import Claim
from shared.tasks.context import StopReason, TaskContext

TASK_ID = "0123456789abcdef0123456789abcdef"
Tell = Callable[..., NotificationResult]


@pytest.fixture
def tell(task_engine: Engine, tmp_path: Path) -> Tell:
    """Delivers one notification of ann's: `tell(channel, text=…, attempt=…, **settings)`."""

    def tell_once(
        channel: Channel,
        *,
        text: str = "您的报表已生成",
        user_id: str = "user_001",
        attempt: int = 1,
        language: Language = Language.CHINESE,
        parameters: Notification | None = None,
        task_id: str = TASK_ID,
        stopped: bool = False,
        **settings: Any,
    ) -> NotificationResult:
        chosen = NotifierSettings(data_dir=tmp_path, **settings)
        writer = Writer(chosen.public_url, chosen.file_retention_days)
        notify = Notify(task_engine, build_channels(chosen, task_engine), writer, chosen)
        parameters = parameters or Notification(
            user_id=user_id, channel=channel, facts={"text": text}, language=language
        )
        claim = Claim(task_id, attempt, "ann", Notification.kind, Queue.NOTIFICATION, {}, 0)
        context = TaskContext(claim, tmp_path / "scratch")
        if stopped:
            context.stop(StopReason.SHUTDOWN)
        result = notify(parameters, context).result
        assert isinstance(result, NotificationResult)
        return result

    return tell_once
