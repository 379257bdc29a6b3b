"""Settings: where they come from, and what a bad one says."""

from pathlib import Path

import pytest

from services.exporter.settings import ExporterSettings
from shared.settings import EX_CONFIG, Settings, read_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in [each for each in os.environ if each.startswith("BULKHEAD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_lie_in_the_data_folder(tmp_path: Path) -> None:
    settings = Settings()
    assert settings.database_url == f"sqlite:///{tmp_path}/.bulkhead/bulkhead.sqlite3"
    assert settings.source_database_url == f"sqlite:///{tmp_path}/.bulkhead/source.sqlite3"
    assert settings.storage_url == f"file://{tmp_path}/.bulkhead/files"


def test_a_services_own_variable_goes_before_the_general_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BULKHEAD_LOG_LEVEL", "error")
    monkeypatch.setenv("BULKHEAD_EXPORTER_LOG_LEVEL", "debug")
    assert ExporterSettings().log_level == "debug"
    assert Settings().log_level == "error"


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKHEAD_TIMEZONE", "")
    monkeypatch.setenv("BULKHEAD_DATABASE_URL", "")
    settings = Settings()
    assert settings.timezone == "Asia/Shanghai"
    assert settings.database_url.startswith("sqlite:///")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("TIMEZONE", "Mars/Olympus", "no such time zone"),
        ("DATABASE_URL", "mysql://host/name", "use sqlite:///path or postgresql://"),
        ("DATABASE_URL", "nonsense", "use sqlite:///path or postgresql://"),
        ("LEASE_SECONDS", "0", "greater than or equal to 1"),
        ("LEASE_SECONDS", "12", "at most half of lease_seconds"),
        ("LOG_LEVEL", "loud", "Input should be"),
        ("EXPORTER_SOFT_LIMIT_SECONDS", "7200", "less than hard_limit_seconds"),
    ],
)
def test_a_bad_setting_ends_the_process_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    reason: str,
) -> None:
    monkeypatch.setenv(f"BULKHEAD_{name}", value)
    with pytest.raises(SystemExit) as ended:
        read_settings(ExporterSettings)
    assert ended.value.code == EX_CONFIG
    assert reason in capsys.readouterr().err
