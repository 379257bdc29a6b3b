"""One process of `up`: its lines, its end, its next start."""

import os
import sys
import time
from collections.abc import Callable

import pytest

from cli.child import LONGEST_BACK_OFF, Child
from tests.servers import wait_until

Lines = list[tuple[str, str]]


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def make(lines: Lines) -> Callable[[str], Child]:
    def make_one(script: str) -> Child:
        command = [sys.executable, "-c", script]
        return Child("it", command, dict(os.environ), lambda *line: lines.append(line))

    return make_one


def end(child: Child) -> int | None:
    return wait_until(child.crashed, seconds=20, what="it ends")


def test_its_lines_are_shown_and_its_last_words_kept(
    make: Callable[[str], Child], lines: Lines
) -> None:
    child = make("import sys; print('一'); print('two', file=sys.stderr); print(); sys.exit(3)")
    child.start()
    assert end(child) == 3
    assert sorted(lines) == [("it", ""), ("it", "two"), ("it", "一")]
    assert child.last_words in {"two", "一"}
    assert child.crashed() is None, "it is told once"


def test_it_starts_again_when_that_is_due(
    make: Callable[[str], Child], lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.child.FIRST_BACK_OFF", 0.1)
    child = make("import sys; print('here'); sys.exit(1)")
    child._back_off = 0.1
    child.start()
    end(child)
    child.back_off()
    child.start_if_due()
    assert child.crashed() is None
    assert len(lines) == 1

    def is_back() -> bool:
        child.start_if_due()
        return len(lines) == 2

    wait_until(is_back, seconds=20, what="it is back")
    end(child)


def test_it_waits_twice_as_long_each_time_unless_it_was_steady(
    make: Callable[[str], Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    child = make("import sys; sys.exit(1)")
    child.start()
    end(child)
    assert [child.back_off() for _ in range(7)] == [1, 2, 4, 8, 16, 30, LONGEST_BACK_OFF]
    monkeypatch.setattr("cli.child.STEADY_SECONDS", 0)
    assert child.back_off() == 1


def test_waiting_for_one_that_goes_on_ends_in_time(make: Callable[[str], Child]) -> None:
    import signal

    child = make("import time; print('on', flush=True); time.sleep(60)")
    child.start()
    assert not child.wait(time.monotonic() + 0.05)
    child.signal(signal.SIGKILL)
    assert child.wait(time.monotonic() + 20)
