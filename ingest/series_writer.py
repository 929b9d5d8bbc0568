"""Feeds the series store from the journal, at its own pace and with its own cursor.

Decides nothing about readings. The cursor moves after the append, and appending is idempotent, so a crash in between
only repeats. While the store is away the journal grows up to its bound; neither alarms nor receipts wait for it until
then.
"""

from collections.abc import Callable, Iterable

import structlog

from domain.batch import ReadingBatch
from domain.ports import Ledger, SeriesStore
from domain.times import SECOND
from ingest.backoff import Backoff
from ingest.metrics import Count, Counters

CURSOR = "series"
PAGE = 50  # entries per step

_log = structlog.get_logger()


class SeriesFeed:
    """The way of one site's readings into the series store."""

    def __init__(self, site: str, ledger: Ledger, series: SeriesStore, counters: Counters, delay_last: int) -> None:
        self.site = site
        self.lag = 0
        self.failing = ""
        self._ledger, self._series, self._counters = ledger, series, counters
        self._backoff = Backoff(SECOND, delay_last)
        self._retry_at = 0
        self._cursor: int | None = None

    def step(self, now: int) -> bool:
        """Store the next entries; whether there were any. A failure is tried again after a growing delay."""
        if now < self._retry_at:
            return False
        try:
            moved = self._advance()
        except Exception as error:  # noqa: BLE001 - any failure of either store: the cursor has not moved
            self.failing = str(error) or type(error).__name__
            self._cursor = None
            delay = self._backoff.next()
            self._retry_at = now + delay
            self._counters.add(Count.SERIES_RETRIES)
            _log.error("readings were not stored; tried again", site=self.site, error=self.failing, wait_ms=delay)
            return False
        self.failing = ""
        self._backoff.reset()
        return moved

    def _advance(self) -> bool:
        if self._cursor is None:
            self._cursor = self._ledger.cursor(self.site, CURSOR)
        entries = self._ledger.journal(self.site, self._cursor, PAGE)
        self.lag = max(0, self._ledger.journal_end(self.site) - self._cursor) if entries else 0
        for entry in entries:
            if not isinstance(entry.content, ReadingBatch):
                continue
            if len(entry.content):
                self._series.append(entry.content)
            if entry.content.gaps:
                self._series.add_gaps(self.site, entry.content.gaps)
        if entries:
            self._ledger.set_cursor(self.site, CURSOR, entries[-1].n)
            self.lag -= entries[-1].n - self._cursor
            self._cursor = entries[-1].n
        return bool(entries)


def write_series(
    feeds: Callable[[], Iterable[SeriesFeed]], clock: Callable[[], int], pause: Callable[[int], bool]
) -> None:
    """Step every feed until the process stops; rests when nothing moved."""
    while True:
        moved = [feed.step(clock()) for feed in feeds()]
        if not pause(0 if any(moved) else SECOND // 10):
            return
