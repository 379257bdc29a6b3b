"""`.env.example` lists every setting, as the code has it."""

from cli.env_example import SERVICES, example
from shared.settings import Settings
from tests.processes import ROOT


def test_it_is_what_the_settings_say() -> None:
    stored = (ROOT / ".env.example").read_text()
    assert stored == example() + "\n", "run: python -m cli.env_example > .env.example"


def test_every_setting_says_what_it_does() -> None:
    classes: tuple[type[Settings], ...] = (Settings, *SERVICES)
    for settings in classes:
        for name, field in settings.model_fields.items():
            assert field.description, f"{settings.__name__}.{name}"
            assert not field.is_required(), f"{settings.__name__}.{name} has no default"
