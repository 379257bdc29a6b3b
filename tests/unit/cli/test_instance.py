"""A data folder: whose it is, and the broker's port that is chosen once."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.errors import CliError
from cli.instance import Instance, check_port
from cli.ports import free_port, is_free


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    """The environment says which folder, and nothing else."""
    for name in os.environ:
        if name.startswith("BULKHEAD_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BULKHEAD_DATA_DIR", str(data_dir))


def test_the_brokers_port_is_kept() -> None:
    first = Instance.open(None)
    assert Instance.open(None) == first
    assert first.with_free_port() == first
    assert first.environment()["BULKHEAD_REDIS_URL"] == f"redis://127.0.0.1:{first.redis_port}/0"


def test_a_port_that_is_taken_is_given_up_for_another() -> None:
    first = Instance.open(None)
    assert first.redis_port is not None
    with socket.create_server(("127.0.0.1", first.redis_port)):
        second = first.with_free_port()
    assert second.redis_port != first.redis_port
    assert Instance.open(None) == second


def test_two_at_once_choose_one_port() -> None:
    one = Instance.open(None)
    (one.settings.data_dir / "instance.json").unlink()
    from cli.instance import _choose_port

    with ThreadPoolExecutor(8) as pool:
        ports = list(pool.map(_choose_port, [one.settings.data_dir] * 32))
    assert len(set(ports)) == 1


def test_a_broker_that_the_environment_names_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BULKHEAD_REDIS_URL", "redis://elsewhere:6379/3")
    instance = Instance.open(None)
    assert instance.redis_port is None
    assert instance.environment()["BULKHEAD_REDIS_URL"] == "redis://elsewhere:6379/3"


def test_a_folder_belongs_to_one() -> None:
    instance = Instance.open(None)
    with (
        instance.locked("http://here"),
        pytest.raises(CliError, match=f"process {os.getpid()}, http://here"),
        instance.locked("http://there"),
    ):
        pass
    with instance.locked("http://there"):
        pass


def test_a_port_in_use_is_said_with_one_that_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(CliError, match=f"Port {port} of 127.0.0.1 is in use"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", free_port())
