"""One write on its way to InfluxDB while the next one is prepared: the server works and we do not wait for it.

At most one is on its way, and it has landed before anything is asked of the server, so that every answer and every
later write sees it. Decides nothing about readings. For one thread at a time.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from store.influx.connection import Connection, Refused

Landed = Callable[[list[Refused]], None]


class Flight:
    """Writes over `connection`, one after the other, in a thread of its own that begins with the first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._thread: ThreadPoolExecutor | None = None
        self._on_its_way: tuple[Future[list[Refused]], Landed] | None = None

    def begin(self, lines: Sequence[str], landed: Landed) -> None:
        """Send the lines, after what was sent before; `landed` is told which the server refused, once it is known."""
        self.land()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "influxdb write")
        self._on_its_way = self._thread.submit(self._connection.write, lines), landed

    def land(self) -> None:
        """Wait for what is on its way; raises what the write raised."""
        if self._on_its_way is not None:
            (writing, landed), self._on_its_way = self._on_its_way, None
            landed(writing.result())

    def abandon(self) -> None:
        """Wait for what is on its way, whatever becomes of it."""
        if self._on_its_way is not None:
            (writing, _), self._on_its_way = self._on_its_way, None
            writing.exception()

    def close(self) -> None:
        """End the thread."""
        self.abandon()
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
