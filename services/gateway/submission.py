"""Submitting a task: the row, the bell, and the answer that all submits give."""

from dataclasses import dataclass

from fastapi import Response

from services.gateway.answers import RETRY_SECONDS, Submitted, submitted
from services.gateway.clients import Clients
from shared.bell import queues_to_ring
from shared.contracts.languages import Language
from shared.contracts.tasks import DEFAULT_PRIORITY, TaskParameters
from shared.tasks.idempotency import IdempotencyKey


@dataclass(frozen=True)
class Submission:
    """A request to do something later."""

    owner: str
    clients: Clients
    language: Language
    idempotency: IdempotencyKey | None
    response: Response

    def submit(
        self, parameters: TaskParameters, message: str, priority: int = DEFAULT_PRIORITY
    ) -> Submitted:
        """Insert the task, ring for it, and answer.

        Raises:
            IdempotencyConflictError: the key came with another body.
        """
        task_id = self.clients.store.submit(
            parameters, owner=self.owner, priority=priority, idempotency=self.idempotency
        )
        # Only now that the row is committed. A broker that is away costs nothing: the janitor
        # rings for what waits.
        self.clients.bell.ring(*queues_to_ring(parameters.queue, priority))
        answer = submitted(task_id, message, self.language)
        self.response.headers["Location"] = answer.status_url
        self.response.headers["Retry-After"] = RETRY_SECONDS
        self.response.headers["Content-Language"] = self.language.value
        return answer
