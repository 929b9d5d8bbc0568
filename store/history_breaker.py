"""Keeps a store of readings that is away from holding up the judgement of late data.

The engine asks for history inside of ingest's own path, where every second counts: a server that does not answer would
cost its whole timeout for each late reading. After a failure nothing is asked for a while; the engine takes what it has
(and says what it could not judge).
"""

from collections.abc import Callable

from domain.errors import StoreUnavailableError
from domain.ports import History
from domain.records import Series

REST_SECONDS = 30.0


class HistoryBreaker:
    """`domain.ports.History` that asks `history`, and rests after a failure. `monotonic` gives seconds."""

    def __init__(self, history: History, monotonic: Callable[[], float]) -> None:
        self._history, self._monotonic = history, monotonic
        self._rest_until: float | None = None

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        """As the history behind it. StoreUnavailableError, at once, while it rests."""
        now = self._monotonic()
        if self._rest_until is not None and now < self._rest_until:
            raise StoreUnavailableError("the store of readings failed a moment ago; it is asked again later")
        try:
            found = self._history.read(site, point, start, end, limit)
        except Exception:
            self._rest_until = self._monotonic() + REST_SECONDS
            raise
        self._rest_until = None
        return found
