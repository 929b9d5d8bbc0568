"""Full and room again: by the journal's bytes and by the disk's free bytes, with a distance between them."""

from dataclasses import replace

import pytest

from ingest.room import Room, Shortage
from ingest.settings import IngestSettings
from tests.unit.ingest.ingest_fakes import SITE, Bench, FakeLedger, pack
from tests.unit.ingest.session_stories import begin

SETTINGS = replace(IngestSettings("mqtt://localhost"), journal_bytes=1000, disk_reserve=400)


def test_the_journal_is_full_at_its_bound_and_has_room_clearly_below_it() -> None:
    ledger = FakeLedger(held_bytes=999)
    room = Room(SITE, SETTINGS, ledger, lambda: None)
    for held, expected in ((999, None), (1000, Shortage.JOURNAL), (950, Shortage.JOURNAL), (899, None)):
        ledger.held_bytes = held
        room.check()
        assert room.short is expected, held


def test_the_disk_is_full_below_its_reserve_and_has_room_clearly_above_it() -> None:
    free = [500]
    room = Room(SITE, SETTINGS, FakeLedger(held_bytes=0), lambda: free[0])
    for left, expected in ((500, None), (400, None), (399, Shortage.DISK), (499, Shortage.DISK), (500, None)):
        free[0] = left
        room.check()
        assert room.short is expected, left


def test_when_both_are_full_the_disk_is_named_and_then_the_journal() -> None:
    free = [0]
    room = Room(SITE, SETTINGS, FakeLedger(held_bytes=2000), lambda: free[0])
    room.check()
    assert room.short is Shortage.DISK
    free[0] = 10_000
    room.check()
    assert room.short is Shortage.JOURNAL


@pytest.mark.parametrize("what", list(Shortage))
def test_a_full_site_gives_no_receipts_and_goes_on_by_itself_when_there_is_room(what: Shortage) -> None:
    free = [10**9]
    bench = Bench(journal_bytes=10_000, disk_reserve=1_000_000)
    bench.parts = replace(bench.parts, disk_free=lambda: free[0])
    session = begin(bench)
    session.take([pack(1, 4.0)])
    bench.time += 1000
    session.tick()
    assert len(bench.published()) == 1, "the receipt of the first pack"
    free[0], bench.ledger.held_bytes = (100, 0) if what is Shortage.DISK else (10**9, 10_000)
    bench.time += 1000
    session.tick()
    assert session.full
    assert session.short is what
    bench.time += 1000
    session.tick()
    assert bench.published() == {}
    assert bench.judges[-1].clocks[-1][1] is False, "nobody is called silent meanwhile"
    free[0], bench.ledger.held_bytes = 10**9, 0
    bench.time += 1000
    session.tick()
    assert not session.full
    session.take([pack(2, 4.5)])
    bench.time += 200
    session.tick()
    assert [value for _, _, value in bench.ledger.readings()] == [4.0, 4.5]
    assert len(bench.published()) == 1
