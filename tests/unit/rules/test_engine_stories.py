"""The engine's promises as stories: one fridge, one rule, and what happens to them minute by minute."""

import pytest

from domain.alarms import AlarmEvent, EventKind, Priority, Reason
from domain.batch import batch_of
from domain.readings import Quality, Reading
from domain.times import MINUTE, SECOND
from rules.engine import Engine
from rules.model import Level, Limit, NoData, Rule, RuleSet, Selector, StateIs

T0 = 1_760_000_000_000
FRIDGE = "fridge-1/temperature"
NAN = float("nan")


def rules(*levels: Level, point: str = FRIDGE, max_gap: int | None = None, rule: str = "warm") -> RuleSet:
    return RuleSet({rule: Rule(rule, Selector(point=point), levels, max_gap=max_gap)})


def above(limit: float, on: int = 0, off: int = 0, deadband: float = 0.0, priority: Priority = Priority.HIGH) -> Level:
    return Level(Limit(above=limit, deadband=deadband), priority, on * MINUTE, off * MINUTE)


def engine_with(ruleset: RuleSet) -> Engine:
    engine = Engine("school")
    assert engine.set_rules(None, ruleset, T0) == []
    return engine


def reading(minute: float, value: float, quality: Quality = Quality.GOOD, point: str = FRIDGE) -> Reading:
    return Reading(point, T0 + round(minute * MINUTE), value, quality)


def send(
    engine: Engine, *minutes: tuple[float, float], upto: float | None = None, agent: str = "kitchen"
) -> list[AlarmEvent]:
    """Feed (minute, value) pairs as one pack that arrives at its newest reading; NaN is a bad reading."""
    rows = [reading(minute, value, Quality.BAD if value != value else Quality.GOOD) for minute, value in minutes]
    newest = max([minute for minute, _ in minutes] + ([] if upto is None else [upto]))
    batch = batch_of("school", T0 + round(newest * MINUTE), rows, agent=agent)
    promised = newest if upto is None else upto
    batch = batch_of("school", batch.received, rows, agent=agent, upto=T0 + round(promised * MINUTE))
    return engine.feed(batch)


def quiet_until(engine: Engine, minute: float, agent: str = "kitchen") -> list[AlarmEvent]:
    """The agent lives and has nothing new until that minute."""
    return engine.advance(agent, T0 + round(minute * MINUTE))


def said(events: list[AlarmEvent]) -> list[tuple[str, float]]:
    return [(str(event.kind), (event.at - T0) / MINUTE) for event in events]


def test_a_value_equal_to_the_limit_is_within_it() -> None:
    engine = engine_with(rules(above(8.0)))
    assert send(engine, (0, 8.0)) == []
    (event,) = send(engine, (1, 8.01))
    assert (event.kind, event.reason, event.value) == (EventKind.RAISE, Reason.ABOVE_LIMIT, 8.01)
    assert said(send(engine, (2, 8.0))) == [("clear", 2)]


def test_below_is_strict_too_and_its_deadband_lies_above_it() -> None:
    level = Level(Limit(below=-12.0, deadband=1.0), Priority.HIGH)
    engine = engine_with(rules(level))
    assert send(engine, (0, -12.0)) == []
    (event,) = send(engine, (1, -12.5))
    assert event.reason is Reason.BELOW_LIMIT
    assert send(engine, (2, -11.5)) == []
    (event,) = send(engine, (3, -11.0))
    assert (event.kind, event.reason) == (EventKind.CLEAR, Reason.WITHIN_LIMIT)


def test_it_clears_at_the_limit_less_the_deadband_and_not_above() -> None:
    engine = engine_with(rules(above(8.0, deadband=0.5)))
    assert said(send(engine, (0, 9.0), (1, 7.6), (2, 8.0))) == [("raise", 0)]
    assert said(send(engine, (3, 7.5))) == [("clear", 3)]


def test_inside_the_deadband_the_delay_to_clear_begins_again() -> None:
    engine = engine_with(rules(above(8.0, off=5, deadband=0.5)))
    send(engine, (0, 9.0), (1, 7.0), (4, 7.8), (5, 7.0))
    assert quiet_until(engine, 9.9) == []
    (event,) = quiet_until(engine, 10.1)
    assert (event.kind, event.at, event.since) == (EventKind.CLEAR, T0 + 10 * MINUTE, T0 + 5 * MINUTE)


