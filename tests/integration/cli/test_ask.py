"""Commands that ask a gateway, against an instance that runs."""

import json
from collections.abc import Iterator

import pytest

from tests.integration.cli.commands import UpProcess, bulkhead
from tests.servers import free_port


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpProcess]:
    """One instance with sample data for the tests of this module."""
    data_dir = tmp_path_factory.mktemp("ask") / "data"
    assert bulkhead("sample-data", "--rows", "1000", "--data-dir", data_dir).returncode == 0
    up = UpProcess(data_dir, free_port())
    try:
        yield up.wait_until_ready()
    finally:
        up.stop()


def test_the_documented_user_is_told(up: UpProcess) -> None:
    told = bulkhead("notify", "user_001", "您的报表已生成", BULKHEAD_URL=up.url)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("Delivered to u***@example.com by email")
    (mail,) = (up.data_dir / "mail").glob("*.eml")
    assert mail.stat().st_size > 0
    inbox = bulkhead("notify", "anyone", "x", "--channel", "inbox", "--json", BULKHEAD_URL=up.url)
    assert json.loads(inbox.stdout)["result"]["channel"] == "inbox"


def test_somebody_unknown_is_a_failure_that_says_what_to_do(up: UpProcess) -> None:
    failed = bulkhead("notify", "nobody", "x", "--url", up.url)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "PUT /api/recipients/nobody" in failed.stderr


def test_recipients_are_set_shown_and_removed(up: UpProcess) -> None:
    saved = bulkhead(
        "recipients", "set", "a/b", "--webhook-url", "https://x.example/h", "--json",
        "--url", up.url,
    )  # fmt: skip
    assert json.loads(saved.stdout)["webhook_secret"].startswith("whsec_")
    shown = bulkhead("recipients", "show", "ann", "--url", up.url)
    assert shown.returncode == 1
    bulkhead("recipients", "set", "ann", "--email", "ann@example.org", "--url", up.url)
    shown = bulkhead("recipients", "show", "ann", "--url", up.url)
    assert shown.stdout == "user_id: ann\nemail: ann@example.org\n"
    assert bulkhead("recipients", "remove", "ann", "--url", up.url).returncode == 0
    gone = bulkhead("recipients", "remove", "ann", "--url", up.url)
    assert (gone.returncode, gone.stdout) == (1, "")
    bad = bulkhead("recipients", "set", "ann", "--email", "no address", "--url", up.url)
    assert bad.returncode == 2
    assert "email" in bad.stderr


def test_tasks_are_listed_and_cancelled(up: UpProcess) -> None:
    bulkhead("notify", "user_001", "x", "--channel", "inbox", "--url", up.url)
    listed = json.loads(bulkhead("tasks", "--limit", "1", "--json", "--url", up.url).stdout)
    (task,) = listed["tasks"]
    assert task["kind"] == "notification"
    assert "notification" in bulkhead("tasks", "--status", "completed", "--url", up.url).stdout
    over = bulkhead("cancel", task["task_id"], "--url", up.url)
    assert over.returncode == 1
    assert "over" in over.stderr
    unknown = bulkhead("cancel", "../x", "--url", up.url)
    assert unknown.returncode == 1


def test_a_clean_up_says_what_it_removed(up: UpProcess) -> None:
    bulkhead(
        "export", "work-logs", "--from", "2024-01-01", "--to", "2024-01-31", "--url", up.url,
        "-o", up.data_dir / "out",
    )  # fmt: skip
    done = bulkhead("cleanup", "--days-old", "0", "--url", up.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 files removed, ")
    again = bulkhead("cleanup", "--days-old", "0", "--json", "--url", up.url)
    assert json.loads(again.stdout)["result"]["deleted_count"] == 0


def test_the_schedule_shows_the_nightly_clean_up(up: UpProcess) -> None:
    (schedule,) = json.loads(
        bulkhead("schedule", "list", "--json", "--data-dir", up.data_dir).stdout
    )
    assert (schedule["name"], schedule["cron"]) == ("clean_up", "30 3 * * *")
    assert "clean_up" in bulkhead("schedule", "list", "--data-dir", up.data_dir).stdout
