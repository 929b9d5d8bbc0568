"""A site's session: judge, commit, receipt, in that order, and what it publishes."""

import pytest

from domain.alarms import AlarmState
from domain.batch import ReadingBatch
from domain.reasons import DeadReason
from domain.records import Clock, ConfigChange, EntryKind
from ingest.inbox import Ack
from ingest.metrics import Count
from tests.unit.ingest.fake_ledger import SITE_YAML
from tests.unit.ingest.ingest_fakes import NOW, SITE, Bench, pack, raw, simple
from tests.unit.ingest.session_stories import ALARM, KEY, begin, receipts, settle
from wire.messages import Birth, ClockState, decode_alarm, encode_birth
from wire.topics import birth_topic


def test_a_pack_is_journalled_then_receipted_and_is_the_latest() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 4.0, 5.0)])
    assert receipts(bench) is None, "nothing is receipted before it is committed"
    settle(bench, session)
    assert receipts(bench) == {"boot": "b1", "through": 1}
    assert [value for _, _, value in bench.ledger.readings()] == [4.0, 5.0]
    settle(bench, session, 1000)
    assert bench.ledger.newest["fridge-1/temperature"].value == 5.0
    (span,) = next(e.content for e in bench.ledger.entries if isinstance(e.content, ReadingBatch)).spans
    assert (span.agent, span.start, span.stop, span.boot, span.seq) == ("a", 0, 2, "b1", 1)


def test_packs_of_several_agents_share_a_batch_with_one_point_table() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 4.0), pack(1, -18.0, agent="cellar", point="freezer-1/temperature"), pack(2, 5.0)])
    settle(bench, session)
    (batch,) = [e.content for e in bench.ledger.entries if isinstance(e.content, ReadingBatch)]
    assert batch.points == ("fridge-1/temperature", "freezer-1/temperature")
    assert [(s.agent, s.start, s.stop) for s in batch.spans] == [("a", 0, 1), ("cellar", 1, 2), ("a", 2, 3)]
    assert batch.value.tolist() == [4.0, -18.0, 5.0]


def test_a_large_batch_is_committed_at_once() -> None:
    bench = Bench(batch_readings=3)
    session = begin(bench)
    session.take([pack(1, 1.0, 2.0), pack(2, 3.0), pack(3, 4.0)])
    assert [len(c.entries) for c in bench.ledger.commits if c.positions] == [1]
    assert len(session.pending) == 1


def test_the_journal_of_a_new_site_begins_with_its_configuration() -> None:
    bench = Bench()
    begin(bench)
    assert bench.ledger.kinds()[0] is EntryKind.CONFIG
    assert bench.ledger.entries[0].content == ConfigChange(1, 0, None)
    assert bench.judges[0].revisions == [(0, None)]


def test_after_a_restart_the_time_away_is_told_as_not_connected() -> None:
    bench = Bench()
    begin(bench)
    assert bench.judges[0].clocks[-1] == (NOW, True)
    bench.time += 3_600_000
    begin(bench)
    assert bench.judges[-1].clocks[-2:] == [(NOW + 3_600_000, False), (NOW + 3_600_000, True)]


def test_the_clock_is_journalled_when_it_says_something_new_and_at_least_each_half_minute() -> None:
    bench = Bench()
    session = begin(bench)
    before = len(bench.ledger.clocks())
    for _ in range(29):
        settle(bench, session, 1000)
    assert len(bench.ledger.clocks()) == before
    settle(bench, session, 1000)
    assert len(bench.ledger.clocks()) == before + 1
    bench.link.hearing = False
    settle(bench, session, 1000)
    assert bench.ledger.clocks()[-1] == Clock(bench.time, False)


def test_a_machine_that_slept_heard_nothing_meanwhile() -> None:
    bench = Bench()
    session = begin(bench)
    bench.time += 600_000
    session.take([pack(1, 4.0)])
    settle(bench, session, 200)
    kinds = [e.content for e in bench.ledger.entries]
    told = next(n for n, content in enumerate(kinds) if isinstance(content, Clock) and content.now == NOW + 600_200)
    batch = next(n for n, content in enumerate(kinds) if isinstance(content, ReadingBatch))
    assert kinds[told] == Clock(NOW + 600_200, False)
    assert told < batch


def test_a_clock_that_is_set_back_does_not_turn_the_journal_around() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 4.0)])
    settle(bench, session)
    bench.time -= 5_000
    session.take([pack(2, 5.0)])
    settle(bench, session, 0)
    session.seal()
    received = [entry.received for entry in bench.ledger.entries]
    assert received == sorted(received)


def test_new_rules_take_effect_and_are_journalled_after_what_came_before() -> None:
    bench = Bench()
    session = begin(bench)
    bench.ledger.rules[SITE] = ["first"]
    session.take([pack(1, 4.0)])
    settle(bench, session, 1000)
    assert bench.ledger.kinds()[-2:] == [EntryKind.BATCH, EntryKind.CONFIG]
    assert bench.judges[0].revisions[-1] == (0, 1)
    session.take([pack(2, 4.0)])
    settle(bench, session)
    assert bench.ledger.commits[-1].rules_revision == 1


def test_commissioning_reaches_the_judge_through_the_catalogue() -> None:
    bench = Bench()
    session = begin(bench)
    bench.ledger.commissioned = NOW + 5
    settle(bench, session, 1000)
    assert bench.judges[0].revisions[-1] == (NOW + 5, None)
    begin(bench)
    assert bench.judges[-1].revisions == bench.judges[0].revisions


