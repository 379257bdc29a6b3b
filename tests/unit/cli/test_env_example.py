"""`.env.example` lists every setting, as the code has it."""

import pytest

from cli.env_example import SERVICES, example
from shared.settings import Settings
from tests.processes import ROOT


def test_it_is_what_the_settings_say() -> None:
    stored = (ROOT / ".env.example").read_text()
    assert stored == example() + "\n", "run: python -m cli.env_example > .env.example"


def test_every_setting_says_what_it_does() -> None:
    every: tuple[type[Settings], ...] = (Settings, *SERVICES)
    for settings in every:
        for name, field in settings.model_fields.items():
            assert field.description, f"{settings.__name__}.{name}"
            assert not field.is_required(), f"{settings.__name__}.{name} has no default"


@pytest.mark.parametrize("settings", SERVICES, ids=lambda each: each.service)
def test_what_it_lists_can_be_set(
    settings: type[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = settings()
    lines = [line[2:] for line in example().splitlines() if line.startswith("# BULKHEAD_")]
    names = [line.partition("=")[0] for line in lines]
    assert len(names) == len(set(names))
    for line in lines:
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)
    assert settings() == plain
