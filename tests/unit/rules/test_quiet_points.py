"""A point where nothing can change is judged later: nobody may notice."""

import math

import numpy as np
import pytest

from domain.alarms import AlarmEvent, EventKind
from domain.batch import batch_of
from domain.readings import Quality, Reading
from domain.times import MINUTE
from rules.engine import Engine
from rules.kernel import FEWEST, Lookout
from rules.loading import load_rules
from rules.recent import Columns

T0 = 1_760_000_000_000
POINT = "fridge/temperature"


def engine_with(condition: str, prefilter: bool = True) -> Engine:
    rules = load_rules(
        f"rules:\n  - id: r\n    applies_to: {{point: {POINT}}}\n    condition: {condition}\n    priority: high\n", "r"
    )
    engine = Engine("school", prefilter=prefilter)
    engine.set_rules(None, rules, T0)
    return engine


def heard(engine: Engine, minute: int, value: float, quality: Quality = Quality.GOOD) -> list[AlarmEvent]:
    time = T0 + minute * MINUTE
    return engine.feed(batch_of("school", time, [Reading(POINT, time, value, quality)], agent="a", upto=time))


def unseen(engine: Engine) -> int:
    return int(engine.table.unseen[engine.table.numbers[POINT]])


def test_a_probe_that_moves_is_not_heard_and_one_that_stops_is_told_of_at_its_time() -> None:
    engine = engine_with("{stuck: {for: 30min}}")
    for minute in range(20):
        assert heard(engine, minute, 4.0 + minute % 3) == []
    assert unseen(engine) > 10
    said = [(minute, event) for minute in range(20, 60) for event in heard(engine, minute, 4.0)]
    [(minute, event)] = said
    assert (event.kind, event.at) == (EventKind.RAISE, T0 + 50 * MINUTE)
    assert minute == 50


def test_without_any_reading_it_is_looked_at_when_something_may_be_due() -> None:
    said = []
    for prefilter in (True, False):
        engine = engine_with("{duty: {on_above: 5, over: 1h, below: 0.2}}", prefilter)
        events = [event for minute in range(70) for event in heard(engine, minute, 9.0)]
        events += heard(engine, 70, 1.0)
        for minute in range(71, 200):
            events += engine.advance("a", T0 + minute * MINUTE)
        said.append(events)
    assert said[0] == said[1]
    assert [event.kind for event in said[0]] == [EventKind.RAISE]


def test_bad_readings_count_where_they_are_what_is_asked_for() -> None:
    engine = engine_with("{unreadable: {over: 30min, above: 0.5}}")
    for minute in range(40):
        heard(engine, minute, 4.0)
    assert unseen(engine) > 20
    said = [event for minute in range(40, 70) for event in heard(engine, minute, np.nan, Quality.BAD)]
    assert [event.kind for event in said] == [EventKind.RAISE]


def test_it_catches_up_before_its_ring_loses_what_it_has_not_heard() -> None:
    engine = engine_with("{cumulative: {above: 8, longer_than: 2h, in: 24h}}")
    heard(engine, 0, 4.0)
    room, most = engine.table.recent.room(engine.table.numbers[POINT]), 0
    for minute in range(1, 2 * room):
        heard(engine, minute, 4.0)
        most = max(most, unseen(engine))
    assert room // 2 < most <= room


@pytest.mark.parametrize("late", [False, True])
def test_a_snapshot_and_a_late_reading_find_it_up_to_date(late: bool) -> None:
    engine = engine_with("{stuck: {for: 30min}}")
    for minute in range(20):
        heard(engine, minute, 4.0 + minute % 3)
    assert unseen(engine)
    if late:
        old = T0 + 10 * MINUTE + 1
        engine.feed(batch_of("school", T0 + 20 * MINUTE, [Reading(POINT, old, 5.0)], agent="a", upto=old))
    else:
        engine.snapshot()
    assert unseen(engine) == 0
    [track] = engine.table.tracks[engine.table.numbers[POINT]]
    assert track.condition.running.edge > T0
    assert len(track.condition.running.entries) == 1


