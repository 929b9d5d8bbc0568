"""What runs a session: lease, failures, restarts; and the messages of unknown sites."""

import threading
from collections.abc import Callable

import pytest

from domain.reasons import DeadReason
from domain.records import Commit, Committed
from ingest.inbox import STRAY, Ack, Inbox
from ingest.metrics import Count
from ingest.site_worker import SiteWorker
from ingest.stray import Stray
from tests.unit.ingest.ingest_fakes import NOW, SITE, Bench, pack, raw, simple
from wire.topics import readings_topic, receipt_topic


def worker_of(bench: Bench) -> tuple[SiteWorker, Inbox, threading.Event]:
    inbox, stop = Inbox(100, 1_000_000), threading.Event()
    inbox.open(SITE)
    return SiteWorker(SITE, bench.parts, inbox, stop), inbox, stop


def stop_after(bench: Bench, stop: threading.Event, commits: int) -> Callable[[Commit], Committed]:
    real = bench.ledger.commit

    def commit(commit: Commit) -> Committed:
        done = real(commit)
        if len(bench.ledger.commits) >= commits:
            stop.set()
        return done

    return commit


def test_a_worker_takes_messages_settles_them_at_the_end_and_leaves_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(batch_wait=0)
    worker, inbox, stop = worker_of(bench)
    inbox.put(pack(1, 4.0))
    monkeypatch.setattr(bench.ledger, "commit", stop_after(bench, stop, 3))
    worker.serve()
    assert not worker.leading
    assert len(bench.ledger.readings()) == 1
    assert bench.ledger.kept_snapshot is not None
    assert inbox.depth == 0


def test_while_another_worker_holds_the_lease_this_one_touches_nothing() -> None:
    bench = Bench()
    bench.ledger.held[SITE] = ("other", 1, NOW + 60_000)
    worker, inbox, _ = worker_of(bench)
    inbox.put(pack(1, 4.0))
    worker.serve()
    assert not worker.leading
    assert bench.ledger.commits == []
    assert inbox.depth == 1
    assert worker.lost
    assert bench.ledger.held[SITE][0] == "other"


def test_a_fenced_worker_gives_the_site_up_with_its_messages_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(batch_wait=0)
    worker, inbox, _ = worker_of(bench)
    inbox.put(pack(1, 4.0))
    real = bench.ledger.commit

    def commit(commit: Commit) -> Committed:
        if commit.positions:
            bench.ledger.held[SITE] = ("other", 9, NOW + 60_000)
            bench.mailbox.post(receipt_topic(SITE, "a"), b"old", 0)
            bench.mailbox.post(receipt_topic("elsewhere", "a"), b"kept", 0)
        return real(commit)

    monkeypatch.setattr(bench.ledger, "commit", commit)
    worker.serve()
    assert worker.lost
    assert inbox.depth == 1
    assert [parcel.payload for parcel in bench.mailbox.collect(10)] == [b"kept"]
    assert bench.ledger.readings() == []


def test_a_site_that_is_given_up_is_settled_and_its_lease_is_free_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(batch_wait=0)
    worker, inbox, _ = worker_of(bench)
    inbox.put(pack(1, 4.0))
    real = bench.ledger.commit

    def commit(commit: Commit) -> Committed:
        if commit.positions:
            worker.leave()
        return real(commit)

    monkeypatch.setattr(bench.ledger, "commit", commit)
    worker.start()
    assert worker.join(10)
    assert worker.ended
    assert not worker.lost
    assert len(bench.ledger.readings()) == 1
    assert bench.ledger.kept_snapshot is not None
    assert bench.ledger.held[SITE][2] == 0


def test_a_store_that_takes_no_release_does_not_make_a_defect_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    worker, _, stop = worker_of(bench)
    monkeypatch.setattr(bench.ledger, "release", lambda *_: 1 / 0)
    monkeypatch.setattr(bench.ledger, "commit", stop_after(bench, stop, 1))
    worker.serve()
    assert bench.counters.get(Count.RESTARTS) == 0


def test_messages_that_another_process_settles_are_dropped_and_acknowledged() -> None:
    bench, inbox = Bench(), Inbox(100, 1_000_000)
    stray, ack = Stray(bench.parts, inbox), Ack(1, 3, 1)
    bench.ledger.held[STRAY] = ("other", 1, NOW + 60_000)
    assert not stray.lead(NOW)
    inbox.put(raw("caretaker/1/elsewhere/agents/a/birth", b"{}", ack=ack))
    stray.discard(0)
    assert (inbox.depth, bench.link.acks, bench.ledger.letters) == (0, [ack], [])
    assert bench.counters.get(Count.ELSEWHERE) == 1


