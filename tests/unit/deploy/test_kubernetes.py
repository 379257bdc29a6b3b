"""The Kubernetes manifests: valid by the published schemas, and fitting to the services."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
from sqlalchemy import text

from services.notifier.settings import NotifierSettings
from shared.contracts.queues import Queue
from shared.contracts.tasks import CleanUp, WorkLogsExport
from shared.database import create_database_engine, read
from shared.errors import SourceUnavailableError
from shared.migrations import Schema, migrate
from shared.tasks.store import TaskStore
from tests.unit.deploy.manifests import FOLDER, documents, manifests, of_kind, settings

VERSION = "1.34"
"""Of Kubernetes: not the newest, for clusters are not."""
CUSTOM = {"ScaledObject", "TriggerAuthentication"}
"""KEDA's kinds, whose schemas are not published with Kubernetes' own."""
JANUARY = WorkLogsExport(start_date=date(2024, 1, 1), end_date=date(2024, 1, 31))
LIMITS = {WorkLogsExport.kind: WorkLogsExport.limits}
SERVICES = {"gateway", "exporter", "notifier", "janitor"}


def name(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


@pytest.mark.parametrize(
    "manifest", [each for each in manifests() if each["kind"] not in CUSTOM], ids=name
)
def test_a_manifest_is_valid(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, VERSION, strict=True)


def test_a_misspelt_field_would_be_found() -> None:
    (deployment,) = (each for each in of_kind("Deployment") if name(each).endswith("gateway"))
    deployment["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSION, strict=True)


def test_every_file_is_applied() -> None:
    (kustomization,) = documents(FOLDER / "kustomization.yaml")
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files
    named = {each["name"] for each in kustomization["images"]}
    assert named == {each["image"] for each in _containers()}
    assert not any(":" in each for each in named), "the tag stands in one place"


def test_a_deployment_of_each_service_with_probes_and_bounds() -> None:
    deployments = {each["metadata"]["name"]: each for each in of_kind("Deployment")}
    assert set(deployments) == SERVICES
    for service, deployment in deployments.items():
        spec = deployment["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        port = container["ports"][0]
        assert port["containerPort"] == (8000 if service == "gateway" else 8001)
        for probe, path in (("liveness", "/healthz"), ("readiness", "/readyz")):
            assert container[f"{probe}Probe"]["httpGet"] == {"path": path, "port": port["name"]}
        # Within which a service answers, whatever is away.
        assert container["readinessProbe"]["timeoutSeconds"] > 5
        assert spec["terminationGracePeriodSeconds"] >= 30
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_workers_have_the_time_to_hand_over() -> None:
    (configuration,) = of_kind("ConfigMap")
    grace = int(configuration["data"]["BULKHEAD_SHUTDOWN_GRACE_SECONDS"])
    for deployment in of_kind("Deployment"):
        if deployment["metadata"]["name"] != "gateway":
            spec = deployment["spec"]["template"]["spec"]
            needed = grace + NotifierSettings().effect_seconds + 20
            assert spec["terminationGracePeriodSeconds"] >= needed


def test_containers_are_confined() -> None:
    for pod in _pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["automountServiceAccountToken"] is False
    for container in _containers():
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"]["drop"] == ["ALL"]
        assert container["resources"]["limits"]["memory"]


def test_settings_are_ones_that_there_are() -> None:
    (configuration,) = of_kind("ConfigMap")
    own = {each["name"] for container in _containers() for each in container.get("env", [])}
    assert configuration["data"].keys() | own <= settings()


def test_secrets_are_files_of_one_secret() -> None:
    (configuration,) = of_kind("ConfigMap")
    assert not any(
        urlsplit(value).password for value in configuration["data"].values() if "://" in value
    )
    files = {each for key, each in configuration["data"].items() if key.endswith("_FILE")}
    for container, pod in zip(_containers(), _pods(), strict=True):
        mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        assert all(each.startswith(mounted["secrets"]) for each in files)
        (volume,) = (each for each in pod["volumes"] if each["name"] == "secrets")
        assert volume["secret"]["secretName"] == "bulkhead"


def test_exporters_are_scaled_by_rows_that_are_due_or_run(postgres_url: str) -> None:
    (scaled,) = of_kind("ScaledObject")
    assert scaled["spec"]["scaleTargetRef"] == {"name": "exporter"}
    assert scaled["spec"]["minReplicaCount"] < scaled["spec"]["maxReplicaCount"]
    (trigger,) = scaled["spec"]["triggers"]
    (authentication,) = of_kind("TriggerAuthentication")
    assert trigger["type"] == "postgresql"
    assert trigger["authenticationRef"] == {"name": authentication["metadata"]["name"]}
    engine = create_database_engine(postgres_url)
    migrate(engine, Schema.TASKS)
    store = TaskStore(engine, timedelta(seconds=300))

    def wanted() -> int:
        with read(engine) as connection:
            return int(connection.scalar(text(trigger["metadata"]["query"])) or 0)

    assert wanted() == 0
    first, _, third = [store.submit(JANUARY, owner="ann") for _ in range(3)]
    assert wanted() == 3
    claimed = store.claim(Queue.EXPORT, "host:1", LIMITS)
    assert claimed is not None
    assert claimed.task_id == first
    assert wanted() == 3
    store.retry(claimed, SourceUnavailableError(), timedelta(hours=1))  # not due before
    assert wanted() == 2
    store.cancel(third, "ann")
    assert wanted() == 1
    week = CleanUp(days_old=7, before=datetime(2024, 1, 1, tzinfo=UTC), owner="ann")
    store.submit(week, owner="ann")  # another queue's
    assert wanted() == 1
    engine.dispose()


def _pods() -> list[dict[str, Any]]:
    kinds = ("Deployment", "Job")
    return [each["spec"]["template"]["spec"] for kind in kinds for each in of_kind(kind)]


def _containers() -> list[dict[str, Any]]:
    return [container for pod in _pods() for container in pod["containers"]]