def test_what_is_quiet_for_a_limit_may_not_be_for_the_rule_beside_it() -> None:
    """A value as before is quiet for a limit that is active; what is out of limit adds up all the same."""
    rules = load_rules(
        f"rules:\n  - id: limit\n    applies_to: {{point: {POINT}}}\n    condition: {{above: 8}}\n    priority: low\n"
        f"  - id: sum\n    applies_to: {{point: {POINT}}}\n"
        "    condition: {cumulative: {above: 8, longer_than: 5min, in: 1h}}\n    priority: high\n",
        "r",
    )
    engine = Engine("school")
    engine.set_rules(None, rules, T0)
    heard(engine, 0, 9.0)
    heard(engine, 1, np.nan, Quality.BAD)
    said = [event for minute in range(2, 12) for event in heard(engine, minute, 9.0)]
    assert [(event.key.rule, event.at) for event in said] == [("sum", T0 + 6 * MINUTE)]


def test_rows_of_one_point_are_compared_with_what_it_said() -> None:
    engine = engine_with("{cumulative: {above: 8, longer_than: 2h, in: 24h}}")
    heard(engine, 0, 4.0)
    point = engine.table.numbers[POINT]
    values = np.array([4.0, 8.0, 8.1, np.nan])
    rows = Columns(np.full(4, point), T0 + np.arange(1, 5) * MINUTE, values, np.zeros(4, np.uint8))
    loud, startled = engine.table.loud(rows, np.arange(4), np.ones(4, np.int64))
    assert (loud.tolist(), startled) == ([], [point]), "only one may lead to something, after two hours"


def taken_one_by_one(look: Lookout) -> int:
    part = look.refused()
    return int(part.stop) - int(part.start)


def test_one_looks_more_seldom_until_a_pass_was_worth_the_looking() -> None:
    look = Lookout()
    assert [taken_one_by_one(look) for _ in range(7)] == [6, 12, 24, 48, 96, 192, 192]
    look.passed(23)
    assert taken_one_by_one(look) == 192, "few readings do not pay for looking"
    look.passed(24)
    assert taken_one_by_one(look) == FEWEST


SUM = "{cumulative: {above: 8, longer_than: 5min, in: 1h}}"


@pytest.mark.parametrize(
    ("condition", "more", "values", "raised"),
    [
        (SUM, "", [4.0] * 20 + [9.0] * 10, 25),
        (SUM, "", [4.0] * 20 + [9.0] * 3 + [4.0] * 3 + [9.0] * 9, 28),
        (SUM, "on_delay: 4min", [4.0] * 20 + [9.0] * 12, 29),
        ("{unreadable: {over: 9min, above: 0.5}}", "", [4.0] * 20 + [np.nan] * 9, 24.75),
        ("{above: 8}", "on_delay: 5min", [4.0] * 20 + [9.0] * 9, 25),
        ("{above: 8}", "on_delay: 5min", [4.0] * 20 + [9.0, 4.0, 4.0] * 2 + [9.0] * 9, 31),
        ("{state: [1, 3]}", "on_delay: 5min", [2.0] * 20 + [1.0, 3.0] * 4, 25),
    ],
)
def test_what_began_is_told_in_time_though_it_is_heard_only_then(
    condition: str, more: str, values: list[float], raised: float
) -> None:
    found = []
    for prefilter in (True, False):
        engine = engine_with(condition + (f"\n    {more}" if more else ""), prefilter)
        said = []
        for minute, value in enumerate(values):
            before = unseen(engine) if minute else 0
            events = heard(engine, minute, value, Quality.BAD if value != value else Quality.GOOD)
            said += [(minute, event.kind, (event.at - T0) / MINUTE) for event in events]
            if prefilter and minute == 21:
                assert before >= 1, "its beginning was not heard"
        found.append(said)
    assert found[0] == found[1]
    assert found[0][0] == (math.ceil(raised), EventKind.RAISE, raised)
