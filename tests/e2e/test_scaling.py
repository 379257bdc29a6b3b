"""`--scale exporter=N`: a service grows, shrinks and goes away, and nothing else needs to know."""

from tests.e2e.compose import Container
from tests.e2e.conftest import Stack

BURST = 18


def tasks_of(container: Container) -> set[str]:
    """The tasks that a worker has begun."""
    return {each["task_id"] for each in container.log() if each["event"] == "task_started"}


def test_three_share_a_burst_and_nothing_else_changes(healthy: Stack) -> None:
    before = healthy.others("exporter")
    healthy.compose.scale("exporter", 3)
    exporters = healthy.compose.containers("exporter")
    assert [each.health for each in exporters] == ["healthy"] * 3
    assert healthy.others("exporter") == before
    month = {"start_date": "2024-03-01", "end_date": "2024-03-31"}
    tasks = {healthy.client.export(**month) for _ in range(BURST)}
    for task in healthy.client.completed(*tasks, seconds=180):
        assert task["attempt"] == 1
    shares = [tasks_of(each) & tasks for each in exporters]
    assert all(shares), [len(each) for each in shares]
    assert set.union(*shares) == tasks
    assert sum(map(len, shares)) == BURST
    healthy.compose.scale("exporter", 1)
    assert len(healthy.compose.containers("exporter")) == 1
    assert healthy.others("exporter") == before


def test_without_exporters_exports_wait_and_all_else_works(healthy: Stack) -> None:
    client = healthy.client
    before = healthy.others("exporter")
    healthy.compose.scale("exporter", 0)
    assert healthy.compose.containers("exporter") == []
    tasks = [client.export(export_format=each) for each in ("xlsx", "csv")]
    message = {"user_id": "user_009", "message": "all well", "notification_type": "inbox"}
    client.completed(client.submit("/api/notifications", message))
    client.completed(client.submit("/api/cleanup?days_old=7"))
    assert client.readiness()[0] == 200
    assert [client.task(each)["status"] for each in tasks] == ["pending"] * 2
    assert healthy.others("exporter") == before
    healthy.compose.scale("exporter", 1)
    for task in client.completed(*tasks):
        assert task["attempt"] == 1
    assert healthy.others("exporter") == before
