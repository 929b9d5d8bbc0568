"""The history for late readings: not asked while the series store has not caught up with the journal."""

import numpy as np
import pytest

from domain.batch import batch_of
from domain.errors import StoreUnavailableError
from domain.readings import Reading
from domain.records import Clock, Content, EntryKind, JournalEntry, Series
from domain.times import SECOND
from ingest.history import MOST_OF_A_POINT, MOST_WAITING, CurrentHistory
from ingest.series_writer import CURSOR
from tests.unit.ingest.ingest_fakes import NOW, SITE, FakeLedger, FakeSeries


class Stored(FakeSeries):
    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        return Series(np.array([start], np.int64), np.array([1.0]), ())


def ledger_with(*ages: int) -> FakeLedger:
    ledger = FakeLedger()
    for n, age in enumerate(ages, 1):
        batch = batch_of(SITE, NOW - age * SECOND, [Reading("fridge-1/temperature", NOW, 4.0)])
        content: tuple[EntryKind, Content] = (EntryKind.BATCH, batch)
        if n == 2:
            content = (EntryKind.CLOCK, Clock(NOW, True))
        ledger.entries.append(JournalEntry(SITE, n, NOW - age * SECOND, *content))
    ledger.last_n = len(ages)
    return ledger


@pytest.mark.parametrize(("ages", "cursor"), [((), 0), ((900, 800, 0), 3), ((900, 9, 0), 1), ((10, 5, 0), 0)])
def test_it_answers_while_the_store_is_near_the_end_of_the_journal(ages: tuple[int, ...], cursor: int) -> None:
    ledger = ledger_with(*ages)
    ledger.cursors[CURSOR] = cursor
    assert CurrentHistory(Stored(), ledger).read(SITE, "fridge-1/temperature", 5, 9).time.tolist() == [5]


@pytest.mark.parametrize(("ages", "cursor"), [((900, 800, 0), 0), ((900, 11, 0), 1), ((11, 5, 0), 0)])
def test_it_is_away_while_the_store_lacks_more_than_ten_seconds(ages: tuple[int, ...], cursor: int) -> None:
    ledger = ledger_with(*ages)
    ledger.cursors[CURSOR] = cursor
    with pytest.raises(StoreUnavailableError, match="behind the journal"):
        CurrentHistory(Stored(), ledger).read(SITE, "fridge-1/temperature", 5, 9)


def backlog(*counts: int, point: str = "fridge-1/temperature") -> FakeLedger:
    """A ledger whose entries, all of one moment, have so many readings of the point, and one of another."""
    ledger = FakeLedger()
    for n, count in enumerate(counts, 1):
        readings = [Reading(point, NOW + row, 4.0) for row in range(count)] + [Reading("other/t", NOW, 1.0)]
        ledger.entries.append(JournalEntry(SITE, n, NOW, EntryKind.BATCH, batch_of(SITE, NOW, readings)))
    ledger.last_n = len(counts)
    return ledger


def test_a_backlog_that_came_in_a_moment_is_no_less_missing() -> None:
    """An agent's hours arrive within a second: what counts is how much of the point the store lacks."""
    ledger = backlog(100, MOST_OF_A_POINT // 2, MOST_OF_A_POINT - MOST_OF_A_POINT // 2)
    history = CurrentHistory(Stored(), ledger)
    with pytest.raises(StoreUnavailableError, match="132 readings of fridge-1/temperature behind"):
        history.read(SITE, "fridge-1/temperature", 5, 9)
    assert history.read(SITE, "other/t", 5, 9).time.tolist() == [5]
    ledger.cursors[CURSOR] = 1
    assert history.read(SITE, "fridge-1/temperature", 5, 9).time.tolist() == [5]
    ledger.entries += backlog(0, 0, 0, 1).entries[3:]
    ledger.last_n = 4
    with pytest.raises(StoreUnavailableError, match="33 readings"):
        history.read(SITE, "fridge-1/temperature", 5, 9)


def test_more_entries_than_are_looked_at_count_as_away() -> None:
    ledger = backlog(*[0] * (MOST_WAITING + 1))
    with pytest.raises(StoreUnavailableError, match="more than 500 batches"):
        CurrentHistory(Stored(), ledger).read(SITE, "fridge-1/temperature", 5, 9)
    ledger.cursors[CURSOR] = 1
    assert CurrentHistory(Stored(), ledger).read(SITE, "fridge-1/temperature", 5, 9).time.tolist() == [5]
