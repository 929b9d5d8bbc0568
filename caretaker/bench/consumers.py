"""Who is measured at one reading a message: Caretaker's ingest, and two clients that do nothing with what they get.

Each tells how many messages it has taken. Caretaker's count only once they are in the series store: journalled, judged
and stored. A client's count as soon as it received them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from caretaker.bench import site
from caretaker.bench.children import Child, module
from caretaker.bench.installation import Installation
from caretaker.bench.machine import program
from caretaker.bench.servers import START_SECONDS, wait_for
from caretaker.wiring import open_series
from domain.ports import SeriesStore


class Consumer(Protocol):
    """One that takes messages."""

    child: Child

    def taken(self) -> int:
        """How many messages it has taken since it began."""


class Stored:
    """Caretaker: a reading counts when the series store has it (one reading a message)."""

    def __init__(self, child: Child, series: SeriesStore) -> None:
        self.child, self._series = child, series

    def taken(self) -> int:
        """How many readings are stored."""
        return self._series.count(site.SITE)


class Counted:
    """A client that says how many it got: each line of its output counts for one, or gives the number so far."""

    def __init__(self, *, numbers: bool) -> None:
        self.child: Child
        self._numbers, self._taken, self._rest = numbers, 0, b""
        self.ready = not numbers

    def listen(self, chunk: bytes) -> None:
        """Take a piece of its output."""
        if not self._numbers:
            self._taken += chunk.count(b"\n")
            return
        self.ready = True
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if lines:
            self._taken = int(lines[-1])

    def taken(self) -> int:
        """How many messages it got."""
        return self._taken


@contextmanager
def caretaker(folder: Path, port: int, core: int, points: int, per_agent: int) -> Iterator[Consumer]:
    """Ingest with three rules per point, everything in SQLite."""
    installation = Installation(folder, port, "sqlite", points, per_agent, instant=False)
    series = open_series(installation.settings)
    try:
        with installation.running(core) as child:
            yield Stored(child, series)
    finally:
        series.close()
        installation.close()


@contextmanager
def paho(folder: Path, port: int, core: int) -> Iterator[Consumer]:
    """A stock paho subscriber with `loop_start`, QoS 1, that does nothing but count."""
    found = Counted(numbers=True)
    command = module("caretaker.bench.subscriber", str(port))
    with Child(command, core, folder / "paho.log", found.listen) as found.child:
        wait_for(lambda: found.ready, START_SECONDS, "paho has subscribed", found.child)
        yield found


@contextmanager
def mosquitto_sub(folder: Path, port: int, core: int) -> Iterator[Consumer]:
    """`mosquitto_sub -q 1`, printing one character per message."""
    found = Counted(numbers=False)
    command = [program("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", "caretaker/#", "-F", "x"]
    with Child(command, core, folder / "mosquitto_sub.log", found.listen) as found.child:
        yield found
