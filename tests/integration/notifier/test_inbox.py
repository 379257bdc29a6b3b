"""The inbox."""

from sqlalchemy import Engine

from shared.contracts.tasks import Channel
from shared.inbox import list_entries, mark_read
from tests.integration.notifier.conftest import Tell


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
