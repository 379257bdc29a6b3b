"""The Kubernetes manifests and compose.yaml, as data."""

from pathlib import Path
from typing import Any

import yaml

from cli.env_example import example
from tests.processes import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"


def documents(path: Path) -> list[dict[str, Any]]:
    """All documents of a file."""
    return [each for each in yaml.safe_load_all(path.read_text()) if each is not None]


def manifests() -> list[dict[str, Any]]:
    """All that is applied to a cluster."""
    (kustomization,) = documents(FOLDER / "kustomization.yaml")
    return [each for name in kustomization["resources"] for each in documents(FOLDER / name)]


def of_kind(kind: str) -> list[dict[str, Any]]:
    """All manifests of a kind."""
    return [each for each in manifests() if each["kind"] == kind]


def settings() -> set[str]:
    """Every variable that the services read, by name; a file's name counts too."""
    lines = [line[2:] for line in example().splitlines() if line.startswith("# BULKHEAD_")]
    names = {line.partition("=")[0] for line in lines}
    # The general form of a service's own setting holds for every service that has it.
    general = {
        f"BULKHEAD_{name.split('_', 2)[2]}"
        for name in names
        if name.split("_", 2)[1] in {"GATEWAY", "EXPORTER", "NOTIFIER", "JANITOR"}
    }
    return {form for name in names | general for form in (name, f"{name}_FILE")}