@pytest.mark.parametrize("kind", ["rules", "site_documents"])
def test_a_revision_that_cannot_be_used_leaves_the_former_in_force(kind: str) -> None:
    bench = Bench()
    session = begin(bench)
    documents = getattr(bench.ledger, kind)
    documents[SITE] = [*documents.get(SITE, []), "bad"]
    settle(bench, session, 1000)
    settle(bench, session, 1000)
    assert bench.ledger.kinds().count(EntryKind.CONFIG) == 1
    session.take([pack(1, 4.0)])
    settle(bench, session)
    assert receipts(bench) == {"boot": "b1", "through": 1}
    documents[SITE] = [*documents[SITE], SITE_YAML]
    settle(bench, session, 1000)
    assert bench.ledger.kinds().count(EntryKind.CONFIG) == 2


def test_acknowledgements_of_what_has_no_receipt_come_after_the_commit() -> None:
    bench = Bench()
    session = begin(bench)
    ack, birth_ack = Ack(1, 7, 1), Ack(1, 8, 1)
    birth = encode_birth(Birth("b1", "1.0", ClockState.UNKNOWN, ()))
    session.take(
        [simple(b'[{"n":"fridge-1/temperature","v":4}]', ack=ack), raw(birth_topic(SITE, "a"), birth, ack=birth_ack)]
    )
    assert bench.link.acks == []
    settle(bench, session)
    assert bench.link.acks == [ack, birth_ack]
    assert bench.ledger.commits[-1].births == (("a", birth),)


def test_garbage_is_kept_as_dead_letter_and_acknowledged_and_stops_nothing() -> None:
    bench = Bench()
    session = begin(bench)
    ack = Ack(1, 7, 1)
    session.take([simple(b"garbage", ack=ack), pack(1, 4.0)])
    settle(bench, session)
    assert [letter.reason for letter in bench.ledger.letters] == [DeadReason.NOT_JSON]
    assert bench.counters.letters() == {"not_json": 1}
    assert bench.link.acks == [ack]
    assert len(bench.ledger.readings()) == 1


def test_a_repetition_alone_needs_no_commit_but_gets_its_receipt() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 4.0)])
    settle(bench, session)
    bench.published()
    commits = len(bench.ledger.commits)
    session.take([pack(1, 4.0), pack(5, 4.0)])
    settle(bench, session)
    assert len(bench.ledger.commits) == commits
    assert receipts(bench) == {"boot": "b1", "through": 1}
    assert (bench.counters.get(Count.DUPLICATES), bench.counters.get(Count.OUT_OF_ORDER)) == (1, 1)


def test_a_full_journal_is_said_and_found_again_when_there_is_room() -> None:
    bench = Bench(journal_bytes=1000)
    session = begin(bench)
    bench.ledger.held_bytes = 1000
    settle(bench, session, 1000)
    assert session.full
    settle(bench, session, 1000)
    assert bench.ledger.clocks()[-1].connected is False, "who does not listen cannot call anybody silent"
    bench.ledger.held_bytes = 950
    settle(bench, session, 1000)
    assert session.full, "room is only found again clearly below the bound"
    bench.ledger.held_bytes = 800
    settle(bench, session, 1000)
    assert not session.full


def test_an_alarm_is_published_changed_by_people_and_cleared() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 9.0)])
    settle(bench, session, 1000)
    settle(bench, session, 1000)
    message = decode_alarm(bench.published()[ALARM])
    assert getattr(message, "state", None) is AlarmState.UNACKNOWLEDGED
    bench.ledger.acknowledge(KEY)
    settle(bench, session, 2000)
    assert getattr(decode_alarm(bench.published()[ALARM]), "state", None) is AlarmState.ACKNOWLEDGED
    settle(bench, session, 2000)
    assert ALARM not in bench.published(), "what has not changed is not published again"
    session.take([pack(2, 4.0)])
    settle(bench, session, 1000)
    settle(bench, session, 1000)
    assert bench.published()[ALARM] == b""


def test_after_a_restart_or_a_new_connection_every_alarm_is_published_again() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 9.0)])
    settle(bench, session, 1000)
    bench.published()
    bench.link.connections = 2
    settle(bench, session, 1000)
    assert ALARM in bench.published()
    session.take([pack(2, 4.0)])
    settle(bench, session, 200)
    bench.published()  # the process dies before it could clear the alarm at the broker
    bench.ledger.acknowledge(KEY)
    begin(bench)
    assert bench.published()[ALARM] == b""


def test_an_empty_site_without_any_message_writes_no_batch() -> None:
    bench = Bench()
    session = begin(bench)
    for _ in range(5):
        settle(bench, session, 1000)
    assert EntryKind.BATCH not in bench.ledger.kinds()
    session.close()


def test_a_latest_row_that_could_not_be_written_is_written_later() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 4.0)])
    settle(bench, session, 200)
    bench.ledger.newest.clear()
    again = begin(bench)
    settle(bench, again, 1000)
    assert bench.ledger.newest["fridge-1/temperature"].value == 4.0, "the replay brings it again"


def test_a_new_catalogue_comes_into_force_even_when_the_new_rules_cannot_be_used() -> None:
    bench = Bench()
    bench.ledger.rules[SITE] = ["bad"]
    session = begin(bench)
    assert bench.ledger.entries[0].content == ConfigChange(1, 0, None)
    settle(bench, session, 1000)
    assert bench.ledger.kinds().count(EntryKind.CONFIG) == 1
    bench.ledger.site_documents[SITE].append(SITE_YAML)
    settle(bench, session, 1000)
    assert bench.ledger.entries[-1].content == ConfigChange(2, 0, None)
    bench.ledger.rules[SITE].append("good")
    settle(bench, session, 1000)
    assert bench.ledger.entries[-1].content == ConfigChange(2, 2, None)
