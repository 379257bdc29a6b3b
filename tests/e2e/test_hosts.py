"""Two hosts: what they share are three addresses, and either does the other's work."""

from tests.e2e.compose import Compose, leftovers
from tests.e2e.conftest import Built, Stack

ADDRESSES = ("database_url", "source_database_url", "redis_url")


def test_a_second_host_does_what_the_first_has_no_worker_for(healthy: Stack, built: Built) -> None:
    first = healthy.compose
    gateway = first.container("gateway")
    addresses = {
        f"BULKHEAD_{name.upper()}": gateway.execute("cat", f"/run/bulkhead/{name}")
        for name in ADDRESSES
    }
    settings = {**built.settings, **addresses, "FIRST_HOST": first.project}
    second = Compose(
        f"{built.tag}-second", settings, ["compose.yaml", "tests/e2e/second_host.yaml"]
    )
    try:
        first.scale("exporter", 0)
        task_id = healthy.client.export()
        second.up("--no-deps", "exporter")
        (task,) = healthy.client.completed(task_id)
        assert healthy.client.download(task)
        # It has no secrets of the first one's: addresses alone have let it in.
        assert second.container("exporter").execute("ls", "/run/bulkhead") == ""
        assert second("ps", "--services").split() == ["exporter"]
    finally:
        second.remove()
        assert leftovers(second.project) == []
    assert first.container("gateway").id == gateway.id