def test_a_dip_into_the_deadband_interrupts_a_running_on_delay() -> None:
    engine = engine_with(rules(above(8.0, on=10, deadband=0.5)))
    assert said(send(engine, (0, 9.0), (5, 7.9), (6, 9.0), (15.9, 9.0))) == []
    assert said(send(engine, (16, 9.0))) == [("raise", 16)]


def test_above_for_the_whole_delay_raises_at_the_due_time_with_the_value_in_force() -> None:
    engine = engine_with(rules(above(8.0, on=30)))
    assert send(engine, (0, 5.0), (10, 8.5), (39, 9.5)) == []
    (event,) = send(engine, (45, 11.0))
    assert event.at == T0 + 40 * MINUTE
    assert event.since == T0 + 10 * MINUTE
    assert event.value == 9.5
    assert event.detected_at == T0 + 45 * MINUTE


def test_back_in_order_exactly_at_the_due_moment_raises_nothing() -> None:
    engine = engine_with(rules(above(8.0, on=30)))
    send(engine, (0, 9.0))
    assert quiet_until(engine, 30) == []
    assert send(engine, (30, 8.0)) == []
    assert quiet_until(engine, 100) == []


def test_still_warm_exactly_at_the_due_moment_raises() -> None:
    engine = engine_with(rules(above(8.0, on=30)))
    assert said(send(engine, (0, 9.0), (30, 9.0))) == [("raise", 30)]


def test_silence_beyond_the_gap_pauses_the_delay_and_a_warm_reading_resumes_it() -> None:
    engine = engine_with(rules(above(8.0, on=10), max_gap=3 * MINUTE))
    assert send(engine, (0, 9.0), (1, 9.0), (2, 9.0)) == []  # known until minute 5
    assert quiet_until(engine, 60) == []
    assert send(engine, (60, 9.0)) == []  # five of ten minutes have passed in known time
    assert send(engine, (62, 9.0), (64, 9.0)) == []
    (event,) = send(engine, (65.5, 9.0))
    assert event.at == T0 + 65 * MINUTE
    assert event.since == T0


def test_silence_beyond_the_gap_and_then_a_cold_reading_resets_the_delay() -> None:
    engine = engine_with(rules(above(8.0, on=10), max_gap=3 * MINUTE))
    send(engine, (0, 9.0), (60, 5.0), (61, 9.0), (64, 9.0), (67, 9.0), (70, 9.0))
    assert said(send(engine, (71, 9.0))) == [("raise", 71)]


def test_a_deadline_exactly_at_the_edge_of_what_is_known_counts() -> None:
    engine = engine_with(rules(above(8.0, on=3), max_gap=3 * MINUTE))
    send(engine, (0, 9.0))
    assert said(quiet_until(engine, 50)) == [("raise", 3)]


def test_unknown_time_clears_nothing() -> None:
    engine = engine_with(rules(above(8.0, off=10), max_gap=3 * MINUTE))
    assert said(send(engine, (0, 9.0), (1, 5.0))) == [("raise", 0)]
    assert quiet_until(engine, 500) == []
    assert said(send(engine, (500, 5.0), (503, 5.0), (506, 5.0), (507, 5.0))) == [("clear", 507)]


def test_without_an_interval_in_the_catalogue_there_is_no_gap_rule() -> None:
    engine = engine_with(rules(above(8.0, on=600)))
    send(engine, (0, 9.0))
    assert said(quiet_until(engine, 601)) == [("raise", 600)]


def test_a_bad_reading_in_the_middle_is_unknown_time() -> None:
    engine = engine_with(rules(above(8.0, on=10)))
    send(engine, (0, 9.0), (4, NAN), (7, NAN), (20, 9.0))
    assert quiet_until(engine, 26) == []
    assert said(quiet_until(engine, 27)) == [("raise", 26)]


def test_a_bad_reading_neither_raises_nor_clears() -> None:
    engine = engine_with(rules(above(8.0)))
    assert send(engine, (0, NAN)) == []
    assert said(send(engine, (1, 9.0), (2, NAN))) == [("raise", 1)]


def test_an_uncertain_reading_is_judged_like_a_good_one() -> None:
    engine = engine_with(rules(above(8.0)))
    rows = [reading(0, 9.0, Quality.UNCERTAIN)]
    assert said(engine.feed(batch_of("school", T0, rows))) == [("raise", 0)]


