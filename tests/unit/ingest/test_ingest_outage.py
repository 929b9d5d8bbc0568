"""Broker unreachable: one alarm for the site while ingest hears nothing, after its delay, once, over a restart."""

import pytest

from domain.alarms import AlarmEvent, AlarmState, EventKind, Priority, Reason
from domain.system import BROKER_UNREACHABLE, TITLES
from domain.times import MINUTE, SECOND
from ingest.outage import BrokerWatch
from ingest.site_session import SiteSession
from tests.unit.ingest.ingest_fakes import NOW, SITE, Bench, FakeLedger


def begin(bench: Bench) -> SiteSession:
    epoch = bench.ledger.acquire(SITE, bench.settings.worker, bench.time, bench.settings.lease_ttl)
    assert epoch is not None
    session = SiteSession(SITE, epoch, bench.parts)
    session.tick()
    return session


def live(bench: Bench, session: SiteSession, seconds: int) -> None:
    for _ in range(seconds):
        bench.time += SECOND
        session.tick()


def events(bench: Bench) -> list[AlarmEvent]:
    return [event for commit in bench.ledger.commits for event in commit.events]


def test_it_is_raised_when_the_connection_was_gone_for_the_whole_delay_and_once() -> None:
    bench = Bench(FakeLedger(commissioned=NOW))
    session = begin(bench)
    live(bench, session, 10)
    bench.link.connected = bench.link.hearing = False
    live(bench, session, 120)
    assert events(bench) == []
    live(bench, session, 600)
    (event,) = events(bench)
    lost = NOW + 11 * SECOND
    assert (event.key, event.kind, event.reason) == (BROKER_UNREACHABLE, EventKind.RAISE, Reason.CONNECTION_LOST)
    assert (event.since, event.at, event.detected_at) == (lost, lost + 2 * MINUTE, lost + 2 * MINUTE)
    assert (event.priority, event.answer_required, event.retroactive) == (Priority.HIGH, True, False)
    bench.link.connected = bench.link.hearing = True
    live(bench, session, 60)
    _, back = events(bench)
    assert (back.kind, back.reason, back.at) == (EventKind.CLEAR, Reason.CONNECTION_BACK, bench.time - 59 * SECOND)
    assert bench.ledger.kept_alarms[BROKER_UNREACHABLE].state is AlarmState.RETURNED_UNACKNOWLEDGED


def test_a_short_loss_and_a_full_inbox_are_nothing() -> None:
    bench = Bench()
    session = begin(bench)
    for _ in range(5):
        bench.link.connected = False
        live(bench, session, 119)
        bench.link.connected = True
        live(bench, session, 2)
    bench.link.hearing = False
    live(bench, session, 300)
    assert events(bench) == []


def test_a_restart_neither_raises_it_again_nor_forgets_to_clear_it() -> None:
    bench = Bench()
    session = begin(bench)
    bench.link.connected = False
    live(bench, session, 200)
    live(bench, begin(bench), 600)
    assert [event.kind for event in events(bench)] == [EventKind.RAISE]
    bench.link.connected = True
    session = begin(bench)
    live(bench, session, 30)
    assert [event.kind for event in events(bench)] == [EventKind.RAISE, EventKind.CLEAR]
    bench.link.connected = False
    live(bench, session, 200)
    assert [event.kind for event in events(bench)] == [EventKind.RAISE, EventKind.CLEAR, EventKind.RAISE]


def test_before_the_commissioning_it_needs_no_answer() -> None:
    bench = Bench()
    session = begin(bench)
    bench.link.connected = False
    live(bench, session, 200)
    (event,) = events(bench)
    assert not event.answer_required


def test_a_store_that_does_not_answer_is_asked_again() -> None:
    class Away(FakeLedger):
        away = True

        def alarms(self, *args: object, **more: object) -> tuple[list[object], int]:  # type: ignore[override]
            if self.away:
                raise OSError("locked")
            return [], 0

    ledger = Away()
    watch = BrokerWatch(SITE, ledger, MINUTE)
    assert watch.look(NOW, False, None) is None
    with pytest.raises(OSError, match="locked"):
        watch.look(NOW + 2 * MINUTE, False, None)
    ledger.away = False
    event = watch.look(NOW + 3 * MINUTE, False, None)
    assert event is not None
    assert (event.at, event.retroactive) == (NOW + MINUTE, True)


def test_it_has_a_name_in_both_languages() -> None:
    assert TITLES[BROKER_UNREACHABLE.rule].zh
