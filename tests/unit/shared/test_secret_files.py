"""Settings from files: whose content counts, and what goes before it."""

import os
from pathlib import Path

import pytest

from cli.instance import Instance
from services.exporter.settings import ExporterSettings
from services.notifier.settings import NotifierSettings
from shared.settings import EX_CONFIG, Settings, read_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [each for each in os.environ if each.startswith("BULKHEAD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BULKHEAD_DATA_DIR", str(tmp_path / "data"))


def in_file(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, content: str) -> None:
    path = folder / name
    path.write_text(content)
    monkeypatch.setenv(f"BULKHEAD_{name}_FILE", str(path))


def test_a_file_holds_a_setting_without_the_line_feed_at_its_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_file(monkeypatch, tmp_path, "DATABASE_URL", "postgresql://a:pass wörd@host/name\n")
    in_file(monkeypatch, tmp_path, "NOTIFIER_SMTP_PASSWORD", "geheim\r\n")
    assert Settings().database_url == "postgresql://a:pass wörd@host/name"
    assert NotifierSettings().smtp_password.get_secret_value() == "geheim"


def test_a_variable_goes_before_its_file_and_a_services_own_before_the_general_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_file(monkeypatch, tmp_path, "TIMEZONE", "Europe/Berlin")
    assert ExporterSettings().timezone == "Europe/Berlin"
    monkeypatch.setenv("BULKHEAD_TIMEZONE", "")
    assert ExporterSettings().timezone == "Europe/Berlin"
    monkeypatch.setenv("BULKHEAD_TIMEZONE", "Europe/Paris")
    assert ExporterSettings().timezone == "Europe/Paris"
    in_file(monkeypatch, tmp_path, "EXPORTER_TIMEZONE", "Asia/Tokyo")
    assert ExporterSettings().timezone == "Asia/Tokyo"
    assert Settings().timezone == "Europe/Paris"


def test_an_empty_file_or_name_counts_as_not_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_file(monkeypatch, tmp_path, "TIMEZONE", "\n")
    monkeypatch.setenv("BULKHEAD_DATABASE_URL_FILE", "")
    assert Settings().timezone == "Asia/Shanghai"
    assert Settings().database_url.startswith("sqlite:///")


def test_a_file_that_is_not_needed_need_not_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKHEAD_REDIS_URL_FILE", "/nowhere")
    monkeypatch.setenv("BULKHEAD_REDIS_URL", "redis://elsewhere:6379/3")
    assert ExporterSettings().redis_url == "redis://elsewhere:6379/3"


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"\xff", "it is no UTF-8 text")]
)
def test_a_file_that_cannot_be_read_ends_the_process_and_is_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    reason: str,
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("BULKHEAD_REDIS_URL_FILE", str(path))
    with pytest.raises(SystemExit) as ended:
        read_settings(ExporterSettings)
    assert ended.value.code == EX_CONFIG
    said = capsys.readouterr().err
    assert said.startswith(f"BULKHEAD_REDIS_URL_FILE: cannot read {path}: {reason}")


def test_what_a_file_holds_is_checked_like_any_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_file(monkeypatch, tmp_path, "DATABASE_URL", "mysql://host/name")
    with pytest.raises(SystemExit):
        read_settings(Settings)
    assert "BULKHEAD_DATABASE_URL: use sqlite:///path" in capsys.readouterr().err


def test_a_broker_that_a_file_names_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_file(monkeypatch, tmp_path, "REDIS_URL", "redis://elsewhere:6379/3")
    instance = Instance.open(None)
    assert instance.redis_port is None
    assert instance.environment()["BULKHEAD_REDIS_URL"] == "redis://elsewhere:6379/3"
