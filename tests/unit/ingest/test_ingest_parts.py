"""The small parts: inbox, mailbox, back-off, batcher, latest board, alarm publisher, series feed, figures, settings."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from domain.alarms import AlarmState
from domain.batch import Gap, Span, batch_of
from domain.errors import CaretakerError
from domain.readings import Quality, Reading
from domain.reasons import DeadReason
from domain.records import Clock, EntryKind, JournalEntry, Latest
from ingest import latest
from ingest.accept import Outcome, TakenPack, Verdict
from ingest.alarm_publisher import AlarmPublisher
from ingest.backoff import Backoff
from ingest.batcher import Batcher
from ingest.inbox import STRAY, Inbox, site_of
from ingest.latest import LatestBoard
from ingest.mailbox import Mailbox
from ingest.metrics import MEANING, Count, Counters
from ingest.series_writer import CURSOR, SeriesFeed, write_series
from ingest.settings import parse_broker
from tests.unit.ingest.ingest_fakes import NOW, SITE, FakeLedger, FakeSeries, pack, raw, simple
from wire.decode import DecodedPack, decode_pack
from wire.topics import alarm_topic


def test_the_inbox_is_full_by_number_or_by_bytes_and_drops_nothing() -> None:
    inbox = Inbox(2, 1000)
    inbox.open(SITE)
    assert not inbox.full
    inbox.put(pack(1, 4.0))
    inbox.put(pack(2, 4.0))
    assert inbox.full
    inbox.put(pack(3, 4.0))
    assert [message.text[-1] for message in inbox.take(SITE, 10, 0)] == ["1", "2", "3"]
    inbox.put(raw(f"caretaker/1/{SITE}/agents/a/readings", b"x" * 1000))
    assert inbox.full
    assert inbox.depth == 1


def test_messages_go_to_their_sites_queue_and_all_others_are_stray() -> None:
    inbox = Inbox(100, 100_000)
    inbox.put(pack(1, 4.0))
    assert len(inbox.take(STRAY, 10, 0)) == 1, "the site is not known yet"
    inbox.open(SITE)
    inbox.open(SITE)
    inbox.put(pack(1, 4.0))
    inbox.put(raw("caretaker/1/elsewhere/agents/a/readings", b""))
    inbox.put(raw("nonsense", b""))
    inbox.put(raw(f"caretaker/1/{SITE}/agents/a/readings/wrong", b""))
    assert [len(inbox.take(site, 10, 0)) for site in (SITE, STRAY)] == [2, 2]


def test_a_site_that_is_closed_refuses_its_messages_and_gives_back_what_waits() -> None:
    inbox = Inbox(10, 1_000_000)
    inbox.open(SITE)
    inbox.put(pack(1, 4.0))
    assert [message.text for message in inbox.close(SITE)] == [pack(1, 4.0).text]
    stranger = raw("caretaker/1/elsewhere/agents/a/readings", b"")
    assert inbox.put_all([pack(2, 4.0), stranger]) == [pack(2, 4.0)]
    assert inbox.close(SITE) == []
    assert (inbox.depth, len(inbox.take(STRAY, 10, 0))) == (1, 1)
    inbox.open(SITE)
    inbox.put(pack(3, 4.0))
    assert len(inbox.take(SITE, 10, 0)) == 1


def test_what_was_put_back_comes_first() -> None:
    inbox = Inbox(100, 100_000)
    inbox.open(SITE)
    for seq in (1, 2, 3):
        inbox.put(pack(seq, 4.0))
    taken = inbox.take(SITE, 2, 0)
    inbox.put_back(SITE, taken)
    assert [message.text[-1] for message in inbox.take(SITE, 10, 0)] == ["1", "2", "3"]
    assert inbox.depth == 0


def test_a_worker_that_waits_is_woken_by_a_message() -> None:
    inbox = Inbox(100, 100_000)
    inbox.open(SITE)
    taken: list[int] = []
    thread = threading.Thread(target=lambda: taken.append(len(inbox.take(SITE, 10, 30))))
    thread.start()
    inbox.put(pack(1, 4.0))
    thread.join(10)
    assert taken in ([1], [0])
    assert inbox.take(SITE, 10, 0) == [] or taken == [0]


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("caretaker/1/school/agents/a/readings", "school"),
        ("caretaker/1/school/anything", "school"),
        ("caretaker/2/school/agents/a/readings", ""),
        ("caretaker/1/", ""),
        ("", ""),
    ],
)
def test_the_site_is_read_from_wrong_topics_too(text: str, site: str) -> None:
    assert site_of(raw(text, b"")) == site


def test_the_mailbox_keeps_the_newest_of_a_topic_and_the_order_of_the_rest() -> None:
    wakes: list[int] = []
    mailbox = Mailbox(lambda: wakes.append(1))
    for topic, payload in (("a", b"1"), ("b", b"1"), ("a", b"2")):
        mailbox.post(topic, payload, 0)
    assert len(mailbox) == 2
    assert [(parcel.topic, parcel.payload) for parcel in mailbox.collect(1)] == [("b", b"1")]
    assert [(parcel.topic, parcel.payload) for parcel in mailbox.collect(9)] == [("a", b"2")]
    assert mailbox.collect(9) == []
    assert len(wakes) == 3


def test_the_delay_doubles_up_to_its_bound_and_begins_again() -> None:
    backoff = Backoff(1000, 4000, chance=lambda: 1.0)
    assert [backoff.next() for _ in range(4)] == [1000, 2000, 4000, 4000]
    backoff.reset()
    assert backoff.next() == 1000
    assert Backoff(1000, 4000, chance=lambda: 0.0).next() == 500


def decoded(*readings: tuple[str, float]) -> DecodedPack:
    records = ",".join(f'{{"n":"{name}","t":{NOW / 1000},"v":{value}}}' for name, value in readings)
    rows = decode_pack(f"[{records}]".encode(), site=SITE, received=NOW, points={}, sequenced=True)
    assert isinstance(rows, DecodedPack)
    return rows


def test_packs_are_joined_in_order_of_arrival_with_their_texts() -> None:
    batcher = Batcher(SITE, 100, 100)
    first = replace(decoded(("a/x", 1.0), ("b/x", 2.0)), texts={1: "one"})
    second = replace(decoded(("b/x", 3.0), ("c/x", 4.0)), texts={0: "two"})
    for seq, rows in enumerate((first, decoded(), second), 1):
        batcher.add(pack(seq), Outcome(Verdict.TAKEN, TakenPack("a", "b1", seq, NOW, rows)), NOW)
    batch = batcher.seal(NOW + 5).batch
    assert batch is not None
    assert batch.points == ("a/x", "b/x", "c/x")
    assert batch.point.tolist() == [0, 1, 1, 2]
    assert batch.value.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert dict(batch.texts) == {1: "one", 2: "two"}
    assert [(span.start, span.stop, span.seq) for span in batch.spans] == [(0, 2, 1), (2, 2, 2), (2, 4, 3)]
    assert batch.point.dtype == np.int32
    assert batcher.empty


def test_a_batch_is_ready_by_size_by_age_and_when_the_clock_was_set_back() -> None:
    batcher = Batcher(SITE, 2, 100)
    assert not batcher.ready(NOW)
    batcher.add(pack(1), Outcome(Verdict.TAKEN, TakenPack("a", "b1", 1, NOW, decoded(("a/x", 1.0)))), NOW)
    assert not batcher.ready(NOW + 99)
    assert batcher.ready(NOW + 100)
    assert batcher.ready(NOW - 1)
    batcher.add(pack(2), Outcome(Verdict.TAKEN, TakenPack("a", "b1", 2, NOW, decoded(("a/x", 1.0)))), NOW)
    assert batcher.ready(NOW)


def test_a_gap_without_readings_is_journalled_and_nothing_is_not() -> None:
    batcher = Batcher(SITE, 2, 100)
    gap = Gap("a", NOW, NOW, 0, "packs_missing")
    batcher.add(pack(1), Outcome(Verdict.OUT_OF_ORDER, gaps=(gap,)), NOW)
    batch = batcher.seal(NOW).batch
    assert batch is not None
    assert (len(batch), batch.gaps) == (0, (gap,))
    batcher.add(pack(1), Outcome(Verdict.DUPLICATE), NOW)
    assert batcher.seal(NOW).changes_nothing


def test_the_board_shows_the_newest_by_event_time_whatever_came_last() -> None:
    ledger, board = FakeLedger(), LatestBoard(SITE)
    board.take(batch_of(SITE, NOW, [Reading("a/x", 5, 1.0), Reading("b/x", 7, 2.0), Reading("a/x", 9, 3.0)]))
    board.take(batch_of(SITE, NOW + 1, [Reading("a/x", 8, 4.0), Reading("b/x", 7, 5.0, Quality.UNCERTAIN)]))
    board.take(batch_of(SITE, NOW + 2, []))
    board.flush(ledger)
    assert (ledger.newest["a/x"].time, ledger.newest["a/x"].value, ledger.newest["a/x"].received) == (9, 3.0, NOW)
    assert (ledger.newest["b/x"].value, ledger.newest["b/x"].quality) == (5.0, Quality.UNCERTAIN)


@pytest.mark.parametrize("most", [1, 3, 1_000])
def test_batches_that_the_board_put_aside_keep_their_order_times_and_texts(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(latest, "MOST_ASIDE", most)
    ledger, board = FakeLedger(), LatestBoard(SITE)
    board.take(batch_of(SITE, NOW, [Reading("b/x", 3, 1.0), Reading("a/x", 3, 2.0)]))
    board.take(batch_of(SITE, NOW + 1, [Reading("a/x", 3, 3.0), Reading("c/x", 4, 4.0, Quality.BAD, "error 85")]))
    board.take(batch_of(SITE, NOW + 2, [Reading("b/x", 2, 5.0), Reading("c/x", 4, 6.0)]))
    board.take(batch_of(SITE, NOW + 3, [Reading("c/x", 5, 7.0, Quality.BAD, "error 7")]))
    board.flush(ledger)
    assert ledger.newest == {
        "a/x": Latest("a/x", 3, 3.0, Quality.GOOD, NOW + 1),
        "b/x": Latest("b/x", 3, 1.0, Quality.GOOD, NOW),
        "c/x": Latest("c/x", 5, 7.0, Quality.BAD, NOW + 3, "error 7"),
    }


def test_what_the_store_refused_of_the_board_is_written_the_next_time() -> None:
    ledger, board = FakeLedger(refuse=1), LatestBoard(SITE)
    bad = Reading("a/x", 5, float("nan"), Quality.BAD, "error 85")
    board.take(batch_of(SITE, NOW, [bad]))
    board.flush(ledger)
    assert ledger.newest == {}
    ledger.refuse = 0
    board.flush(ledger)
    assert (ledger.newest["a/x"].quality, ledger.newest["a/x"].text) == (Quality.BAD, "error 85")
    ledger.newest.clear()
    board.flush(ledger)
    assert ledger.newest == {}, "written once"


def test_alarms_are_not_forgotten_when_the_store_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.unit.ingest.ingest_fakes import Bench
    from tests.unit.ingest.session_stories import KEY, begin, settle

    bench = Bench()
    session = begin(bench)
    session.take([pack(1, 9.0)])
    settle(bench, session, 200)
    bench.published()
    publisher = AlarmPublisher(SITE, bench.ledger, bench.mailbox)
    with monkeypatch.context() as patch:
        patch.setattr(bench.ledger, "alarms", lambda *_: 1 / 0)
        publisher.refresh()
    assert len(bench.mailbox) == 0
    publisher.refresh()
    assert list(bench.published()) == [alarm_topic(SITE, *KEY)]
    assert bench.ledger.kept_alarms[KEY].state is AlarmState.UNACKNOWLEDGED


def journal(*entries: JournalEntry) -> FakeLedger:
    ledger = FakeLedger()
    ledger.entries, ledger.last_n = list(entries), len(entries)
    return ledger


def batch_entry(n: int, value: float, gaps: tuple[Gap, ...] = ()) -> JournalEntry:
    batch = replace(batch_of(SITE, NOW, [Reading("a/x", NOW + n, value)]), gaps=gaps)
    return JournalEntry(SITE, n, NOW, EntryKind.BATCH, batch)


def test_the_series_store_is_fed_from_the_cursor_and_gaps_go_along() -> None:
    gap = Gap("a", NOW, NOW, 3, "outbox_full")
    ledger = journal(
        batch_entry(1, 1.0), JournalEntry(SITE, 2, NOW, EntryKind.CLOCK, Clock(NOW, True)), batch_entry(3, 2.0, (gap,))
    )
    series = FakeSeries()
    feed = SeriesFeed(SITE, ledger, series, Counters(), 60_000)
    assert feed.step(NOW)
    assert (series.count(SITE), series.kept_gaps, ledger.cursors) == (2, [gap], {CURSOR: 3})
    assert not feed.step(NOW)
    assert feed.lag == 0


def test_while_the_series_store_is_away_nothing_is_lost_and_the_lag_is_seen() -> None:
    ledger, series, counters = journal(batch_entry(1, 1.0), batch_entry(2, 2.0)), FakeSeries(), Counters()
    feed = SeriesFeed(SITE, ledger, series, counters, 60_000)
    series.away = True
    now = NOW
    for _ in range(5):
        assert not feed.step(now)
        now += 60_000
    assert feed.failing == "the series store is away"
    assert feed.lag == 2
    assert counters.get(Count.SERIES_RETRIES) == 5
    assert ledger.cursors == {}
    series.away = False
    assert feed.step(now)
    assert (feed.failing, feed.lag, series.count(SITE)) == ("", 0, 2)


def test_the_feed_vouches_only_for_entries_that_follow_those_before_without_a_break() -> None:
    ledger, series = journal(batch_entry(1, 1.0)), FakeSeries()
    feed = SeriesFeed(SITE, ledger, series, Counters(), 60_000)
    assert feed.step(NOW)  # nobody knows who stored before
    ledger.entries, ledger.last_n = [batch_entry(2, 2.0), batch_entry(3, 3.0)], 3
    assert feed.step(NOW + 3_600_000)
    ledger.entries, ledger.last_n = [batch_entry(5, 5.0)], 5  # another worker stored and trimmed 4
    assert feed.step(NOW + 3_600_000)
    ledger.entries, ledger.last_n = [batch_entry(6, 6.0)], 6
    series.away = True
    assert not feed.step(NOW + 3_600_000)
    series.away = False
    assert feed.step(NOW + 7_200_000)
    assert series.unbroken == [False, True, False, True, False]


def test_a_failing_store_is_not_asked_again_before_its_delay() -> None:
    ledger, series, counters = journal(batch_entry(1, 1.0)), FakeSeries(), Counters()
    feed = SeriesFeed(SITE, ledger, series, counters, 60_000)
    series.away = True
    for ms in range(0, 400, 100):
        feed.step(NOW + ms)
    assert counters.get(Count.SERIES_RETRIES) == 1


def test_a_crash_between_append_and_cursor_repeats_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, series = journal(batch_entry(1, 1.0)), FakeSeries()
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "set_cursor", lambda *_: 1 / 0)
        assert not SeriesFeed(SITE, ledger, series, Counters(), 60_000).step(NOW)
    assert SeriesFeed(SITE, ledger, series, Counters(), 60_000).step(NOW)
    assert (series.appends, series.count(SITE)) == (2, 1)


def test_the_writer_rests_only_when_nothing_moved_and_ends_with_the_process() -> None:
    ledger, series = journal(batch_entry(1, 1.0)), FakeSeries()
    feed = SeriesFeed(SITE, ledger, series, Counters(), 60_000)
    pauses: list[int] = []

    def pause(ms: int) -> bool:
        pauses.append(ms)
        return len(pauses) < 3

    write_series(lambda: [feed], lambda: NOW, pause)
    assert pauses == [0, 100, 100]


def test_every_figure_has_its_meaning_and_is_shown() -> None:
    assert set(MEANING) == set(Count)
    counters = Counters()
    counters.add(Count.PACKS)
    counters.add(Count.READINGS, 60)
    counters.dead_letter(DeadReason.NOT_JSON)
    shown = counters.snapshot()
    assert (shown["packs"], shown["readings"], shown["batches"]) == (1, 60, 0)
    assert counters.letters() == {"not_json": 1}


def test_a_brokers_address_is_read_with_and_without_credentials() -> None:
    plain = parse_broker("mqtt://broker")
    assert (plain.host, plain.port, plain.user, plain.password) == ("broker", 1883, "", "")
    full = parse_broker("mqtt://school:p%40ss@10.0.0.1:1884")
    assert (full.host, full.port, full.user, full.password) == ("10.0.0.1", 1884, "school", "p@ss")


@pytest.mark.parametrize("url", ["", "broker", "http://broker", "mqtt://", "mqtt://host:port", "mqtt://host/topic"])
def test_what_is_no_brokers_address_is_refused_with_a_remedy(url: str) -> None:
    with pytest.raises(CaretakerError, match="write mqtt://"):
        parse_broker(url)


def test_spans_name_simple_devices_without_boot() -> None:
    batcher = Batcher(SITE, 2, 100)
    batcher.add(simple(b""), Outcome(Verdict.TAKEN, TakenPack("esp", "", 0, 0, decoded(("a/x", 1.0)))), NOW)
    batch = batcher.seal(NOW).batch
    assert batch is not None
    assert batch.spans == (Span("esp", 0, 1, 0),)
