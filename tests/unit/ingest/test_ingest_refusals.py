"""What the series store refuses for good becomes dead letters, and old readings are purged in quiet moments."""

import pytest

from domain.batch import ReadingBatch, Span, batch_of
from domain.readings import Quality, Reading
from domain.reasons import DeadReason
from domain.records import DeadLetter, EntryKind, JournalEntry, Refused
from domain.times import DAY, HOUR, MINUTE
from ingest.letters import LETTERS_PER_PACK
from ingest.metrics import Counters
from ingest.refusals import refused_letters
from ingest.series_writer import CURSOR, SeriesFeed
from tests.unit.ingest.ingest_fakes import NOW, SITE, FakeLedger, FakeSeries
from wire.decode import DecodedPack, decode_pack


def readings_of(letter: DeadLetter) -> list[Reading]:
    got = decode_pack(letter.payload, site=letter.site, received=letter.received, points={}, sequenced=False)
    assert isinstance(got, DecodedPack)
    assert got.rejected == ()
    return ReadingBatch(
        got.site, letter.received, got.names, got.point, got.time, got.value, got.quality, (), (), got.texts
    ).readings()


def batch_with(rows: int) -> JournalEntry:
    readings = [Reading("a/x", NOW + row, float(row)) for row in range(rows)]
    return JournalEntry(SITE, 1, NOW, EntryKind.BATCH, batch_of(SITE, NOW, readings, agent="kitchen"))


def test_a_refused_reading_becomes_a_letter_that_can_be_read_again() -> None:
    bad = Reading("fridge-1/temperature", NOW + 5, float("nan"), Quality.BAD, "85")
    batch = batch_of(SITE, NOW + 9, [Reading("a/x", NOW, 1.5), bad], agent="kitchen")
    (letter,) = refused_letters(batch, [Refused(1, "400 field type conflict")])
    assert (letter.site, letter.received, letter.reason) == (SITE, NOW + 9, DeadReason.REFUSED_BY_STORE)
    assert letter.detail == "400 field type conflict"
    assert letter.topic == f"caretaker/1/{SITE}/agents/kitchen/readings"
    assert [(r.point, r.time, r.quality, r.text) for r in readings_of(letter)] == [
        (bad.point, bad.time, bad.quality, bad.text)
    ]


def test_nothing_refused_gives_no_letter() -> None:
    assert refused_letters(batch_of(SITE, NOW, []), []) == ()


def test_many_refusals_share_letters_and_none_is_missing() -> None:
    entry = batch_with(LETTERS_PER_PACK + 30)
    letters = refused_letters(entry.content, [Refused(row, "no") for row in range(LETTERS_PER_PACK + 30)])  # type: ignore[arg-type]  # a batch
    assert len(letters) == LETTERS_PER_PACK + 1
    assert letters[-1].detail == "30 more readings: first no"
    found = [reading for letter in letters for reading in readings_of(letter)]
    assert [reading.value for reading in found] == [float(row) for row in range(LETTERS_PER_PACK + 30)]


def test_each_agent_keeps_its_own_letters() -> None:
    batch = batch_of(SITE, NOW, [Reading("a/x", NOW + row, 1.0) for row in range(4)])
    object.__setattr__(batch, "spans", (Span("north", 0, 2, NOW), Span("south", 2, 4, NOW)))
    topics = [letter.topic.split("/")[4] for letter in refused_letters(batch, [Refused(1, "x"), Refused(2, "x")])]
    assert topics == ["north", "south"]


def test_the_feed_hands_refusals_over_with_its_cursor_and_goes_on() -> None:
    ledger, series, counters = FakeLedger(), FakeSeries(), Counters()
    ledger.entries, ledger.last_n = [batch_with(3)], 1
    series.refuses = (Refused(2, "422 beyond retention"),)
    feed = SeriesFeed(SITE, ledger, series, counters, 60_000)
    assert feed.step(NOW)
    assert ledger.cursors == {CURSOR: 1}
    assert [letter.detail for letter in ledger.letters] == ["422 beyond retention"]
    assert counters.letters() == {"refused_by_store": 1}
    assert not feed.failing


def test_a_crash_before_the_cursor_writes_no_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, series = FakeLedger(), FakeSeries()
    ledger.entries, ledger.last_n = [batch_with(3)], 1
    series.refuses = (Refused(2, "no"),)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "set_cursor", lambda *_: 1 / 0)
        assert not SeriesFeed(SITE, ledger, series, Counters(), 60_000).step(NOW)
    assert ledger.letters == []


def test_old_readings_are_purged_hourly_when_nothing_is_to_be_stored() -> None:
    ledger, series = FakeLedger(), FakeSeries()
    ledger.entries, ledger.last_n = [batch_with(3)], 1
    feed = SeriesFeed(SITE, ledger, series, Counters(), 60_000, keep=30 * DAY)
    assert feed.step(NOW)
    assert series.purged == []  # there was something to do
    for later in (0, MINUTE, HOUR - 1, HOUR):
        feed.step(NOW + later)
    assert len(series.purged) == 2
    assert all(before % (15 * MINUTE) == 0 for before in series.purged)
    assert 0 <= NOW - 30 * DAY - series.purged[0] < 15 * MINUTE


def test_without_a_time_to_keep_nothing_is_purged() -> None:
    series = FakeSeries()
    feed = SeriesFeed(SITE, FakeLedger(), series, Counters(), 60_000)
    for hour in range(5):
        feed.step(NOW + hour * HOUR)
    assert series.purged == []
