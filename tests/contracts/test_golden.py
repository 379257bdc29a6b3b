"""Parameters that were ever written on a row can be read by this release.

`golden/` holds one example of every version, as `<kind>.<number>.json`; it is only added to.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.queues import Queue
from shared.contracts.tasks import KINDS

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_what_was_written_is_read_and_written_alike(path: Path) -> None:
    kind = path.name.removesuffix(".json").rpartition(".")[0]
    stored = json.loads(path.read_text())
    written = KINDS[kind].model_validate(stored).model_dump(mode="json")
    assert {name: written[name] for name in stored} == stored


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_example_and_a_queue(kind: str) -> None:
    assert any(path.name.startswith(f"{kind}.") for path in GOLDEN)
    assert isinstance(KINDS[kind].queue, Queue)
    assert KINDS[kind].queue is not Queue.HIGH_PRIORITY
    assert KINDS[kind].limits.soft < KINDS[kind].limits.hard


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_from_the_future_is_ignored(kind: str) -> None:
    example: dict[str, Any] = next(
        json.loads(path.read_text()) for path in GOLDEN if path.name.startswith(f"{kind}.")
    )
    KINDS[kind].model_validate({**example, "from_the_future": 1})
