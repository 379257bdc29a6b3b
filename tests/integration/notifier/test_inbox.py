"""The inbox, and what all channels have in common."""

import pytest
from sqlalchemy import Engine

from services.notifier.channels import build_channels
from services.notifier.settings import NotifierSettings
from services.notifier.wording import TEMPLATES, Writer
from shared.contracts.languages import Language
from shared.contracts.tasks import Channel, Template
from shared.inbox import list_entries, mark_read
from tests.integration.notifier.conftest import Tell

FACTS: dict[Template, dict[str, object]] = {
    Template.MESSAGE: {"text": "hello"},
    Template.EXPORT_FINISHED: {
        "file_name": "f.xlsx", "records_count": 1, "start_date": "2024-01-01",
        "end_date": "2024-01-02", "size": 3,
    },
    Template.EXPORT_FAILED: {
        "start_date": "2024-01-01", "end_date": "2024-01-02", "error_code": "worker_lost",
        "error_arguments": {"losses": 3},
    },
}  # fmt: skip


def test_an_entry_is_kept_once_however_often_it_is_delivered(
    tell: Tell, task_engine: Engine
) -> None:
    for attempt in (1, 2):
        tell(Channel.INBOX, text="<b>hello</b>", attempt=attempt)
    tell(Channel.INBOX, text="second", task_id="f" * 32)
    tell(Channel.INBOX, text="other", user_id="user_002", task_id="e" * 32)
    entries, unread = list_entries(task_engine, "ann", "user_001", limit=10)
    assert [entry.message for entry in entries] == ["second", "<b>hello</b>"]
    assert unread == 2
    assert mark_read(task_engine, "ann", "user_001", [entries[0].id]) == 1
    assert mark_read(task_engine, "bob", "user_001", None) == 0
    assert list_entries(task_engine, "ann", "user_001", limit=10)[1] == 1
    assert mark_read(task_engine, "ann", "user_001", None) == 1
    assert list_entries(task_engine, "bob", "user_001", limit=10) == ([], 0)


def test_every_channel_that_can_be_asked_for_is_there(task_engine: Engine) -> None:
    assert set(build_channels(NotifierSettings(), task_engine)) == set(Channel)


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize("language", Language)
def test_every_template_is_there_in_every_language(template: Template, language: Language) -> None:
    wording = Writer("https://b.example", 7).write(template, FACTS[template], language)
    assert wording.subject
    assert "\n" not in wording.subject
    assert wording.text.strip()
    assert "{" not in wording.text
    assert wording.subject.isascii() is (language is Language.ENGLISH)
    assert f'lang="{language.value}"' in wording.html


def test_no_template_is_left_over() -> None:
    names = {f"{each.value}.{language.value}.txt" for each in Template for language in Language}
    assert {path.name for path in TEMPLATES.iterdir()} == {*names, "mail.html"}
