"""compose.yaml, as far as it can be judged without an engine; tests/e2e does the rest."""

import re
from typing import Any

import pytest

from services.notifier.settings import NotifierSettings
from tests.processes import ROOT
from tests.unit.deploy.manifests import documents, settings

(COMPOSE,) = documents(ROOT / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WORKERS = ("exporter", "notifier", "janitor")
OWN = {"BULKHEAD_TAG", "BULKHEAD_REVISION", "BULKHEAD_PORT"}
"""Variables of compose.yaml itself: images' tag and label, and the port on this machine."""
OF_CLIENTS = {"BULKHEAD_URL", "BULKHEAD_API_KEY"}


def seconds(text: str) -> float:
    """`30s` and `500ms` as a number."""
    found = re.fullmatch(r"(\d+)(ms|s)", text)
    assert found, text
    return int(found[1]) / (1000 if found[2] == "ms" else 1)


@pytest.mark.parametrize("service", SERVICES)
def test_settings_are_ones_that_there_are(service: str) -> None:
    names = {
        name for name in SERVICES[service].get("environment", {}) if name.startswith("BULKHEAD_")
    }
    assert names <= settings() | OF_CLIENTS


def test_variables_are_named_like_the_settings() -> None:
    used = set(re.findall(r"\$\{(BULKHEAD_\w+)", (ROOT / "compose.yaml").read_text()))
    assert used <= settings() | OF_CLIENTS | OWN


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_bounds_and_stays_on_this_machine(service: str) -> None:
    declared = SERVICES[service]
    assert declared["mem_limit"]
    assert declared["cap_drop"] == ["ALL"]
    assert declared["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in declared.get("ports", []))
    if service not in {"init", "admin"}:
        assert declared["restart"] == "unless-stopped"
        assert declared["healthcheck"]["test"]


@pytest.mark.parametrize("service", WORKERS)
def test_a_worker_has_the_time_to_hand_over(service: str) -> None:
    notifier = NotifierSettings()
    needed = notifier.shutdown_grace_seconds + notifier.effect_seconds + 20
    assert seconds(SERVICES[service]["stop_grace_period"]) >= needed


def test_a_probe_may_take_as_long_as_it_asks() -> None:
    from shared.health import CHECK_SECONDS
    from shared.probe import ANSWER_SECONDS

    assert ANSWER_SECONDS > CHECK_SECONDS
    for service in ("gateway", *WORKERS):
        assert seconds(SERVICES[service]["healthcheck"]["timeout"]) > 2 * ANSWER_SECONDS


def test_nothing_is_there_to_be_written_first() -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert "env_file" not in text
    assert not re.search(r"\$\{\w+:?\?", text), "a variable that must be set"
    assert set(COMPOSE["secrets"]) == {"pip_conf"}


def test_images_are_named_without_a_registry_of_ours() -> None:
    for declared in SERVICES.values():
        assert "/" not in declared["image"]
    assert not (ROOT / "services/Dockerfile").read_text().startswith("# syntax=")
