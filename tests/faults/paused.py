"""A real service that waits at one named point, once. `python -m tests.faults.paused` starts it.

The product has no hooks: this module replaces one method by itself with a pause in it, and then
runs the service's own `__main__`. Whoever comes to the point first, of all processes that share the
marker, writes its process id into it and waits; the test sees the marker and sends its signal. The
others go on, and so does the one that waits once the marker's `.go` is there.
"""

import os
import runpy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

THIRD = 3
"""The batch at which rows are on their way: some are done, some are not."""

Wait = Callable[[], None]


def wait_at(marker: Path) -> None:
    """Write the marker and wait, unless somebody has done so already."""
    note = marker.with_suffix(f".{os.getpid()}")
    note.write_text(str(os.getpid()))
    try:
        os.link(note, marker)  # whole or not at all, and once
    except FileExistsError:
        return
    finally:
        note.unlink()
    while not marker.with_suffix(".go").exists():
        time.sleep(0.02)


def at_call(number: int, wait: Wait) -> Wait:
    """Give a function that waits at its n-th call."""
    calls = 0

    def called() -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            wait()

    return called


def while_reading(wait: Wait) -> None:
    """Before the source gives its third batch."""
    from services.exporter.reader import Reader, Snapshot

    plain = Reader.open

    @contextmanager
    def open_(*arguments: Any) -> Iterator[Snapshot]:
        with plain(*arguments) as snapshot:
            count = at_call(THIRD, wait)

            def batches() -> Iterator[Any]:
                for batch in snapshot.batches:
                    count()
                    yield batch

            yield Snapshot(snapshot.total, batches())

    Reader.open = open_  # type: ignore[method-assign, assignment]


def while_writing(wait: Wait) -> None:
    """After the third batch was written, before anybody knows."""
    from services.exporter.formats.csv import Csv
    from services.exporter.formats.xlsx import Xlsx

    def replace(format_: Any) -> None:
        plain = format_.open

        @contextmanager
        def open_(*arguments: Any) -> Iterator[Callable[[Any], None]]:
            with plain(*arguments) as write:
                count = at_call(THIRD, wait)

                def written(batch: Any) -> None:
                    write(batch)
                    count()

                yield written

        format_.open = open_

    replace(Csv)
    replace(Xlsx)


def while_compressing(wait: Wait) -> None:
    """Inside the compressor of the sheet, after a batch of rows went in."""
    from isal import isal_zlib

    plain = isal_zlib.compressobj

    class Compressor:
        def __init__(self, *arguments: Any) -> None:
            self._plain = plain(*arguments)
            self._count = at_call(THIRD, wait)  # the sheet's head is the first call

        def compress(self, content: bytes) -> bytes:
            compressed: bytes = self._plain.compress(content)
            self._count()
            return compressed

        def flush(self) -> bytes:
            flushed: bytes = self._plain.flush()
            return flushed

    isal_zlib.compressobj = Compressor  # type: ignore[assignment]


def while_beating(wait: Wait) -> None:
    """In the middle of the watcher's transaction: it has written its row, and holds it locked."""
    import threading

    from sqlalchemy import Connection, Engine, event

    def stay() -> None:  # the export must not be over before
        while not Path(os.environ["PAUSED_MARKER"]).exists():
            time.sleep(0.02)

    def on_commit(_: Connection) -> None:
        if threading.current_thread().name.startswith("watch-"):
            wait()

    while_reading(stay)
    event.listen(Engine, "commit", on_commit)


def when_stored(wait: Wait) -> None:
    """After the work is done and its file is in storage, before the row says so."""
    from shared.tasks.outcomes import Completed, Recorder

    plain = Recorder.record

    @wraps(plain)
    def record(self: Recorder, claim: Any, outcome: Any) -> Any:
        if isinstance(outcome, Completed):
            wait()
        return plain(self, claim, outcome)

    Recorder.record = record  # type: ignore[method-assign]


def when_recorded(wait: Wait) -> None:
    """After the row says that it is done, before anybody is rung for what follows."""
    from shared.tasks.outcomes import Completed, Recorder

    plain = Recorder.record

    @wraps(plain)
    def record(self: Recorder, claim: Any, outcome: Any) -> Any:
        recorded = plain(self, claim, outcome)
        if isinstance(outcome, Completed):
            wait()
        return recorded

    Recorder.record = record  # type: ignore[method-assign]


def before_ringing(wait: Wait) -> None:
    """After the gateway's commit, before its bell."""
    from shared.bell import Bell

    plain = Bell.ring

    @wraps(plain)
    def ring(self: Bell, *queues: Any) -> bool:
        wait()
        return plain(self, *queues)

    Bell.ring = ring  # type: ignore[method-assign]


def when_recovered(wait: Wait) -> None:
    """After the sweep took lapsed leases back, before it rings for them."""
    from shared.tasks.store import TaskStore

    plain = TaskStore.recover_lapsed

    @wraps(plain)
    def recover(self: TaskStore, max_losses: int) -> Any:
        recovered = plain(self, max_losses)
        if recovered:
            wait()
        return recovered

    TaskStore.recover_lapsed = recover  # type: ignore[method-assign]


POINTS: dict[str, Callable[[Wait], None]] = {
    "reading": while_reading,
    "writing": while_writing,
    "compressing": while_compressing,
    "beating": while_beating,
    "stored": when_stored,
    "recorded": when_recorded,
    "committed": before_ringing,
    "recovered": when_recovered,
}


def shorten_visibility(seconds: float) -> None:
    """Have the broker's client give unacknowledged bells out anew after so long."""
    from services.exporter.worker import app

    app.conf.broker_transport_options = {
        **app.conf.broker_transport_options,
        "visibility_timeout": seconds,
        # By default it looks every 100 seconds only.
        "unacked_restore_interval": seconds,
        "unacked_restore_throttle": 1,
    }


def main() -> None:
    """Run the service that the environment names, with its pause."""
    marker = Path(os.environ["PAUSED_MARKER"])
    POINTS[os.environ["PAUSED_AT"]](lambda: wait_at(marker))
    with suppress(KeyError):
        shorten_visibility(float(os.environ["PAUSED_VISIBILITY_SECONDS"]))
    runpy.run_module(f"services.{os.environ['PAUSED_SERVICE']}", run_name="__main__")


if __name__ == "__main__":
    main()
