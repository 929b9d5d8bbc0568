"""No data, told as stories: who is silent, who only sends yesterday's readings, and when nobody could be heard."""

from domain.alarms import AlarmEvent, EventKind, Priority, Reason
from domain.batch import batch_of
from domain.readings import Quality, Reading
from domain.times import MINUTE
from rules.engine import Engine
from rules.model import Level, NoData, Rule, RuleSet, Selector

T0 = 1_760_000_000_000
FRIDGE = "fridge-1/temperature"
NAN = float("nan")


def rules(*levels: Level, rule: str = "silent") -> RuleSet:
    return RuleSet({rule: Rule(rule, Selector(point=FRIDGE), levels)})


def engine_with(ruleset: RuleSet) -> Engine:
    engine = Engine("school")
    assert engine.set_rules(None, ruleset, T0) == []
    return engine


def said(events: list[AlarmEvent]) -> list[tuple[str, float]]:
    return [(str(event.kind), (event.at - T0) / MINUTE) for event in events]


def silence_rules() -> RuleSet:
    return rules(Level(NoData(15 * MINUTE), Priority.MEDIUM))


def arrive(engine: Engine, minute: float, event_minute: float, value: float = 4.0) -> list[AlarmEvent]:
    quality = Quality.BAD if value != value else Quality.GOOD
    rows = [Reading(FRIDGE, T0 + round(event_minute * MINUTE), value, quality)]
    return engine.feed(batch_of("school", T0 + round(minute * MINUTE), rows))


def test_silence_that_ended_and_came_back_is_raised_again() -> None:
    engine = engine_with(silence_rules())
    arrive(engine, 0, 0)
    assert said(engine.clock(T0 + 16 * MINUTE, True)) == [("raise", 15)]
    assert engine.clock(T0 + 17 * MINUTE, True) == []
    assert said(arrive(engine, 20, 20)) == [("clear", 20)]
    assert engine.clock(T0 + 35 * MINUTE, True) == []
    assert said(engine.clock(T0 + 35 * MINUTE + 1, True)) == [("raise", 35)]


def test_no_data_is_raised_when_nothing_arrived_for_the_delay() -> None:
    engine = engine_with(silence_rules())
    arrive(engine, 0, 0)
    assert engine.clock(T0 + 15 * MINUTE, True) == []
    (event,) = engine.clock(T0 + 15 * MINUTE + 1, True)
    assert (event.kind, event.reason, event.at, event.since) == (
        EventKind.RAISE,
        Reason.NO_DATA,
        T0 + 15 * MINUTE,
        T0,
    )
    (event,) = arrive(engine, 20, 19)
    assert (event.kind, event.reason, event.at) == (EventKind.CLEAR, Reason.DATA_RETURNED, T0 + 20 * MINUTE)


def test_a_reading_that_arrives_at_the_due_moment_is_in_time() -> None:
    engine = engine_with(silence_rules())
    arrive(engine, 0, 0)
    assert arrive(engine, 15, 15) == []


def test_a_backlog_is_not_life() -> None:
    engine = engine_with(silence_rules())
    arrive(engine, 0, 0)
    assert said(arrive(engine, 16, 0.5)) == [("raise", 15)]
    assert arrive(engine, 17, 1.9) == []
    assert said(arrive(engine, 18, 3)) == [("clear", 18)]


def test_a_bad_reading_is_a_sign_of_life() -> None:
    engine = engine_with(silence_rules())
    arrive(engine, 0, 0)
    arrive(engine, 10, 10, NAN)
    assert engine.clock(T0 + 16 * MINUTE, True) == []


def test_the_no_data_clock_stands_while_the_broker_cannot_be_reached() -> None:
    engine = engine_with(silence_rules())
    arrive(engine, 0, 0)
    assert engine.clock(T0 + 10 * MINUTE, True) == []
    assert engine.clock(T0 + 10 * MINUTE, False) == []
    assert engine.clock(T0 + 100 * MINUTE, False) == []
    assert engine.clock(T0 + 100 * MINUTE, True) == []
    assert engine.clock(T0 + 105 * MINUTE, True) == []
    assert said(engine.clock(T0 + 106 * MINUTE, True)) == [("raise", 105)]


