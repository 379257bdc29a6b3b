"""What passes between the store and whoever runs a task."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Row

from shared.contracts.events import Event
from shared.contracts.queues import Queue
from shared.contracts.tasks import KINDS, TaskParameters


@dataclass(frozen=True)
class Claim:
    """One task, for as long as its lease is extended; `attempt` is the fencing token."""

    task_id: str
    attempt: int
    owner: str
    kind: str
    queue: Queue
    parameters: dict[str, Any]
    retries: int

    @classmethod
    def from_row(cls, row: Row[Any]) -> "Claim":
        """Read it off the row just claimed."""
        return cls(
            task_id=row.id,
            attempt=row.attempt,
            owner=row.owner,
            kind=row.kind,
            queue=Queue(row.queue),
            parameters=row.parameters,
            retries=row.retries,
        )

    def read_parameters(self) -> TaskParameters:
        """Give the parameters as the kind's model; an older row's lack newer fields."""
        return KINDS[self.kind].model_validate(self.parameters)


@dataclass(frozen=True)
class Progress:
    """How far a task has come.

    Attributes:
        percent: 0 to 99; 100 is the finishing transaction's.
        message: `{key, arguments}` of a message for people, or None.
    """

    percent: int = 0
    message: dict[str, Any] | None = None


class StoredFile(BaseModel):
    """A file that becomes visible with the task's end.

    Attributes:
        name: the public name, `GET /api/download/{name}`.
        key: the name in storage, `{task_id}/{attempt}.{extension}`.
        media_type: as in the download's `Content-Type`.
        size: bytes.
        sha256: of the content, in hex.
    """

    name: str
    key: str
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True)
class WrittenFile:
    """A file that a handler has written in its scratch folder; the runner stores it."""

    path: Path
    name: str
    media_type: str
    size: int
    sha256: str

    def stored_as(self, key: str) -> StoredFile:
        """Say where it went."""
        return StoredFile(
            name=self.name,
            key=key,
            media_type=self.media_type,
            size=self.size,
            sha256=self.sha256,
        )


@dataclass(frozen=True)
class Finished:
    """What a handler gives back: the documented result, its file and what has happened."""

    result: BaseModel
    file: WrittenFile | None = None
    event: Event | None = None


class Sign(StrEnum):
    """What a running task's row says to its worker."""

    GO_ON = "go_on"
    CANCEL = "cancel"
    LOST = "lost"

    @classmethod
    def of(cls, row: Row[Any] | None) -> "Sign":
        """Read it off the fenced row; none is there once the task is somebody else's."""
        if row is None:
            return cls.LOST
        return cls.GO_ON if row.cancel_requested_at is None else cls.CANCEL
