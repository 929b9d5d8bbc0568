"""What comes late: stories of readings that were not there in time."""

import numpy as np
import pytest

from domain.alarms import EventKind, Priority, Reason
from domain.batch import batch_of
from domain.readings import Reading
from domain.records import Review, Series
from domain.times import DAY, HOUR, MINUTE, SECOND
from rules.engine import Engine
from rules.model import Level, Limit, Rule, Selector
from tests.unit.rules.engine_stories import FRIDGE, T0, Stored, engine_with, minutes, said, send, warm


def test_late_readings_reveal_an_excursion_of_the_past() -> None:
    engine = engine_with(warm())
    assert send(engine, [(0, 5.0), (1, 5.0), (30, 5.0)], upto=30) == []
    events = send(engine, [*minutes(2, 20, 9.0), (21, 5.0)], upto=30, received=31)
    assert said(events) == [("raise", 12), ("clear", 21)]
    raised, cleared = events
    assert (raised.since, raised.value, raised.priority) == (T0 + 2 * MINUTE, 9.0, Priority.HIGH)
    assert (raised.reason, cleared.reason) == (Reason.ABOVE_LIMIT, Reason.WITHIN_LIMIT)
    assert raised.retroactive
    assert raised.detected_at == T0 + 31 * MINUTE
    assert engine.counters.late == 20


def test_the_same_late_readings_again_say_nothing_more() -> None:
    engine = engine_with(warm())
    send(engine, [(0, 5.0), (30, 5.0)], upto=30)
    late = [*minutes(2, 20, 9.0), (21, 5.0)]
    assert len(send(engine, late, upto=30)) == 2
    assert send(engine, late, upto=30) == []
    assert send(engine, [(13.5, 9.5)], upto=30) == []


def test_an_excursion_of_the_past_while_the_alarm_is_active_is_told_apart() -> None:
    engine = engine_with(warm())
    assert said(send(engine, [(0, 5.0), (1, 5.0), *minutes(60, 71, 9.0)], upto=71)) == [("raise", 70)]
    events = send(engine, [*minutes(2, 20, 9.0), (21, 5.0)], upto=71)
    assert said(events) == [("past_raise", 12), ("past_clear", 21)]
    assert said(send(engine, [(72, 5.0)], upto=72)) == [("clear", 72)]


def test_late_readings_that_fill_a_gap_raise_what_should_be_active_now() -> None:
    engine = engine_with(warm())
    assert send(engine, [(0, 9.0), (1, 9.0), (14, 9.0)], upto=14) == []
    (event,) = send(engine, minutes(2, 13, 9.0), upto=14)
    assert (event.kind, event.at, event.since) == (EventKind.RAISE, T0 + 10 * MINUTE, T0)
    assert said(send(engine, [(15, 5.0)], upto=15)) == [("clear", 15)]


def test_late_readings_bring_a_running_delay_forward() -> None:
    engine = engine_with(warm())
    send(engine, [(0, 5.0), *minutes(6, 8, 9.0)], upto=8)
    assert send(engine, minutes(3, 5, 9.0), upto=8) == []
    assert said(send(engine, minutes(9, 14, 9.0), upto=14)) == [("raise", 13)]


def test_a_late_cold_reading_interrupts_a_running_delay() -> None:
    engine = engine_with(warm())
    send(engine, [(0, 9.0), (2, 9.0), (4, 9.0)], upto=4)
    assert send(engine, [(3, 5.0)], upto=4) == []
    assert said(send(engine, minutes(5, 15, 9.0), upto=15)) == [("raise", 14)]


def test_a_late_cold_reading_takes_nothing_back() -> None:
    engine = engine_with(warm())
    assert said(send(engine, minutes(0, 12, 9.0), upto=12)) == [("raise", 10)]
    assert send(engine, [(5.5, 5.0)], upto=12) == []
    assert said(send(engine, [(13, 5.0)], upto=13)) == [("clear", 13)]


def test_what_was_cleared_too_early_is_raised_again_from_there() -> None:
    engine = engine_with(warm(on=0, off=5))
    pairs = [(0, 9.0), (1, 5.0), (3, 5.0), (5, 5.0), (6.5, 5.0)]
    assert said(send(engine, pairs, upto=6.5)) == [("raise", 0), ("clear", 6)]
    (event,) = send(engine, [(4, 9.0)], upto=6.5)
    assert (event.kind, event.at, event.since) == (EventKind.RAISE, T0 + 6 * MINUTE, T0 + 6 * MINUTE)
    assert said(send(engine, [(8, 5.0), (10, 5.0), (11, 5.0)], upto=11)) == [("clear", 10)]


