"""What a command ends with when it cannot do what was asked."""

from enum import IntEnum


class Status(IntEnum):
    """Exit statuses, for scripts."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


class CliError(Exception):
    """Ends a command; the message says what to do next.

    Args:
        message: for people.
        status: the process's exit status.
    """

    def __init__(self, message: str, status: Status = Status.FAILED) -> None:
        super().__init__(message)
        self.status = status
