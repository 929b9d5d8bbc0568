"""The history for judging late readings: the series store, but only while it has nearly all that the journal has.

A store that comes back after an outage answers at once and lacks what the journal still holds for it. To judge the past
by that would take what is missing for silence. So it counts as away until its cursor is near the journal's end; the
engine asks again, and keeps late readings long enough to bridge what is allowed here. Reads no clock.
"""

from domain.errors import StoreUnavailableError
from domain.ports import History, Ledger
from domain.records import Series
from domain.times import SECOND
from ingest.series_writer import CURSOR

MOST_BEHIND = 10 * SECOND  # of the journal; the engine's own memory of a point reaches back further


class CurrentHistory:
    """Meets `domain.ports.History`."""

    def __init__(self, history: History, ledger: Ledger) -> None:
        self._history, self._ledger = history, ledger

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        """As the history behind it. StoreUnavailableError while too much of the journal is not in it."""
        behind = self._behind(site)
        if behind > MOST_BEHIND:
            raise StoreUnavailableError(f"the store of readings is {behind / SECOND:.0f} s behind the journal")
        return self._history.read(site, point, start, end, limit)

    def _behind(self, site: str) -> int:
        """How much of the journal's time the store lacks, ms."""
        waiting = self._ledger.journal(site, self._ledger.cursor(site, CURSOR), 1)
        if not waiting:
            return 0
        newest = self._ledger.journal(site, self._ledger.journal_end(site) - 1, 1)
        return newest[0].received - waiting[0].received if newest else 0
