"""Feeds the series store from the journal, at its own pace and with its own cursor.

Decides nothing about readings. The cursor moves after the append, and appending is idempotent, so a crash in between
only repeats. While the store is away the journal grows up to its bound; neither alarms nor receipts wait for it until
then. Readings that the store refuses for good become dead letters, so that one of them does not hold up the others.
Once in an hour, when there is nothing to store, readings older than the time to keep are purged.
"""

from collections.abc import Callable, Iterable

import structlog

from domain.batch import ReadingBatch
from domain.ports import Ledger, SeriesStore
from domain.reasons import DeadReason
from domain.records import DeadLetter
from domain.times import HOUR, MINUTE, SECOND
from ingest.backoff import Backoff
from ingest.metrics import Count, Counters
from ingest.refusals import refused_letters

CURSOR = "series"
PAGE = 50  # entries per step
PURGE_EVERY = HOUR
PURGE_STEP = 15 * MINUTE  # a purge ends at the edge of a summary

_log = structlog.get_logger()


class SeriesFeed:
    """The way of one site's readings into the series store. `keep`: the age in ms at which readings are purged; 0 keeps
    all of them."""

    def __init__(
        self, site: str, ledger: Ledger, series: SeriesStore, counters: Counters, delay_last: int, keep: int = 0
    ) -> None:
        self.site = site
        self.lag = 0
        self.failing = ""
        self._ledger, self._series, self._counters = ledger, series, counters
        self._backoff = Backoff(SECOND, delay_last)
        self._retry_at = 0
        self._keep, self._purge_at = keep, 0
        self._cursor: int | None = None
        self._follows = False  # whether the last append was of the entries before the cursor

    def step(self, now: int) -> bool:
        """Store the next entries; whether there were any. A failure is tried again after a growing delay."""
        if now < self._retry_at:
            return False
        try:
            moved = self._advance()
            if not moved and self._keep and now >= self._purge_at:
                self._purge(now)
        except Exception as error:  # noqa: BLE001 - any failure of either store: the cursor has not moved
            self.failing = str(error) or type(error).__name__
            self._cursor, self._follows = None, False
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
        batches = [entry.content for entry in entries if isinstance(entry.content, ReadingBatch)]
        filled = [batch for batch in batches if len(batch)]
        letters: list[DeadLetter] = []
        # After a long pause another worker may have stored these entries too, and trimmed some that were not read here.
        unbroken = self._follows and bool(entries) and entries[0].n == self._cursor + 1
        for batch, result in zip(filled, self._series.append_all(filled, unbroken=unbroken), strict=True):
            letters += refused_letters(batch, result.refused)
        for batch in batches:
            if batch.gaps:
                self._series.add_gaps(self.site, batch.gaps)
        if entries:
            self._ledger.set_cursor(self.site, CURSOR, entries[-1].n, letters)
            self._count(letters)
            self.lag -= entries[-1].n - self._cursor
            self._cursor, self._follows = entries[-1].n, True
        return bool(entries)

    def _count(self, letters: list[DeadLetter]) -> None:
        if letters:
            self._counters.dead_letter(DeadReason.REFUSED_BY_STORE, len(letters))
            _log.error("the series store refused readings", site=self.site, letters=len(letters), why=letters[0].detail)

    def _purge(self, now: int) -> None:
        self._purge_at = now + PURGE_EVERY
        deleted = self._series.purge(self.site, (now - self._keep) // PURGE_STEP * PURGE_STEP)
        _log.info("old readings were summed up and deleted", site=self.site, readings=deleted)


def write_series(
    feeds: Callable[[], Iterable[SeriesFeed]], clock: Callable[[], int], pause: Callable[[int], bool]
) -> None:
    """Step every feed until the process stops; rests when nothing moved."""
    while True:
        moved = [feed.step(clock()) for feed in feeds()]
        if not pause(0 if any(moved) else SECOND // 10):
            return