def test_older_than_seven_days_is_kept_unjudged_and_counted() -> None:
    engine = engine_with(warm(on=0))
    week = 7 * DAY // MINUTE
    send(engine, [(week + 10, 5.0)], upto=week + 10)
    assert send(engine, [(9.9, 99.0)], upto=week + 10) == []
    assert engine.counters.unjudged == 1


def test_exactly_seven_days_old_is_judged() -> None:
    engine = engine_with(warm(on=0))
    week = 7 * DAY // MINUTE
    send(engine, [(week, 5.0)], upto=week)
    assert said(send(engine, [(0, 99.0)], upto=week)) == [("raise", 0), ("clear", week)]
    assert engine.counters.unjudged == 0


def test_what_the_engine_no_longer_remembers_is_asked_of_the_history() -> None:
    morning = minutes(0, 600, 5.0)
    history = Stored(minutes(0, 100, 5.0) + minutes(120, 600, 5.0))
    engine = engine_with(warm(), history=history)
    send(engine, [pair for pair in morning if not 100 < pair[0] < 120], upto=600)
    events = send(engine, minutes(101, 119, 9.0), upto=600)
    assert said(events) == [("raise", 111), ("clear", 120)]
    assert history.asked == 1


def test_without_a_history_what_is_too_far_back_is_counted_unjudged() -> None:
    engine = engine_with(warm())
    send(engine, minutes(100, 700, 5.0), upto=700)
    assert send(engine, minutes(0, 20, 9.0), upto=700) == []
    assert engine.counters.unjudged > 0


class Away(Stored):
    """Does not answer while it is `away`."""

    away = True

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        if self.away:
            self.asked += 1
            raise ConnectionError("the store is away")
        return super().read(site, point, start, end, limit)


def test_a_history_that_does_not_answer_stops_nothing_and_is_asked_again() -> None:
    history = Away(minutes(100, 700, 5.0))
    engine = engine_with(warm(), history=history)
    send(engine, minutes(100, 700, 5.0), upto=700)
    assert send(engine, minutes(0, 20, 9.0), upto=700) == []
    assert said(send(engine, minutes(701, 720, 9.0), upto=720)) == [("raise", 711)]
    asked, now = history.asked, T0 + 720 * MINUTE
    for second in range(29):
        assert engine.review(now + second * SECOND)[0].points == ()
    assert history.asked == asked, "not every second"
    assert engine.review(now + 30 * SECOND)[0].points == ()
    assert history.asked == asked + 1
    history.away = False
    again = Engine("school", history)
    again.restore(engine.snapshot())
    review, events = again.review(now + HOUR)
    assert review.points == (FRIDGE,)
    assert said(events) == [("past_raise", 10), ("past_clear", 100)], (
        "after a restart too; the readings were kept apart"
    )
    assert again.review(now + HOUR)[1] == []
    assert again.counters.unjudged == 0


def test_what_memory_knows_is_judged_while_the_history_is_away() -> None:
    engine = engine_with(warm(on=1), history=Away([]))
    send(engine, [pair for pair in minutes(0, 700, 5.0) if not 650 < pair[0] < 655], upto=700)
    assert said(send(engine, minutes(651, 654, 9.0), upto=700)) == [("raise", 652), ("clear", 655)]


def test_a_doubt_that_is_a_week_old_is_judged_from_seven_days_on_and_counted() -> None:
    history = Away(minutes(100, 700, 5.0))
    engine = engine_with(warm(), history=history)
    send(engine, minutes(100, 700, 5.0), upto=700)
    send(engine, minutes(0, 20, 9.0), upto=700)
    history.away = False
    week = 7 * DAY // MINUTE
    send(engine, [(week + 600, 5.0)], upto=week + 600, received=week + 600)
    assert engine.counters.unjudged == 1
    assert engine.review(T0 + (week + 700) * MINUTE)[0].points == ()


