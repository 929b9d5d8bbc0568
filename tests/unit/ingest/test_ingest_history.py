"""The history for late readings: not asked while the series store has not caught up with the journal."""

import numpy as np
import pytest

from domain.batch import batch_of
from domain.errors import StoreUnavailableError
from domain.readings import Reading
from domain.records import Clock, Content, EntryKind, JournalEntry, Series
from domain.times import SECOND
from ingest.history import CurrentHistory
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