def two_levels() -> RuleSet:
    return rules(above(8.0, on=30, off=5), above(12.0, on=10, off=10, priority=Priority.URGENT))


def test_the_higher_level_steps_the_alarm_up_and_down() -> None:
    engine = engine_with(two_levels())
    (first,) = send(engine, (0, 9.0), (30, 13.0))
    assert (first.kind, first.level, first.priority) == (EventKind.RAISE, 0, Priority.HIGH)
    assert send(engine, (40, 9.0)) == []  # back below 12 exactly when the step was due

    engine = engine_with(two_levels())
    send(engine, (0, 9.0), (30, 13.0))
    (up,) = send(engine, (41, 9.0))
    assert (up.kind, up.reason, up.at, up.since) == (
        EventKind.STEP_UP,
        Reason.STEPPED_UP,
        T0 + 40 * MINUTE,
        T0 + 30 * MINUTE,
    )
    assert (up.level, up.priority) == (1, Priority.URGENT)
    (down,) = quiet_until(engine, 52)
    assert (down.kind, down.at, down.level, down.priority) == (
        EventKind.STEP_DOWN,
        T0 + 51 * MINUTE,
        0,
        Priority.HIGH,
    )


def test_a_higher_level_makes_the_lower_one_active_and_holds_it() -> None:
    engine = engine_with(two_levels())
    (up,) = send(engine, (0, 13.0), (11, 5.0))
    assert (up.kind, up.level, up.at) == (EventKind.RAISE, 1, T0 + 10 * MINUTE)
    # The lower one has been clear for its 5 minutes at 16, the higher one holds it until 21.
    (clear,) = quiet_until(engine, 30)
    assert (clear.kind, clear.at, clear.since) == (EventKind.CLEAR, T0 + 21 * MINUTE, T0 + 11 * MINUTE)


def test_several_levels_at_one_instant_are_one_event() -> None:
    engine = engine_with(rules(above(8.0), above(12.0, priority=Priority.URGENT)))
    (event,) = send(engine, (0, 20.0))
    assert (event.kind, event.level, event.priority) == (EventKind.RAISE, 1, Priority.URGENT)
    (event,) = send(engine, (1, 2.0))
    assert event.kind is EventKind.CLEAR


def test_an_excursion_begins_when_the_lowest_level_became_true() -> None:
    engine = engine_with(two_levels())
    (event,) = send(engine, (0, 9.0), (5, 13.0), (16, 13.0))
    assert (event.level, event.at, event.since) == (1, T0 + 15 * MINUTE, T0)


def test_a_state_is_entered_and_left() -> None:
    engine = engine_with(rules(Level(StateIs((2.0,)), Priority.URGENT)))
    assert send(engine, (0, 0.0), (1, 1.0)) == []
    (entered,) = send(engine, (2, 2.0), (3, 2.0))
    assert (entered.reason, entered.value) == (Reason.STATE_ENTERED, 2.0)
    (left,) = send(engine, (4, 1.0))
    assert left.reason is Reason.STATE_LEFT


def test_readings_are_judged_in_the_order_of_their_events() -> None:
    engine = engine_with(rules(above(8.0)))
    assert said(send(engine, (3, 9.0), (1, 9.0), (2, 5.0))) == [("raise", 1), ("clear", 2), ("raise", 3)]


def test_a_reading_ahead_of_its_agents_promise_waits() -> None:
    engine = engine_with(rules(above(8.0)))
    assert send(engine, (5, 9.0), upto=1) == []
    assert said(send(engine, (2, 9.0), (3, 5.0), upto=5)) == [("raise", 2), ("clear", 3), ("raise", 5)]


def test_the_same_reading_again_changes_nothing() -> None:
    engine = engine_with(rules(above(8.0)))
    send(engine, (0, 9.0), (1, 5.0))
    assert send(engine, (0, 9.0), (1, 5.0), (1, 5.0)) == []
    assert engine.counters.duplicates == 3


def test_another_value_at_the_same_time_counts_a_millisecond_later() -> None:
    engine = engine_with(rules(above(8.0)))
    rows = [reading(0, 9.0), reading(0, 5.0)]
    events = engine.feed(batch_of("school", T0, rows, upto=T0 + SECOND))
    assert [(event.kind, event.at - T0) for event in events] == [(EventKind.RAISE, 0), (EventKind.CLEAR, 1)]