def test_a_replay_judges_the_points_that_were_judged_and_no_others() -> None:
    history = Away(minutes(100, 700, 5.0))
    engine = engine_with(warm(), history=history)
    send(engine, minutes(100, 700, 5.0), upto=700)
    send(engine, minutes(0, 20, 9.0), upto=700)
    history.away = False
    assert engine.review(T0 + 701 * MINUTE, Review(0, ())) == (Review(T0 + 701 * MINUTE, ()), [])
    again = Engine("school", history)
    again.restore(engine.snapshot())
    assert said(again.review(T0 + 702 * MINUTE, Review(0, (FRIDGE, "no-such/point")))[1]) == [
        ("raise", 10),
        ("clear", 100),
    ]
    assert again.counters.unjudged == 0
    history.away = True
    assert engine.review(T0 + 702 * MINUTE, Review(0, (FRIDGE,)))[1] == [], (
        "it was judged; what was said then is in the log"
    )
    assert engine.counters.unjudged == 1


def test_of_too_many_late_readings_the_oldest_are_left_to_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.doubts.MOST_APART_OF_A_POINT", 30)
    history = Away([])
    engine = engine_with(warm(), history=history)
    send(engine, minutes(500, 1200, 5.0), upto=1200)
    send(engine, minutes(0, 99, 9.0), upto=1200)
    assert engine.counters.let_go == 70
    history.away = False
    history.time, history.value = (
        Stored(minutes(0, 99, 9.0) + minutes(500, 1200, 5.0)).time,
        np.concatenate((np.full(100, 9.0), np.full(701, 5.0))),
    )
    assert said(engine.review(T0 + 1300 * MINUTE)[1]) == [("raise", 10), ("clear", 500)]


def test_the_site_as_a_whole_keeps_so_many_and_lets_the_idlest_point_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.doubts.MOST_APART", 25)
    engine = engine_with(warm(), history=Away([]))
    for name in (FRIDGE, "fridge-2/temperature"):
        rows = [Reading(name, T0 + minute * MINUTE, 5.0) for minute in range(500, 1200)]
        engine.feed(batch_of("school", T0 + 1200 * MINUTE, rows, agent=name))
    for received, name in ((1201, FRIDGE), (1202, "fridge-2/temperature")):
        rows = [Reading(name, T0 + minute * MINUTE, 9.0) for minute in range(20)]
        engine.feed(batch_of("school", T0 + received * MINUTE, rows, agent=name, upto=T0 + 1200 * MINUTE))
    assert engine.counters.let_go == 20
    assert list(engine.doubts.apart) == [1]
    assert len(engine.doubts.oldest) == 2, "both are still in doubt"


def test_late_readings_are_kept_apart_for_ten_minutes() -> None:
    history = Stored(minutes(0, 700, 5.0))
    engine = engine_with(warm(), history=history)
    send(engine, minutes(100, 700, 5.0), upto=700)
    send(engine, minutes(0, 20, 9.0), upto=700)
    engine.review(T0 + 710 * MINUTE)
    assert engine.doubts.apart
    engine.review(T0 + 710 * MINUTE + 1)
    assert not engine.doubts.apart


def test_a_late_reading_without_any_lookback_ends_at_the_next_one_that_only_the_history_knows() -> None:
    at_once = Rule("at-once", Selector(point=FRIDGE), (Level(Limit(above=8.0), Priority.HIGH),))
    history = Stored(minutes(0, 10, 5.0) + minutes(12, 600, 5.0))
    engine = engine_with(at_once, history=history)
    send(engine, [pair for pair in minutes(0, 600, 5.0) if pair[0] != 11], upto=600)
    assert said(send(engine, [(11, 9.0)], upto=600)) == [("raise", 11), ("clear", 12)]


def test_a_history_too_long_to_read_at_once_adds_the_past_and_leaves_the_present(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rules.revisit.MOST_HISTORY", 50)
    engine = engine_with(warm(), history=Stored(minutes(0, 100, 5.0) + minutes(120, 600, 5.0)))
    assert said(send(engine, minutes(0, 100, 5.0) + minutes(120, 600, 5.0), upto=600)) == []
    assert said(send(engine, minutes(101, 119, 9.0), upto=600)) == [("raise", 111), ("clear", 120)]
    assert said(send(engine, minutes(601, 612, 9.0), upto=612)) == [("raise", 611)]


def test_a_collision_in_the_past_is_kept_a_millisecond_later() -> None:
    engine = engine_with(warm(on=0))
    send(engine, [(0, 5.0), (1, 5.0), (2, 5.0)], upto=2)
    events = send(engine, [(1, 9.0)], upto=2)
    assert [(event.kind, event.at - T0) for event in events] == [
        (EventKind.RAISE, MINUTE + 1),
        (EventKind.CLEAR, 2 * MINUTE),
    ]
    assert send(engine, [(1, 9.0)], upto=2) == []
