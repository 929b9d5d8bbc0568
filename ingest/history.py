"""The history for judging late readings: the series store, but only while it has nearly all that the journal has.

A store that is behind answers at once and lacks what the journal still holds for it. To judge the past by that would
take what is missing for silence. So it counts as away until what it lacks of a point is surely in the engine's own
memory of that point; the engine asks again, and keeps late readings long enough to bridge the wait. Reads no clock.
"""

from collections import Counter

import numpy as np

from domain.batch import ReadingBatch
from domain.errors import StoreUnavailableError
from domain.ports import History, Ledger
from domain.records import Series
from domain.times import SECOND
from ingest.series_writer import CURSOR

MOST_BEHIND = 10 * SECOND  # of the journal
MOST_WAITING = 500  # entries of the journal; what waits beyond is not looked at: the store is away
MOST_OF_A_POINT = 32  # readings that wait; the engine remembers at least twice as many of every point


class CurrentHistory:
    """Meets `domain.ports.History`."""

    def __init__(self, history: History, ledger: Ledger) -> None:
        self._history, self._ledger = history, ledger
        self._counted: tuple[str, int, int] = ("", -1, -1)
        self._waiting: Counter[str] = Counter()

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        """As the history behind it. StoreUnavailableError while too much of the journal is not in it."""
        waiting = self._count(site)[point]
        if waiting > MOST_OF_A_POINT:
            raise StoreUnavailableError(f"the store of readings is {waiting} readings of {point} behind the journal")
        return self._history.read(site, point, start, end, limit)

    def _count(self, site: str) -> Counter[str]:
        """How many readings of each point are in the journal and not in the store yet; remembered while both stand."""
        cursor, last = self._ledger.cursor(site, CURSOR), self._ledger.journal_end(site)
        if self._counted == (site, cursor, last):
            return self._waiting
        entries = self._ledger.journal(site, cursor, MOST_WAITING + 1)
        if len(entries) > MOST_WAITING:
            raise StoreUnavailableError(f"the store of readings is more than {MOST_WAITING} batches behind the journal")
        behind = entries[-1].received - entries[0].received if entries else 0
        if behind > MOST_BEHIND:
            raise StoreUnavailableError(f"the store of readings is {behind / SECOND:.0f} s behind the journal")
        waiting: Counter[str] = Counter()
        for entry in entries:
            if isinstance(entry.content, ReadingBatch):
                counts = np.bincount(entry.content.point, minlength=len(entry.content.points))
                waiting.update(dict(zip(entry.content.points, counts.tolist(), strict=True)))
        self._counted, self._waiting = (site, cursor, last), waiting
        return waiting
