"""The errors Bulkhead expects. Anything else is a defect: its traceback goes to the log.

Each carries a stable `code` (lower_snake_case, the same in every language) and arguments; the text
that people read is made from both by `shared.messages`, in the reader's language.
"""

from datetime import timedelta
from typing import ClassVar


class BulkheadError(Exception):
    """Base of every expected error; it ends a task at once, unless it is a `RetryableError`.

    Args:
        **arguments: values for the error's text; strings and numbers only, for they are stored.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(self, **arguments: str | float) -> None:
        super().__init__(self.code, arguments)
        self.arguments = arguments

    def __str__(self) -> str:
        """The code and its arguments, for logs."""
        return " ".join([self.code, *(f"{key}={value}" for key, value in self.arguments.items())])


class InternalError(BulkheadError):
    """A defect; its traceback is in the log."""


class ParametersUnreadableError(BulkheadError):
    """A row's parameters do not fit their kind's model."""

    code = "parameters_unreadable"


class RetryableError(BulkheadError):
    """Something outside did not answer: the task is tried again later, a bounded number of times.

    Args:
        after: wait at least this long (an HTTP `Retry-After`, say); None leaves it to the back-off.
    """

    def __init__(self, *, after: timedelta | None = None, **arguments: str | float) -> None:
        super().__init__(**arguments)
        self.after = after


class SourceUnavailableError(RetryableError):
    """The application's database does not answer."""

    code = "source_unavailable"


class DatabaseUnavailableError(RetryableError):
    """The task database went away while a handler asked it."""

    code = "database_unavailable"


class StorageUnavailableError(RetryableError):
    """The object store or the shared volume does not answer."""

    code = "storage_unavailable"


class DeliveryUnavailableError(RetryableError):
    """A mail server or a webhook does not answer, or asks to come again later."""

    code = "delivery_unavailable"


class RecipientUnknownError(BulkheadError):
    """The user is not registered, or not for this channel."""

    code = "recipient_unknown"


class DeliveryRefusedError(BulkheadError):
    """The mail server or the webhook refuses this recipient or this message for good."""

    code = "delivery_refused"


class ChannelMisconfiguredError(BulkheadError):
    """The channel's own settings are wrong: login, encryption, certificate."""

    code = "channel_misconfigured"


class WebhookForbiddenError(BulkheadError):
    """The webhook's address is inside our own network."""

    code = "webhook_forbidden"


class SourceSchemaError(BulkheadError):
    """The application's database has no such view, or the view lacks a column."""

    code = "source_schema"


class RowCountError(BulkheadError):
    """A file holds another number of rows than its snapshot: it must not be shipped."""

    code = "row_count_mismatch"


class StorageFullError(BulkheadError):
    """No space is left where the file is written."""

    code = "storage_full"


class StorageReadOnlyError(BulkheadError):
    """The storage folder cannot be written to."""

    code = "storage_not_writable"


class WorkerLostError(BulkheadError):
    """The task's worker vanished too often."""

    code = "worker_lost"


class TimeLimitError(BulkheadError):
    """The task ran longer than its kind may."""

    code = "time_limit"


class CancelledError(BulkheadError):
    """Somebody cancelled the task."""

    code = "cancelled"
