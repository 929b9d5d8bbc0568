"""A site's session through crashes, commits that fail, lost leases and restarts."""

import pytest

from domain.alarms import AlarmState
from domain.batch import ReadingBatch
from domain.errors import FencedError
from domain.records import Clock, Commit, Committed
from ingest.committing import StoppedError
from ingest.inbox import Ack
from ingest.metrics import Count
from tests.unit.ingest.ingest_fakes import NOW, SITE, Bench, pack, simple
from tests.unit.ingest.session_stories import KEY, begin, receipts, settle


def test_a_crash_between_commit_and_receipt_costs_a_repetition_and_no_reading() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 4.0)])
    settle(bench, session)
    bench.published()  # lost with the process
    again = begin(bench)
    again.take([pack(1, 4.0), pack(2, 5.0)])
    settle(bench, again)
    assert receipts(bench) == {"boot": "b1", "through": 2}
    assert [value for _, _, value in bench.ledger.readings()] == [4.0, 5.0]


def test_a_crash_before_the_commit_leaves_everything_with_the_agent() -> None:
    bench = Bench()
    begin(bench).take([pack(1, 4.0)])
    again = begin(bench)
    again.take([pack(1, 4.0)])
    settle(bench, again)
    assert [value for _, _, value in bench.ledger.readings()] == [4.0]


def test_a_commit_that_fails_is_tried_again_with_the_same_events_and_feeds_only_once() -> None:
    bench = Bench()
    session = begin(bench)
    bench.ledger.refuse = 3
    session.take([pack(1, 9.0)])
    fed = bench.judges[0].fed
    bench.time += 200
    session.seal()
    assert bench.judges[0].fed == fed + 1
    assert len(bench.pauses) == 3
    assert bench.counters.get(Count.COMMIT_RETRIES) == 3
    assert receipts(bench) == {"boot": "b1", "through": 1}
    assert bench.ledger.kept_alarms[KEY].state is AlarmState.UNACKNOWLEDGED
    assert len(bench.ledger.readings()) == 1


def test_a_commit_that_seemed_to_fail_but_is_in_the_journal_is_not_written_twice() -> None:
    bench = Bench()
    session = begin(bench)
    bench.ledger.refuse_after_writing = 1
    session.take([pack(1, 9.0)])
    bench.time += 200
    session.seal()
    assert len(bench.ledger.readings()) == 1
    assert receipts(bench) == {"boot": "b1", "through": 1}
    session.take([pack(2, 9.5)])
    settle(bench, session)
    assert len(bench.ledger.readings()) == 2


def test_a_commit_that_failed_is_not_taken_for_one_that_another_worker_wrote_meanwhile() -> None:
    bench = Bench()
    session = begin(bench)
    real = bench.ledger.commit

    def taken_over(commit: Commit) -> Committed:
        bench.ledger.commit = real  # type: ignore[method-assign]  # the second attempt
        bench.ledger.last_n += 1  # the successor's entry
        bench.ledger.held[SITE] = ("other", 9, NOW + 60_000)
        raise OSError("connection lost")

    bench.ledger.commit = taken_over  # type: ignore[method-assign]  # the store, with a rival behind it
    session.take([pack(1, 9.0)])
    bench.time += 200
    with pytest.raises(FencedError):
        session.seal()
    assert bench.ledger.readings() == []
    assert receipts(bench) is None


def test_while_a_commit_fails_and_the_process_ends_nothing_is_receipted() -> None:
    bench = Bench()
    session = begin(bench)
    bench.ledger.refuse, bench.stopping = 100, True
    ack = Ack(1, 5, 1)
    session.take([pack(1, 4.0), simple(b'[{"n":"fridge-1/door","v":1}]', ack=ack)])
    with pytest.raises(StoppedError):
        session.seal()
    assert receipts(bench) is None
    assert bench.link.acks == []
    assert len(session.pending) == 2


def test_a_stalled_store_is_not_silence_of_the_sensors() -> None:
    bench = Bench()
    session = begin(bench)
    bench.ledger.refuse = 12
    session.take([pack(1, 4.0)])
    bench.time += 200
    session.seal()
    settle(bench, session)
    session.take([pack(2, 5.0)])
    settle(bench, session)
    entries = [e.content for e in bench.ledger.entries]
    first, second = (n for n, content in enumerate(entries) if isinstance(content, ReadingBatch))
    between = [content for content in entries[first:second] if isinstance(content, Clock)]
    assert between[0].connected is False, "the judge hears first that nothing could be heard"


def test_another_worker_with_the_lease_fences_this_one_before_anything_is_written() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 4.0)])
    bench.ledger.held[SITE] = ("other", 9, NOW + 60_000)
    with pytest.raises(FencedError):
        settle(bench, session)
    assert receipts(bench) is None
    assert bench.ledger.readings() == []
    assert [message.text for message in session.pending] == [pack(1, 4.0).text]


def test_a_lease_that_is_not_renewed_ends_the_session_even_when_nothing_arrives() -> None:
    bench = Bench()
    session = begin(bench)
    bench.ledger.held[SITE] = ("other", 9, NOW + 60_000)
    with pytest.raises(FencedError):
        settle(bench, session, bench.settings.lease_ttl)


def test_a_stale_snapshot_of_a_fenced_worker_is_not_written() -> None:
    bench = Bench(lease_ttl=3_600_000)
    session = begin(bench)
    bench.ledger.held[SITE] = ("other", 9, NOW + 60_000)
    with pytest.raises(FencedError):
        session.close()
    assert bench.ledger.kept_snapshot is None


def test_restart_from_snapshot_and_journal_equals_never_having_stopped() -> None:
    straight, broken = Bench(), Bench(snapshot_entries=1)
    first, second = begin(straight), begin(broken)
    for seq, value in enumerate((4.0, 9.0, 9.5, 4.0, 3.0), 1):
        for bench, session in ((straight, first), (broken, second)):
            session.take([pack(seq, value, start=NOW + 60_000 * seq)])
            settle(bench, session, 1100)
        if seq in (2, 4):
            second = begin(broken)
    assert broken.judges[-1].values == straight.judges[0].values
    assert broken.judges[-1].active == straight.judges[0].active
    assert broken.judges[-1].revisions == straight.judges[0].revisions
    assert broken.ledger.kept_snapshot is not None
    assert broken.ledger.kept_alarms.keys() == straight.ledger.kept_alarms.keys()
    assert broken.ledger.readings() == straight.ledger.readings()


def test_outputs_of_a_replay_are_discarded() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 9.0)])
    settle(bench, session)
    version = bench.ledger.kept_alarms[KEY].version
    begin(bench)
    assert bench.judges[-1].active == {"fridge-1/temperature"}
    assert bench.ledger.kept_alarms[KEY].version == version


def test_a_snapshot_of_another_format_is_replaced_by_the_journal() -> None:
    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 9.0)])
    settle(bench, session)
    bench.ledger.kept_snapshot = (1, b"\xc1")
    begin(bench)
    assert bench.judges[-1].active == {"fridge-1/temperature"}


def test_the_journal_is_trimmed_behind_snapshot_and_cursor_only() -> None:
    bench = Bench(snapshot_entries=1)
    session = begin(bench)
    bench.ledger.cursors["series"] = 1
    session.take([pack(1, 4.0)])
    settle(bench, session, 1100)
    assert bench.ledger.kept_snapshot is not None
    assert next(entry.n for entry in bench.ledger.entries) == 2
