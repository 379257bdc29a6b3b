"""What a notification says: templates in each language; a user's wording is never markup."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.contracts.languages import Language
from shared.contracts.tasks import Template
from shared.messages import say

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Wording:
    """A notification in words: one line, plain text, and the same as HTML."""

    subject: str
    text: str
    html: str


class Writer:
    """Writes notifications.

    Args:
        public_url: links begin with it.
        retention_days: how long a file stays.
    """

    def __init__(self, public_url: str, retention_days: int) -> None:
        loader = FileSystemLoader(TEMPLATES)
        self._plain = Environment(loader=loader, undefined=StrictUndefined, autoescape=False)  # noqa: S701  (plain text)
        self._markup = Environment(loader=loader, undefined=StrictUndefined, autoescape=True)
        self._public_url = public_url.rstrip("/")
        self._retention_days = retention_days

    def write(self, template: Template, facts: dict[str, Any], language: Language) -> Wording:
        """Put facts into words."""
        link = ""
        if template is Template.EXPORT_FINISHED:
            link = f"{self._public_url}/api/download/{facts['file_name']}"
        reason = ""
        if template is Template.EXPORT_FAILED:
            reason = say(facts["error_code"], language, facts.get("error_arguments"))
        source = self._plain.get_template(f"{template.value}.{language.value}.txt")
        whole = source.render(
            **facts, link=link, reason=reason, retention_days=self._retention_days
        )
        subject, _, text = whole.partition("\n")
        html = self._markup.get_template("mail.html").render(
            subject=subject, paragraphs=text.strip().split("\n"), link=link, language=language.value
        )
        return Wording(subject.strip(), text.strip("\n"), html)
