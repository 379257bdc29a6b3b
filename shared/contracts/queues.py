"""The queues: one per kind of work, so that one flooded compartment does not sink the ship."""

from enum import StrEnum

HIGH_PRIORITY_FROM = 7
"""Exports of this priority and above also ring `Queue.HIGH_PRIORITY`."""


class Queue(StrEnum):
    """Names of the Celery queues. A task row carries one of the first four.

    `HIGH_PRIORITY` holds bells only: a worker that consumes nothing else claims export rows with
    priority `HIGH_PRIORITY_FROM` and above, so that an operator can reserve capacity for them.
    """

    EXPORT = "export"
    EXPORT_PARTS = "export_parts"
    NOTIFICATION = "notification"
    CLEANUP = "cleanup"
    HIGH_PRIORITY = "high_priority"
