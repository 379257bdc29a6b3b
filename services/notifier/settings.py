"""The notifier's settings."""

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from shared.settings import WorkerSettings


class NotifierSettings(WorkerSettings):
    """What the notifier needs beside the rest: `BULKHEAD_NOTIFIER_…`."""

    service: ClassVar[str] = "notifier"

    pool: Literal["prefork", "threads", "gevent", "solo"] = Field(
        default="threads", description="Celery's pool: threads, for the work is waiting for others."
    )
    concurrency: int = Field(default=10, ge=1, description="Tasks at once in one worker.")
    public_url: str = Field(
        default="http://127.0.0.1:8000",
        description="The gateway's address as users know it; links in notifications begin with it.",
    )
    smtp_host: str = Field(
        default="",
        description="Mail server; empty: each mail is an .eml file in mail/ of the data folder.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls, tls (from the first byte) or none."
    )
    smtp_username: str = Field(default="", description="Login; empty: none.")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="The login's password.")
    smtp_sender: str = Field(
        default="Bulkhead <bulkhead@localhost>", description="What mails are from."
    )
    smtp_timeout_seconds: float = Field(
        default=10, gt=0, description="How long the mail server may take to answer."
    )
    webhook_timeout_seconds: float = Field(
        default=10, gt=0, description="How long a webhook may take to answer."
    )
    allow_private_webhooks: bool = Field(
        default=False,
        description="Call webhooks on this machine and in private networks too; `up` allows them.",
    )

    @property
    def effect_seconds(self) -> float:
        """As long as the answer may take that says whether a notification was taken."""
        return max(self.smtp_timeout_seconds, self.webhook_timeout_seconds)
