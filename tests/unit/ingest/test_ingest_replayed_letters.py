"""Dead letters put through acceptance again: once, in one transaction, in the rights and units of now."""

from dataclasses import replace
from pathlib import Path

import pytest

from domain.reasons import DeadReason
from domain.records import DeadLetter, EntryKind, Position
from ingest.metrics import Count
from ingest.site_session import SiteSession
from store.operational.store import OperationalStore
from tests.unit.ingest.fake_ledger import SITE_YAML
from tests.unit.ingest.ingest_fakes import NOW, SITE, Bench, pack, simple
from tests.unit.ingest.session_stories import begin


def second(bench: Bench, session: SiteSession) -> None:
    bench.time += 1000
    session.tick()


def refused(bench: Bench, session: SiteSession, payload: bytes) -> list[DeadLetter]:
    """What became a dead letter of this message of a simple device, with ids as a store gives them."""
    before = len(bench.ledger.letters)
    session.take([simple(payload)])
    second(bench, session)
    return [replace(letter, id=before + place + 1) for place, letter in enumerate(bench.ledger.letters[before:])]


def test_a_letter_is_accepted_once_the_unit_is_corrected_and_settled_with_the_reading() -> None:
    bench = Bench()
    session = begin(bench)
    (letter,) = refused(bench, session, b'[{"bn":"fridge-1/","bt":1772000000,"bu":"kWh"},{"n":"temperature","v":4}]')
    assert letter.reason is DeadReason.BAD_UNIT
    assert bench.ledger.readings() == []
    mended = SITE_YAML.replace("temperature: {interval: 60s}\n      door", "temperature: {unit: kWh}\n      door")
    bench.ledger.site_documents[SITE].append(mended.replace("unit: kWh", "quantity: energy, unit: kWh"))
    bench.ledger.asked = [replace(letter, payload=letter.payload.replace(b"kWh", b"Cel"))]
    second(bench, session)
    assert bench.ledger.readings() == [("fridge-1/temperature", NOW, 4.0)]
    assert bench.ledger.replayed == [letter.id]
    with_reading = next(commit for commit in bench.ledger.commits if commit.replayed)
    assert [kind for kind, _ in with_reading.entries][-1] is EntryKind.BATCH, "one transaction for both"
    second(bench, session)
    assert len(bench.ledger.readings()) == 1
    assert bench.counters.get(Count.REPLAYED) == 1


def test_what_is_refused_again_becomes_a_new_letter_and_the_old_one_is_settled() -> None:
    bench = Bench()
    session = begin(bench)
    (letter,) = refused(bench, session, b"garbage")
    bench.ledger.asked = [letter]
    second(bench, session)
    assert [one.reason for one in bench.ledger.letters] == [DeadReason.NOT_JSON] * 2
    assert bench.ledger.replayed == [letter.id]


def test_times_relative_to_the_first_arrival_stay_where_they_were() -> None:
    bench = Bench()
    session = begin(bench)
    received = NOW - 3_600_000
    topic = simple(b"").text
    payload = b'[{"n":"fridge-1/temperature","t":-60,"v":4},{"n":"fridge-1/door","v":1}]'
    bench.ledger.asked = [DeadLetter("", received, topic, payload, DeadReason.UNKNOWN_SITE, "", 7)]
    second(bench, session)
    assert bench.ledger.readings() == [
        ("fridge-1/temperature", received - 60_000, 4.0),
        ("fridge-1/door", received, 1.0),
    ]


def test_a_replay_moves_no_position_promises_nothing_and_gives_no_receipt() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 4.0)])
    second(bench, session)
    bench.published()
    message = pack(9, 5.0, boot="b0", start=NOW - 60_000)
    letter = DeadLetter(SITE, NOW - 60_000, message.text, message.payload, DeadReason.NOT_OWNER, "", 3)
    bench.ledger.asked = [letter]
    second(bench, session)
    assert bench.ledger.place["a"] == Position("a", "b1", 1)
    assert bench.published() == {}
    (span,) = bench.ledger.commits[-1].entries[-1][1].spans  # type: ignore[union-attr] # the batch of the replay
    assert (span.upto, span.boot, span.seq) == (0, "", 0)


@pytest.mark.parametrize("topic", ["caretaker/1/school/agents/a/birth", "no topic", ""])
def test_what_holds_no_readings_is_settled_and_changes_nothing(topic: str) -> None:
    bench = Bench()
    session = begin(bench)
    bench.ledger.asked = [DeadLetter(SITE, NOW, topic, b"{}", DeadReason.BAD_MESSAGE, "", 5)]
    second(bench, session)
    assert bench.ledger.replayed == [5]
    assert bench.ledger.readings() == []
    assert bench.ledger.letters == []


def test_a_replay_that_was_taken_and_not_committed_is_not_put_back_but_asked_for_again() -> None:
    bench = Bench()
    session = begin(bench)
    payload = b'[{"n":"fridge-1/temperature","v":4}]'
    bench.ledger.asked = [DeadLetter(SITE, NOW, simple(b"").text, payload, DeadReason.NOT_OWNER, "", 5)]
    bench.ledger.held[SITE] = ("other", 9, NOW + 60_000)
    with pytest.raises(Exception, match="another worker"):
        second(bench, session)
    assert session.pending == []
    assert bench.ledger.replayed == []


def test_the_store_keeps_what_was_asked_for_and_what_was_done(tmp_path: Path) -> None:
    store = OperationalStore(f"sqlite:///{tmp_path}/operational.sqlite")
    try:
        store.apply_site(SITE, (("site.yaml", SITE_YAML),), "test", NOW)
        bench = Bench()
        session = SiteSession(SITE, store.acquire(SITE, "ingest", NOW, 15_000) or 0, replace(bench.parts, ledger=store))
        session.tick()
        session.take([simple(b"garbage"), simple(b'[{"n":"x","v":1}]')])
        second(bench, session)
        ids = [letter.id for letter in store.dead_letters(SITE, 10)]
        assert len(ids) == 2
        assert store.replay_requests(SITE, 10) == []
        assert store.ask_replay(ids, "cook", NOW) == 2
        assert store.ask_replay(ids, "cook", NOW) == 0, "asked for already"
        assert store.ask_replay([], "cook", NOW) == 0
        assert [letter.id for letter in store.replay_requests(SITE, 10)] == sorted(ids)
        assert store.replay_requests("scho", 10) == []
        second(bench, session)
        assert store.replay_requests(SITE, 10) == []
        letters = {letter.id: letter for letter in store.dead_letters(SITE, 10)}
        assert all(letters[number].replayed for number in ids)
        assert len(letters) == 4, "both were refused again"
        assert store.ask_replay(ids, "cook", NOW) == 0, "each once"
        assert store.verify_audit("") is None
    finally:
        store.close()
