"""`bulkhead export`, `keys` and `demo` against an instance that runs."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.client import Gateway
from cli.download import download
from cli.errors import CliError
from tests.integration.cli.commands import UpProcess, bulkhead
from tests.integration.cli.relay import Relay
from tests.servers import free_port

JANUARY = ("--from", "2024-01-01", "--to", "2024-01-31")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpProcess]:
    """One instance with sample data for the tests of this module."""
    data_dir = tmp_path_factory.mktemp("export") / "data"
    assert bulkhead("sample-data", "--rows", "5000", "--data-dir", data_dir).returncode == 0
    up = UpProcess(data_dir, free_port())
    yield up.wait_until_ready()
    up.stop()
    up.kill()


def test_it_downloads_and_verifies_and_prints_the_path(up: UpProcess, tmp_path: Path) -> None:
    done = bulkhead("export", "work-logs", *JANUARY, "--url", up.url, "-o", tmp_path / "new")
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.parent == tmp_path / "new"
    assert path.stat().st_size > 0
    assert "SHA-256 verified" in done.stderr
    assert "100%" in done.stderr
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_json_is_for_scripts(up: UpProcess, tmp_path: Path) -> None:
    done = bulkhead(
        "export", "work-logs", *JANUARY, "--employee", "emp_001", "--employee", "emp_002",
        "--format", "csv", "--json", "-o", tmp_path, BULKHEAD_URL=up.url,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    content = Path(facts["path"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == facts["sha256"]
    assert len(content.splitlines()) == facts["records_count"] + 1


def test_the_exit_status_tells_what_went_wrong(up: UpProcess, tmp_path: Path) -> None:
    backwards = bulkhead("export", "work-logs", "--from", "2024-02-01", "--to", "2024-01-01",
                         "--url", up.url, "-o", tmp_path)  # fmt: skip
    assert backwards.returncode == 2
    assert "end_date" in backwards.stderr
    nobody = bulkhead("export", "work-logs", *JANUARY, "--url", f"http://127.0.0.1:{free_port()}",
                      "-o", tmp_path)  # fmt: skip
    assert nobody.returncode == 3
    assert "bulkhead up" in nobody.stderr
    unknown = bulkhead("export", "work-logs", *JANUARY, "--format", "pdf")
    assert unknown.returncode == 2
    for each in (backwards, nobody, unknown):
        assert "Traceback" not in each.stderr
        assert each.stdout == ""


def test_a_content_that_is_another_is_not_kept(up: UpProcess, tmp_path: Path) -> None:
    done = bulkhead("export", "work-logs", *JANUARY, "--url", up.url, "-o", tmp_path, "--json")
    name = json.loads(done.stdout)["file_name"]
    target = tmp_path / "again.xlsx"
    with (
        Gateway(up.url, "", "en") as gateway,
        pytest.raises(CliError, match="not what was exported"),
    ):
        download(gateway, name, target, "0" * 64, lambda _: None)
    assert not target.exists()
    assert not target.with_name("again.xlsx.part").exists()


def test_a_download_is_taken_up_where_it_broke(up: UpProcess, tmp_path: Path) -> None:
    done = bulkhead("export", "work-logs", "--from", "2024-01-01", "--to", "2024-12-31",
                    "--url", up.url, "-o", tmp_path, "--json")  # fmt: skip
    facts = json.loads(done.stdout)
    assert facts["size"] > 300_000
    relay = Relay(up.url)
    relay.cut_answers_after(100_000, 50_000, 0)
    target = tmp_path / "again.xlsx"
    reported: list[int] = []
    with Gateway(relay.url, "", "en") as gateway:
        download(gateway, facts["file_name"], target, facts["sha256"], reported.append)
    relay.close()
    assert relay.cuts == 3
    assert reported == sorted(reported)
    assert target.read_bytes() == Path(facts["path"]).read_bytes()
    assert not target.with_name("again.xlsx.part").exists()


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    folder = ("--data-dir", tmp_path / "data")
    made = bulkhead("keys", "create", "crm", "--owner", "ann", "--json", *folder)
    key = json.loads(made.stdout)
    assert (key["name"], key["owner"]) == ("crm", "ann")
    listed = bulkhead("keys", "list", "--json", *folder)
    assert key["key"] not in listed.stdout
    assert [each["id"] for each in json.loads(listed.stdout)] == [key["id"]]
    assert "is revoked" in bulkhead("keys", "revoke", key["id"], *folder).stdout
    again = bulkhead("keys", "revoke", key["id"], *folder)
    assert again.returncode == 1
    assert "no key" in again.stderr
    assert "bhk_" in bulkhead("keys", "create", "other", *folder).stdout


def test_the_demo_ends_with_the_path_of_a_month(up: UpProcess, tmp_path: Path) -> None:
    taken = ("demo", "--data-dir", tmp_path / "data", "--port", up.url.rpartition(":")[2])
    refused = bulkhead(*taken)
    assert refused.returncode == 1
    assert "make demo" in refused.stderr
    done = bulkhead(*taken, "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    path = Path(done.stdout.splitlines()[-1])
    assert path.name.startswith("work_logs_2024-01-01_2024-01-31_")
    assert path.suffix == ".xlsx"
    assert path.is_file()
