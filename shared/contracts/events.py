"""What a use case ends with, and which tasks follow from it.

An event is never sent: the finishing transaction inserts the rows that follow from it, so it
cannot be lost, nor told twice. The service that causes an event knows none of those that hear it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from shared.contracts.tasks import (
    ExportResult,
    Notification,
    TaskParameters,
    Template,
    WorkLogsExport,
)


class Event(BaseModel):
    """Something that has happened; the name is stored with what follows from it."""

    model_config = ConfigDict(frozen=True)

    name: ClassVar[str]


class ExportFinished(Event):
    """An export's file is there."""

    name: ClassVar[str] = "export_finished"

    parameters: WorkLogsExport
    result: ExportResult


class ExportFailed(Event):
    """An export ended without a file."""

    name: ClassVar[str] = "export_failed"

    parameters: WorkLogsExport
    error_code: str
    error_arguments: dict[str, str | int | float]


@dataclass(frozen=True)
class FollowUp:
    """A task that follows from an event.

    Attributes:
        parameters: of the task to insert.
        recipient: who is told; empty where nobody is.
        channel: how; empty where nobody is told.
    """

    parameters: TaskParameters
    recipient: str = ""
    channel: str = ""


FAILURES: dict[type[TaskParameters], type[ExportFailed]] = {WorkLogsExport: ExportFailed}
"""The event that a kind of task ends with when it fails, whoever finds that it has."""


def _tell_of_file(event: Event) -> list[FollowUp]:
    assert isinstance(event, ExportFinished)  # noqa: S101  (as subscribed; for the type checker)
    facts = event.result.model_dump(mode="json", exclude={"sha256", "status"})
    return _tell(event.parameters, Template.EXPORT_FINISHED, facts)


def _tell_of_failure(event: Event) -> list[FollowUp]:
    assert isinstance(event, ExportFailed)  # noqa: S101
    facts = {
        "start_date": event.parameters.start_date.isoformat(),
        "end_date": event.parameters.end_date.isoformat(),
        "error_code": event.error_code,
        "error_arguments": event.error_arguments,
    }
    return _tell(event.parameters, Template.EXPORT_FAILED, facts)


def _tell(parameters: WorkLogsExport, template: Template, facts: dict[str, Any]) -> list[FollowUp]:
    who = parameters.notify
    if who is None:
        return []
    notification = Notification(
        user_id=who.user_id,
        channel=who.channel,
        template=template,
        facts=facts,
        language=parameters.language,
    )
    return [FollowUp(notification, who.user_id, who.channel.value)]


SUBSCRIPTIONS: dict[type[Event], tuple[Callable[[Event], list[FollowUp]], ...]] = {
    ExportFinished: (_tell_of_file,),
    ExportFailed: (_tell_of_failure,),
}
"""Who hears which event: functions from an event to the tasks that follow from it."""


def follow_ups(event: Event) -> list[FollowUp]:
    """List the tasks that follow from an event."""
    return [each for subscriber in SUBSCRIPTIONS.get(type(event), ()) for each in subscriber(event)]
