"""What a use case ends with, and which tasks follow from it.

An event is never sent: the finishing transaction inserts the rows that follow from it, so it
cannot be lost, nor told twice. The service that causes an event knows none of those that hear it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from shared.contracts.tasks import ExportResult, TaskParameters, WorkLogsExport


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

SUBSCRIPTIONS: dict[type[Event], tuple[Callable[[Event], list[FollowUp]], ...]] = {}
"""Who hears which event: functions from an event to the tasks that follow from it."""


def follow_ups(event: Event) -> list[FollowUp]:
    """List the tasks that follow from an event."""
    return [each for subscriber in SUBSCRIPTIONS.get(type(event), ()) for each in subscriber(event)]
