"""A delay that is running is known beside the alarm: how much of it is met, and what stays of it in silence."""

import pytest

from domain.alarms import Priority
from domain.batch import batch_of
from domain.times import MINUTE
from rules.engine import Engine
from rules.loading import load_rules
from rules.model import DerivedLimit, Level, Limit, NoData, Rule, Selector
from rules.pending import LONGEST, Pending, looks_back, pending, pending_in
from rules.resolve import plan_of
from rules.signals.baseline import Baseline
from tests.unit.rules.signal_stories import POINT, T0, readings
from tests.unit.rules.test_joint_stories import SITE, rule, series

WARM = "condition: {above: 8}, on_delay: 30min, max_gap: 3min"


def after(lines: str, values: str, minutes: float) -> tuple[int, float, float, float | None] | None:
    """Level, minutes met and asked for, and until when it is known, so many minutes after the story's beginning."""
    engine, now = told(lines, values), T0 + round(minutes * MINUTE)
    engine.advance("a", now)
    found = pending_in(engine.table.tracks[0][0].condition, now)
    if found is None:
        return None
    until = None if found.known_until is None else (found.known_until - T0) / MINUTE
    return found.level, found.met / MINUTE, found.delay / MINUTE, until


def told(lines: str, values: str) -> Engine:
    engine = Engine("s", prefilter=False)  # its conditions hear everything at once
    rules = f"rules: [{{id: r, applies_to: {{metric: metric}}, {lines}, priority: high}}]"
    engine.set_rules(None, load_rules(rules, "r.yaml"), T0)
    rows = readings(values)
    engine.feed(batch_of("s", rows[-1].time, rows, agent="a", upto=rows[-1].time))
    return engine


def test_of_thirty_minutes_twenty_five_are_met_when_the_point_falls_silent() -> None:
    story = "5x5 9x23"  # beyond from minute 5 to 27, which counts until 30
    assert after(WARM, story, 29) == (0, 24, 30, None)
    assert after(WARM, story, 30) == (0, 25, 30, None)
    assert after(WARM, story, 200) == (0, 25, 30, 30), "it is kept for the next reading"


def test_when_readings_come_back_it_goes_on_from_there() -> None:
    assert after(WARM, "5x5 9x23 _x60 9x2", 89) == (0, 26, 30, None)
    assert after(WARM, "5x5 9x23 _x60 5x2", 89) is None, "the first good reading is in order: it is reset"


def test_a_bad_reading_ends_what_is_known() -> None:
    assert after(WARM, "9x10 _", 20) == (0, 12, 30, 12)
    engine = told(WARM, "9x10")
    assert pending_in(engine.table.tracks[0][0].condition, T0 + 9 * MINUTE) == Pending(
        "r", 0, T0, 9 * MINUTE, 30 * MINUTE, None, 9.0
    )


def test_nothing_runs_where_the_value_is_in_order_or_the_alarm_is_raised() -> None:
    assert after(WARM, "5x40", 39) is None
    assert after(WARM, "9x40", 39) is None


def test_of_several_levels_it_is_the_next_one() -> None:
    lower, higher = "{above: 8, on_delay: 10min, priority: low}", "{above: 12, on_delay: 30min, priority: high}"
    levels = f"max_gap: 3min, levels: [{lower}, {higher}]"
    engine = Engine("s", prefilter=False)  # its conditions hear everything at once
    text = f"rules: [{{id: r, applies_to: {{metric: metric}}, {levels}}}]"
    engine.set_rules(None, load_rules(text, "r.yaml"), T0)
    engine.feed(batch_of("s", T0 + 5 * MINUTE, readings("13x6"), agent="a", upto=T0 + 5 * MINUTE))
    condition = engine.table.tracks[0][0].condition
    found = pending_in(condition, T0 + 5 * MINUTE)
    assert found is not None
    assert (found.level, found.delay) == (0, 10 * MINUTE)
    engine.feed(batch_of("s", T0 + 15 * MINUTE, readings("13x16")[6:], agent="a", upto=T0 + 15 * MINUTE))
    found = pending_in(condition, T0 + 15 * MINUTE)
    assert found is not None
    assert (found.level, found.met, found.delay) == (1, 15 * MINUTE, 30 * MINUTE), "the first is raised"


@pytest.mark.parametrize("minutes", [3, 12, 20, 35, 90])
def test_from_the_newest_readings_alone_it_is_what_the_engine_knows(minutes: int) -> None:
    """With one point, and with a mask on another one that ended."""
    for lines in (WARM, "condition: {above: -12}, on_delay: 20min, mask: {door: open}"):
        engine = Engine("s", prefilter=False)  # its conditions hear everything at once
        engine.set_rules(SITE, load_rules(rule(lines), "r.yaml"), T0)
        rows = [*series("f/temperature", "-18x2 9x24"), *series("f/door", "0x4 1x5 0x17")]
        upto = T0 + minutes * MINUTE
        rows = [row for row in rows if row.time <= upto]
        engine.feed(batch_of("s", upto, rows, agent="a", upto=upto))
        (track,) = engine.table.tracks[0]
        condition = track.condition
        known = pending_in(condition, upto)
        back = looks_back(condition.plan)
        assert back is not None
        newest = max(row.time for row in rows if row.point == "f/temperature")
        begin = newest - back
        if condition.plan.inputs:
            joint = engine.joints.all[0]
            joint.frontier = upto + 1
            found = engine.joints.stretch(joint, engine.past, begin)
            assert found is not None
            columns = found[0]
        else:
            columns = engine.kept(0).rows
        level = track.log.level_at(begin)
        assert pending(condition.plan, columns, begin, level, upto) == known


def test_what_judges_silence_or_remembers_weeks_has_nothing_to_show() -> None:
    silent = Rule("r", Selector(point=POINT), (Level(NoData(10 * MINUTE), Priority.LOW),))
    assert looks_back(plan_of(silent, None)) is None
    usual = DerivedLimit(Baseline(), above=30.0)
    assert plan_of(Rule("r", Selector(point=POINT), (Level(usual, Priority.LOW),)), None).memory > LONGEST
    assert looks_back(plan_of(Rule("r", Selector(point=POINT), (Level(usual, Priority.LOW),)), None)) is None
    plain = Rule("r", Selector(point=POINT), (Level(Limit(above=8.0), Priority.LOW, 30 * MINUTE),), max_gap=MINUTE)
    assert looks_back(plan_of(plain, None)) == 31 * MINUTE