def test_time_between_loss_and_return_is_not_counted_even_when_only_the_return_is_heard_of() -> None:
    engine = engine_with(silence_rules())
    arrive(engine, 0, 0)
    engine.clock(T0 + 10 * MINUTE, False)
    assert engine.clock(T0 + 300 * MINUTE, True) == []
    assert engine.clock(T0 + 315 * MINUTE, True) == []
    assert said(engine.clock(T0 + 316 * MINUTE, True)) == [("raise", 315)]


def test_two_delays_of_silence_step_up_and_a_fresh_reading_clears_both() -> None:
    levels = (Level(NoData(15 * MINUTE), Priority.LOW), Level(NoData(60 * MINUTE), Priority.HIGH))
    engine = engine_with(rules(*levels))
    arrive(engine, 0, 0)
    assert said(engine.clock(T0 + 61 * MINUTE, True)) == [("raise", 15), ("step_up", 60)]
    assert said(arrive(engine, 70, 30)) == [("step_down", 70)]
    assert said(arrive(engine, 71, 71)) == [("clear", 71)]


def test_two_equal_delays_of_silence_are_one_event() -> None:
    levels = (Level(NoData(15 * MINUTE), Priority.LOW), Level(NoData(15 * MINUTE), Priority.HIGH))
    engine = engine_with(rules(*levels))
    arrive(engine, 0, 0)
    (event,) = engine.clock(T0 + 61 * MINUTE, True)
    assert (event.kind, event.level) == (EventKind.RAISE, 1)


def test_one_silent_point_says_nothing_about_another() -> None:
    ruleset = RuleSet(
        {"silent": Rule("silent", Selector(metric="temperature"), (Level(NoData(MINUTE), Priority.LOW),))}
    )
    engine = engine_with(ruleset)
    for minute, point in ((0, FRIDGE), (0, "fridge-2/temperature"), (1, "fridge-2/temperature")):
        at = T0 + minute * MINUTE
        assert engine.feed(batch_of("school", at, [Reading(point, at, 4.0)])) == []
    (event,) = engine.clock(T0 + 2 * MINUTE, True)
    assert (event.key.point, event.at) == (FRIDGE, T0 + MINUTE)


def test_silence_survives_a_snapshot_and_goes_on_where_it_was() -> None:
    engine = engine_with(silence_rules())
    arrive(engine, 0, 0)
    engine.clock(T0 + 10 * MINUTE, True)
    restored = Engine("school")
    restored.restore(engine.snapshot())
    assert restored.clock(T0 + 15 * MINUTE, True) == []
    assert said(restored.clock(T0 + 16 * MINUTE, True)) == [("raise", 15)]
    assert said(arrive(restored, 17, 17)) == [("clear", 17)]


def test_a_clock_that_goes_back_counts_nothing_twice() -> None:
    engine = engine_with(silence_rules())
    arrive(engine, 0, 0)
    for minute in (10, 5, 10, 5, 10):
        assert engine.clock(T0 + minute * MINUTE, True) == []
    assert said(engine.clock(T0 + 16 * MINUTE, True)) == [("raise", 15)]


def test_a_removed_rule_leaves_the_silence_of_the_others_as_it_was() -> None:
    def silent(name: str, delay: int) -> Rule:
        return Rule(name, Selector(point=FRIDGE), (Level(NoData(delay * MINUTE), Priority.LOW),))

    both = RuleSet({"short": silent("short", 5), "long": silent("long", 15)})
    engine = engine_with(both)
    arrive(engine, 0, 0)
    assert said(engine.clock(T0 + 6 * MINUTE, True)) == [("raise", 5)]
    (closed,) = engine.set_rules(None, RuleSet({"long": silent("long", 15)}), T0 + 7 * MINUTE)
    assert (closed.kind, closed.reason, closed.key.rule) == (EventKind.CLOSE, Reason.RULE_REMOVED, "short")
    (event,) = engine.clock(T0 + 16 * MINUTE, True)
    assert (event.key.rule, event.at) == ("long", T0 + 15 * MINUTE)
