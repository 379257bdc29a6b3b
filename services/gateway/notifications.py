"""Notifications: tell a user something, where users are reached, and their inboxes."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, field_validator

from services.gateway.answers import Submitted, local_text
from services.gateway.clients import ClientsOf, LanguageOf
from services.gateway.cursors import after_task as after_entry
from services.gateway.cursors import read_task
from services.gateway.exports import Cursor, Limit
from services.gateway.idempotency import Idempotency
from services.gateway.paths import USER_ID
from services.gateway.principal import Owner
from services.gateway.problems import ProblemError
from services.gateway.requests import UserId
from services.gateway.submission import Submission
from services.gateway.validation import invalid
from shared.contracts.tasks import Channel, Notification, Template
from shared.inbox import list_entries, mark_read
from shared.recipients import Recipient, load_recipient, remove_recipient, save_recipient

LONGEST_MESSAGE = 10_000
LONGEST_URL = 2_000

router = APIRouter(prefix="/api", tags=["notifications"])

UserIdInPath = Annotated[UserId, Path(description="The application's name for the user.")]


class NotificationRequest(BaseModel):
    """The body of `POST /api/notifications`."""

    user_id: UserId
    message: str = Field(description=f"1 to {LONGEST_MESSAGE} characters.")
    notification_type: Channel = Field(default=Channel.EMAIL, description="How to tell it.")

    @field_validator("message", mode="before")
    @classmethod
    def _message(cls, value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_MESSAGE:
            raise invalid("message_malformed", longest=LONGEST_MESSAGE)
        if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
            raise invalid("message_malformed", longest=LONGEST_MESSAGE)
        return value


class RecipientRequest(BaseModel):
    """The body of `PUT /api/recipients/{user_id}`; either address may be null or left out."""

    email: str | None = None
    webhook_url: str | None = None

    @field_validator("email", mode="before")
    @classmethod
    def _email(cls, value: Any) -> str | None:
        if value is None:
            return None
        try:
            return validate_email(str(value), check_deliverability=False).normalized
        except EmailNotValidError as error:
            raise invalid("address_malformed", reason=str(error)) from error

    @field_validator("webhook_url", mode="before")
    @classmethod
    def _webhook_url(cls, value: Any) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value if isinstance(value, str) else "")
            good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or len(value) > LONGEST_URL or not value.isprintable() or " " in value:
            raise invalid("url_malformed", longest=LONGEST_URL)
        return str(value)


class RecipientAnswer(BaseModel):
    """Where a user is reached. `webhook_secret` verifies the signature of webhook calls."""

    user_id: str
    email: str | None
    webhook_url: str | None
    webhook_secret: str | None


class EntryAnswer(BaseModel):
    """One entry of an inbox."""

    id: str
    subject: str
    message: str
    created_at: str
    read: bool


class InboxAnswer(BaseModel):
    """A user's inbox, newest first; `unread` counts all entries, not only this page's."""

    unread: int
    entries: list[EntryAnswer]
    next_cursor: str | None = None


class ReadRequest(BaseModel):
    """The body of `POST /api/inbox/{user_id}/read`; without ids all entries are meant."""

    ids: list[Annotated[str, Field(pattern="^[0-9a-f]{32}$")]] | None = Field(
        default=None, max_length=1000
    )


class ReadAnswer(BaseModel):
    """How many entries were unread until now."""

    marked: int


@router.post("/notifications", status_code=202)
def submit_notification(
    body: NotificationRequest,
    response: Response,
    owner: Owner,
    clients: ClientsOf,
    language: LanguageOf,
    idempotency: Idempotency,
) -> Submitted:
    """Tell a user something; the task says how it ended."""
    parameters = Notification(
        user_id=body.user_id,
        channel=body.notification_type,
        template=Template.MESSAGE,
        facts={"text": body.message},
        language=language,
    )
    submission = Submission(owner, clients, language, idempotency, response)
    return submission.submit(parameters, "notification_submitted")


@router.put(f"/recipients/{USER_ID}")
def put_recipient(
    user_id: UserIdInPath, body: RecipientRequest, owner: Owner, clients: ClientsOf
) -> RecipientAnswer:
    """Register where a user is reached; what was registered before is replaced."""
    saved = save_recipient(
        clients.engine, owner, user_id, email=body.email, webhook_url=body.webhook_url
    )
    return _answer(saved)


@router.get(f"/recipients/{USER_ID}")
def get_recipient(user_id: UserIdInPath, owner: Owner, clients: ClientsOf) -> RecipientAnswer:
    """Say where a user is reached."""
    found = load_recipient(clients.engine, owner, user_id)
    if found is None:
        raise _not_registered(user_id)
    return _answer(found)


@router.delete(f"/recipients/{USER_ID}", status_code=204)
def delete_recipient(user_id: UserIdInPath, owner: Owner, clients: ClientsOf) -> None:
    """Forget where a user is reached."""
    if not remove_recipient(clients.engine, owner, user_id):
        raise _not_registered(user_id)


@router.get(f"/inbox/{USER_ID}")
def get_inbox(
    user_id: UserIdInPath,
    owner: Owner,
    clients: ClientsOf,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> InboxAnswer:
    """Show a user's inbox, newest first."""
    before = read_task(cursor)
    entries, unread = list_entries(clients.engine, owner, user_id, limit=limit + 1, before=before)
    page = entries[:limit]
    zone = clients.settings.zone
    return InboxAnswer(
        unread=unread,
        entries=[
            EntryAnswer(
                id=entry.id,
                subject=entry.subject,
                message=entry.message,
                created_at=local_text(entry.created_at, zone),
                read=entry.read_at is not None,
            )
            for entry in page
        ],
        next_cursor=after_entry(page[-1].id) if len(entries) > limit else None,
    )


@router.post(f"/inbox/{USER_ID}/read")
def read_inbox(
    user_id: UserIdInPath,
    owner: Owner,
    clients: ClientsOf,
    idempotency: Idempotency,
    body: ReadRequest | None = None,
) -> ReadAnswer:
    """Mark entries as read; repeated under the same `Idempotency-Key` it marks nothing more."""
    ids = body.ids if body else None
    return ReadAnswer(marked=mark_read(clients.engine, owner, user_id, ids, idempotency))


def _answer(recipient: Recipient) -> RecipientAnswer:
    return RecipientAnswer(
        user_id=recipient.user_id,
        email=recipient.email,
        webhook_url=recipient.webhook_url,
        webhook_secret=recipient.webhook_secret if recipient.webhook_url else None,
    )


def _not_registered(user_id: str) -> ProblemError:
    return ProblemError(404, "recipient_not_registered", arguments={"user_id": user_id})