def test_the_lead_over_unknown_sites_is_left_at_the_end() -> None:
    bench = Bench()
    stray = Stray(bench.parts, Inbox(100, 1_000_000))
    stray.leave()
    assert stray.lead(NOW)
    stray.leave()
    assert bench.ledger.held[STRAY][2] == 0


def test_a_defect_of_the_judge_restarts_the_site_with_growing_delays_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(batch_wait=0)
    worker, inbox, _ = worker_of(bench)
    inbox.put(pack(1, 4.0))
    make = bench.make_judge

    def broken(site: str) -> object:
        judge = make(site)
        monkeypatch.setattr(judge, "feed", lambda batch: 1 / 0)
        return judge

    object.__setattr__(bench.parts, "make_judge", broken)
    worker.serve()
    assert inbox.depth == 1
    assert bench.counters.get(Count.RESTARTS) == 1
    object.__setattr__(bench.parts, "make_judge", make)
    worker._stop.set()
    worker.serve()
    assert inbox.depth == 1, "a worker that is stopped at once leaves everything where it is"


def test_a_store_that_is_locked_at_the_start_is_tried_again() -> None:
    bench = Bench()
    worker, _, _ = worker_of(bench)
    bench.ledger.acquire = lambda *_: 1 / 0  # type: ignore[method-assign, assignment] # the store fails
    worker.serve()
    assert bench.counters.get(Count.RESTARTS) == 1
    assert len(bench.pauses) == 1


def test_a_stop_during_a_stalled_commit_ends_at_once_and_receipts_nothing() -> None:
    bench = Bench(batch_wait=0)
    worker, inbox, _ = worker_of(bench)
    inbox.put(pack(1, 4.0))
    bench.ledger.refuse, bench.stopping = 1000, True
    worker.serve()
    assert len(bench.mailbox) == 0
    assert inbox.depth == 1


def test_messages_of_an_unknown_site_are_dead_letters_without_receipt() -> None:
    bench, inbox = Bench(), Inbox(100, 1_000_000)
    stray = Stray(bench.parts, inbox)
    ack = Ack(1, 3, 1)
    inbox.put(raw("caretaker/1/elsewhere/agents/a/readings", b"[]", ack=ack))
    stray.step(NOW, 0)
    (letter,) = bench.ledger.letters
    assert (letter.site, letter.reason, letter.payload) == ("", DeadReason.UNKNOWN_SITE, b"[]")
    assert "caretaker site apply" in letter.detail
    assert bench.link.acks == [ack]
    assert len(bench.mailbox) == 0
    assert bench.counters.get(Count.UNKNOWN_SITE) == 1


def test_an_agent_that_waits_for_its_site_leaves_one_letter() -> None:
    bench, inbox = Bench(), Inbox(100, 1_000_000)
    stray = Stray(bench.parts, inbox)
    for _ in range(3):
        for seq in (1, 2):
            inbox.put(raw(readings_topic("elsewhere", "a", "b1", seq), b"[]"))
        stray.step(NOW, 0)
    assert len(bench.ledger.letters) == 1
    assert bench.counters.get(Count.UNKNOWN_SITE) == 6


def test_nonsense_below_no_site_is_a_bad_topic_and_retained_words_leave_nothing() -> None:
    bench, inbox = Bench(), Inbox(100, 1_000_000)
    stray = Stray(bench.parts, inbox)
    inbox.put(raw("caretaker/1/Not A Site/agents/a/readings", b"x"))
    inbox.put(raw("caretaker/1/elsewhere/agents/a/status", b"{}", retained=True))
    stray.step(NOW, 0)
    assert [letter.reason for letter in bench.ledger.letters] == [DeadReason.BAD_TOPIC]


def test_letters_that_could_not_be_kept_are_kept_later() -> None:
    bench, inbox = Bench(), Inbox(100, 1_000_000)
    stray = Stray(bench.parts, inbox)
    inbox.put(simple(b"x"))
    bench.ledger.refuse = 1
    stray.step(NOW, 0)
    assert inbox.depth == 1
    stray.step(NOW + 1, 0)
    assert inbox.depth == 1, "not before the delay"
    stray.step(NOW + 1000, 0)
    assert (inbox.depth, len(bench.ledger.letters)) == (0, 1)


def test_the_lease_of_stray_messages_is_renewed_and_taken_again() -> None:
    bench, inbox = Bench(), Inbox(100, 1_000_000)
    stray = Stray(bench.parts, inbox)
    for step in range(4):
        inbox.put(simple(b"x"))
        stray.step(NOW + step * 10_000, 0)
    assert len(bench.ledger.letters) == 4
    bench.ledger.held[STRAY] = ("other", 9, NOW)
    inbox.put(simple(b"x"))
    stray.step(NOW + 41_000, 0)
    stray.step(NOW + 51_000, 0)
    assert len(bench.ledger.letters) == 5
