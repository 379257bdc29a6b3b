"""`.env.example` says what the settings' classes say, and every line of it can be read."""

import shlex
from pathlib import Path

import pytest

from cli.env_example import SERVICES, env_example
from shared.settings import Settings

FILE = Path(__file__).parents[3] / ".env.example"


def assignments() -> dict[str, str]:
    lines = [line for line in FILE.read_text().splitlines() if line.startswith("#BULKHEAD_")]
    named = [line[1:].partition("=") for line in lines]
    assert len({name for name, _, _ in named}) == len(lines)
    return {name: value for name, _, value in named}


def test_it_is_what_the_settings_say() -> None:
    assert FILE.read_text() == env_example(), "run: make env-example"


def test_every_setting_says_what_it_does() -> None:
    for settings in (Settings, *SERVICES):
        for name, field in settings.model_fields.items():
            assert field.description, f"{settings.__name__}.{name}"


@pytest.mark.parametrize("settings", SERVICES, ids=lambda each: each.service)
def test_the_defaults_are_the_defaults(
    settings: type[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = settings()
    for name, value in assignments().items():
        assert shlex.quote(value) in {value, "''"}, "a shell and compose read it alike"
        monkeypatch.setenv(name, value)
    assert settings() == plain
