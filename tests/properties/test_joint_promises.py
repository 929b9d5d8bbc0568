"""What the engine promises holds for rules that look at several points: combined conditions, and masks."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alarms import AlarmEvent, AlarmKey, Priority
from domain.batch import batch_of
from domain.readings import Reading
from domain.times import MINUTE, SECOND
from rules.backtest import backtest
from rules.model import Combined, DerivedLimit, Level, Limit, Mask, Mode, Part, Rule, RuleSet, Selector
from rules.readings_csv import ReadingRows
from rules.signals.cumulative import Cumulative
from rules.signals.share import Duty
from rules.signals.unbalance import Unbalance
from tests.properties.promises import (
    POINTS,
    Pack,
    apart,
    by_alarm,
    cut_off,
    end_of,
    engine_with,
    finish,
    joined,
    legal,
    readings,
    stories,
    undated,
)
from tests.properties.test_signal_promises import EXAMPLES, shown

CONDITIONS = st.sampled_from(
    (
        Limit(above=8.0, deadband=0.5),
        Limit(above=7.0),
        Limit(below=8.0),
        DerivedLimit(Cumulative(10 * MINUTE, above=7.0), at_least=3 * MINUTE),
        DerivedLimit(Duty(12 * MINUTE, 8.0), above=0.4),
        DerivedLimit(Unbalance(("fridge-2/temperature", "fridge-3/temperature"), 1.0), above=5.0, deadband=2.0),
    )
)
DELAYS = st.sampled_from((0, 0, MINUTE, 3 * MINUTE))


@st.composite
def parts(draw: st.DrawFn, deep: bool = True) -> Part:
    if deep and draw(st.integers(0, 3)) == 0:
        return Part(draw(combined(False)), on_delay=draw(DELAYS))
    where = draw(st.sampled_from(("", "fridge-2/temperature", "fridge-3/temperature", "fridge-3/temperature")))
    return Part(draw(CONDITIONS), point=where, on_delay=draw(DELAYS), off_delay=draw(DELAYS))


@st.composite
def combined(draw: st.DrawFn, deep: bool = True) -> Combined:
    mode = draw(st.sampled_from(Mode))
    count = 1 if mode is Mode.NOT else 2
    return Combined(mode, tuple(draw(parts(deep)) for _ in range(count)))


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    return Mask(draw(parts()), draw(st.sampled_from((None, 2 * MINUTE, 5 * MINUTE))), draw(DELAYS))


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    rules = []
    for name in ("first", "second"):
        condition = draw(st.one_of(combined(), CONDITIONS))
        level = Level(condition, Priority.HIGH, draw(DELAYS), draw(DELAYS))
        gap = draw(st.sampled_from((None, 90 * SECOND, 3 * MINUTE)))
        masked = tuple(draw(st.lists(masks(), max_size=2)))
        rules.append(Rule(name, Selector(point="fridge-1/temperature"), (level,), max_gap=gap, masks=masked))
    return RuleSet({rule.id: rule for rule in rules})


@st.composite
def in_step(draw: st.DrawFn) -> list[list[Pack]]:
    """Packs of both agents that promise the same at the same time, in groups that arrive together."""
    rows = sorted([*draw(readings("kitchen")), *draw(readings("cellar"))], key=lambda row: row.time)
    rows = list({(row.point, row.time): row for row in rows}.values())
    groups, start = [], 0
    cuts = sorted(draw(st.sets(st.sampled_from([row.time for row in rows]), max_size=8)) | {rows[-1].time})
    for cut in cuts:
        packs = []
        for agent, points in POINTS.items():
            mine = tuple(row for row in rows if start < row.time <= cut and row.point in points)
            packs.append(Pack(agent, mine, cut, cut))
        groups.append(packs)
        start = cut
    return groups


def told(groups: list[list[Pack]], rules: RuleSet) -> dict[AlarmKey, list[AlarmEvent]]:
    engine = engine_with(rules)
    events = [event for packs in groups for event in engine.feed(joined(packs))]
    return undated(events + finish(engine, [pack for packs in groups for pack in packs]))


@settings(max_examples=EXAMPLES)
@given(rule_sets(), in_step())
def test_it_does_not_matter_how_what_arrives_in_step_is_cut(rules: RuleSet, groups: list[list[Pack]]) -> None:
    whole = []
    for agent in POINTS:
        rows = tuple(row for packs in groups for pack in packs if pack.agent == agent for row in pack.readings)
        whole.append(Pack(agent, rows, groups[-1][0].upto, groups[-1][0].received))
    assert told(groups, rules) == told([whole], rules)


@settings(max_examples=EXAMPLES)
@given(rule_sets(), stories(late=True), st.data())
def test_snapshot_and_restore_anywhere_change_nothing(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    cut_off(rules, story, data.draw(st.integers(0, len(story))))


@settings(max_examples=EXAMPLES)
@given(st.sampled_from((90 * SECOND, 3 * MINUTE)), st.sampled_from((0, 4 * MINUTE)), stories(late=True), st.data())
def test_a_restart_keeps_when_each_phase_becomes_unknown(
    gap: int, off: int, story: list[Pack], data: st.DataObject
) -> None:
    """The delay is longer than the gap: whether it goes on depends on the edges of what is known."""
    unequal = DerivedLimit(Unbalance(("fridge-2/temperature", "fridge-3/temperature"), 1.0), above=5.0)
    level = Level(unequal, Priority.HIGH, 4 * MINUTE, off)
    rules = RuleSet({"unequal": Rule("unequal", Selector(point="fridge-1/temperature"), (level,), max_gap=gap)})
    cut_off(rules, story, data.draw(st.integers(0, len(story))))


@settings(max_examples=EXAMPLES)
@given(rule_sets(), stories(late=True))
def test_every_event_is_legal_and_excursions_do_not_overlap(rules: RuleSet, story: list[Pack]) -> None:
    apart(legal(rules, story))


@settings(max_examples=EXAMPLES)
@given(rule_sets(), in_step(), st.data())
def test_a_late_reading_of_any_input_is_judged_as_if_it_had_been_on_time(
    rules: RuleSet, groups: list[list[Pack]], data: st.DataObject
) -> None:
    rows = [row for packs in groups for pack in packs for row in pack.readings]
    late = data.draw(st.sampled_from(rows))
    engine = engine_with(rules)
    without = [
        [replace(pack, readings=tuple(row for row in pack.readings if row is not late)) for pack in packs]
        for packs in groups
    ]
    every = [pack for packs in groups for pack in packs]
    first = [event for packs in without for event in engine.feed(joined(packs))] + finish(engine, every)
    agent = next(agent for agent, points in POINTS.items() if late.point in points)
    after = engine.feed(batch_of("school", end_of(every), [late], agent=agent, upto=1))
    after += engine.review(end_of(every))[1]
    said = {event.key for event in first}
    for key, events in told(groups, rules).items():
        if key not in said:
            assert shown(by_alarm(after).get(key, [])) == shown(events)


@settings(max_examples=EXAMPLES)
@given(rule_sets(), in_step())
def test_a_backtest_says_what_the_live_engine_says(rules: RuleSet, groups: list[list[Pack]]) -> None:
    rows = [row for packs in groups for pack in packs for row in pack.readings]
    if not rows:
        return
    end = max(row.time for row in rows)
    engine = engine_with(rules)
    live = [event for packs in groups for event in engine.feed(joined(packs))]
    live += [event for agent in POINTS for event in engine.advance(agent, end + 1)]
    found = backtest(rules, columns(rows), None, end).transitions
    assert sorted((one.key, one.event, one.at) for one in found) == sorted((one.key, one.kind, one.at) for one in live)


def columns(rows: list[Reading]) -> ReadingRows:
    """Sorted by point, as a file may be."""
    rows = sorted(rows, key=lambda row: row.point)
    points = tuple(dict.fromkeys(row.point for row in rows))
    time = np.array([row.time for row in rows], np.int64)
    return ReadingRows(
        points,
        np.array([points.index(row.point) for row in rows], np.int32),
        time,
        np.array([row.value for row in rows], np.float64),
        np.array([row.quality.code for row in rows], np.uint8),
        time,
    )