def test_a_stalled_agent_stalls_only_its_own_points() -> None:
    ruleset = RuleSet({"warm": Rule("warm", Selector(metric="temperature"), (above(8.0, on=10),))})
    engine = engine_with(ruleset)
    engine.feed(batch_of("school", T0, [reading(0, 9.0)], agent="kitchen"))
    engine.feed(batch_of("school", T0, [reading(0, 9.0, point="fridge-2/temperature")], agent="cellar"))
    events = engine.advance("kitchen", T0 + 20 * MINUTE)
    assert [(event.key.point, event.at - T0) for event in events] == [(FRIDGE, 10 * MINUTE)]
    assert engine.advance("cellar", T0 + 10 * MINUTE) == []
    (event,) = engine.advance("cellar", T0 + 11 * MINUTE)
    assert event.key.point == "fridge-2/temperature"


def test_a_device_without_promises_is_waited_for_a_minute() -> None:
    engine = engine_with(rules(above(8.0, on=10)))
    batch = batch_of("school", T0 + SECOND, [reading(0, 9.0)], agent="esp32", upto=0)
    assert engine.feed(batch) == []
    assert engine.clock(T0 + 11 * MINUTE, True) == []
    (event,) = engine.clock(T0 + 11 * MINUTE + 1, True)
    assert (event.at, event.detected_at) == (T0 + 10 * MINUTE, T0 + 11 * MINUTE + 1)


def test_within_that_minute_disorder_does_not_matter() -> None:
    engine = engine_with(rules(above(8.0)))
    for received, time, value in ((30, 20, 9.0), (40, 10, 5.0)):
        row = Reading(FRIDGE, T0 + time * SECOND, value)
        assert engine.feed(batch_of("school", T0 + received * SECOND, [row], agent="esp32", upto=0)) == []
    (event,) = engine.clock(T0 + 80 * SECOND, True)
    assert event.at == T0 + 20 * SECOND
    assert engine.counters.late == 0


def test_nothing_is_given_up_while_nothing_can_be_heard() -> None:
    engine = engine_with(rules(above(8.0, on=10)))
    engine.feed(batch_of("school", T0 + SECOND, [reading(0, 9.0)], agent="esp32", upto=0))
    assert engine.clock(T0 + 60 * MINUTE, False) == []
    assert said(engine.clock(T0 + 60 * MINUTE, True)) == [("raise", 10)]


def test_a_promise_once_given_is_what_counts() -> None:
    engine = engine_with(rules(above(8.0)))
    send(engine, (0, 5.0))
    engine.feed(batch_of("school", T0 + 90 * MINUTE, [], agent="kitchen", upto=0))
    assert engine.clock(T0 + 90 * MINUTE, True) == []
    assert said(send(engine, (1, 9.0))) == [("raise", 1)]
    assert engine.counters.late == 0


def test_it_is_retroactive_when_detected_more_than_a_minute_later() -> None:
    for late, retroactive in ((60 * SECOND, False), (60 * SECOND + 1, True)):
        engine = engine_with(rules(above(8.0)))
        (event,) = engine.feed(batch_of("school", T0 + late, [reading(0, 9.0)]))
        assert event.retroactive is retroactive


def test_a_full_buffer_forces_the_frontier_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.engine.MOST_WAITING", 3)
    engine = engine_with(rules(above(8.0)))
    pairs = [(minute, 9.0 if minute % 2 else 5.0) for minute in range(1, 6)]
    events = send(engine, *pairs, upto=0.5)
    assert said(events) == [("raise", 1), ("clear", 2)]
    assert engine.counters.forced == 2
    assert engine.agents["kitchen"].frontier == T0 + 2 * MINUTE


def test_a_rule_that_mixes_silence_and_limits_is_refused() -> None:
    with pytest.raises(ValueError, match="mixes no_data"):
        engine_with(rules(above(8.0), Level(NoData(MINUTE), Priority.LOW)))


def test_an_empty_pack_and_an_unknown_point_change_nothing() -> None:
    engine = engine_with(rules(above(8.0)))
    assert engine.feed(batch_of("school", T0, [], upto=T0)) == []
    assert engine.feed(batch_of("school", T0, [reading(0, 99.0, point="oven/power")])) == []
