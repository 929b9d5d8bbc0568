"""Hundreds of readings of several points under masks and combined conditions: said as reading by reading says it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alarms import AlarmEvent
from domain.batch import ReadingBatch, Span
from domain.catalogue_file import load_catalogue
from domain.readings import QualityCode
from domain.times import HOUR, MINUTE
from rules.engine import Engine
from rules.loading import load_rules
from rules.model import RuleSet
from rules.plan import NEVER
from rules.recent import Columns, join
from tests.properties.test_passing_over import T0, story

EXAMPLES = 1000 if settings().max_examples >= 1000 else 15
POINTS = ("freezer/temperature", "freezer/door", "freezer/power")
CONDITIONS = (
    "{above: 8, deadband: 1}",
    "{duty: {on_above: 5, over: 1h, below: 0.05}}",
    "{cumulative: {above: 6, longer_than: 40min, in: 4h}}",
    "{defrost_endless: {longer_than: 1h, rise: 4}}",
    "{stuck: {for: 30min}}",
    "{all: [{above: 6, on_delay: 5min}, {metric: power, below: 1}, {metric: door, above: 0.5}]}",
    "{any: [{above: 12}, {metric: power, above: 99}, {all: [{metric: door, above: 0.5, on_delay: 9min}, {above: 7}]}]}",
    "{any: [{above: 9, on_delay: 3min}, {metric: power, duty: {on_above: 5, over: 1h, above: 0.8}}]}",
    "{not: {metric: power, above: 5}}",
    "{unbalance: {of: [temperature, power], above_percent: 60, least_mean: 3}}",
    "{unbalance: {of: [power, temperature, door], above_percent: 120, deadband: 20}}",
    "{state: 9}",
    "{state: [0, 1]}",
)
MASKS = (
    "",
    "\n    mask: {when: {metric: door, above: 0.5, on_delay: 3min}, for_at_most: 25min, tail: 10min}",
    "\n    mask:\n      - {when: {metric: door, above: 0.5}, for_at_most: 20min, tail: 10min}\n"
    "      - {when: {all: [{metric: door, above: 0.5}, {metric: power, below: 1}], on_delay: 5min}, tail: 30min}",
    "\n    mask: {when: {above: 9, deadband: 3, on_delay: 10min}, tail: 1h}",
    "\n    mask: {when: {defrost: {rise: 4, within: 30min}}, for_at_most: 1h, tail: 5min}",
    "\n    mask: {when: {metric: power, duty: {on_above: 5, over: 30min, above: 0.9}}}",
)
INTERVALS = ("", ", interval: 30s", ", interval: 2min")
DELAYS = ("", "\n    on_delay: 10min")


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    gap = draw(st.sampled_from(("", "\n    max_gap: 90s", "\n    max_gap: 20min")))
    text = "rules:\n"
    for number in range(draw(st.integers(1, 2))):
        condition, mask = draw(st.sampled_from(CONDITIONS)), draw(st.sampled_from(MASKS))
        text += f"  - id: rule-{number}\n    applies_to: {{point: {POINTS[0]}}}\n    condition: {condition}{mask}"
        text += f"{draw(st.sampled_from(DELAYS))}{gap}\n    priority: high\n"
    return load_rules(text, "story")


def begun(rules: RuleSet, interval: str, *, prefilter: bool = True) -> Engine:
    """With a gap rule for every input when there is an interval: three of them."""
    point = f"{{unit: Cel{interval}}}"
    site = (
        "site: {id: school}\nareas: [{id: k}]\nassets:\n  - {id: freezer, type: freezer, area: k, agent: agent, "
        f"points: {{temperature: {point}, door: {point}, power: {point}}}}}\n"
    )
    engine = Engine("school", prefilter=prefilter)
    engine.set_rules(load_catalogue(site, "site"), rules, T0)
    return engine


def told_by(seed: int) -> Columns:
    """Temperature as ever, a door that opens at times, a power that goes on and off; sorted by time."""
    chance = np.random.default_rng(seed + 7)
    parts = []
    for number in range(len(POINTS)):
        times, values, bad = story(seed if number == 0 else int(chance.integers(1_000_000)))
        if number == 1:
            values = np.where(chance.random(len(values)) < 0.02, 1.0, 0.0)
            values = np.minimum(1.0, np.convolve(values, np.ones(int(chance.choice([1, 8, 30]))))[: len(times)])
        if number == 2 and chance.random() < 0.5:
            values = np.where(values > 5.0, 120.0, 0.0)
        if chance.random() < 0.5:
            times = T0 + (times - T0) // MINUTE * MINUTE + np.arange(len(times)) // 60 * MINUTE
            times = np.maximum.accumulate(times)
        fresh = np.concatenate(([True], np.diff(times) > 0))
        quality = np.where(bad, int(QualityCode.BAD), int(QualityCode.GOOD)).astype(np.uint8)
        parts.append(Columns(np.full(len(times), number, np.int64), times, values, quality).take(fresh))
    rows = Columns(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return rows.take(np.lexsort((rows.point, rows.time)))


def batch(rows: Columns, upto: int) -> ReadingBatch:
    point = rows.point.astype(np.int32)
    span = Span("agent", 0, len(point), upto)
    return ReadingBatch("school", upto, POINTS, point, rows.time, rows.value, rows.quality, (span,))


def known_to(engine: Engine) -> list[str]:
    """What rules on several points say and expect just now, and what holds them back: unknown numbers too."""
    found = []
    for joint in engine.joints.all:
        running = joint.track.condition.running  # type: ignore[attr-defined]
        masks = [
            (mask.since, mask.tail, mask.lost, mask.member.condition.due) for mask in getattr(running, "masks", ())
        ]
        members = [member.condition.due for member in getattr(running, "members", ())]
        inputs = [getattr(running, name, ()) for name in ("values", "edges")]
        found.append(repr((running.value, running.due, masks, members, inputs)))
    return found


@settings(max_examples=EXAMPLES)
@given(rule_sets(), st.sampled_from(INTERVALS), st.integers(0, 1_000_000), st.integers(0, 1_000_000))
def test_it_says_what_it_says_reading_by_reading_however_it_is_fed_and_restarted(
    rules: RuleSet, interval: str, seed: int, cuts: int
) -> None:
    chance = np.random.default_rng(cuts)
    most = int(chance.choice([3, 20, 900]))
    rows = told_by(seed)
    plain, fast = begun(rules, interval, prefilter=False), begun(rules, interval)
    said: list[AlarmEvent] = []
    expected: list[AlarmEvent] = []
    row = 0
    while row < len(rows.time):
        stop = min(len(rows.time), row + int(chance.integers(1, most + 1)))
        stop = int(np.searchsorted(rows.time, rows.time[stop - 1], "right"))  # moments stay whole
        one = batch(rows.take(slice(row, stop)), int(rows.time[stop - 1]))
        expected += plain.feed(one)
        said += fast.feed(one)
        assert said == expected
        if chance.random() < 0.3:
            fast.snapshot()  # quiet rules catch up for it
            assert known_to(fast) == known_to(plain)
        if chance.random() < 0.1:
            again = Engine("school")
            again.restore(fast.snapshot())
            assert again.snapshot() == fast.snapshot()
            fast = again
        row = stop
    end = int(rows.time[-1]) + 5 * HOUR
    assert said + fast.advance("agent", end) == expected + plain.advance("agent", end)


def test_a_door_that_falls_silent_is_unknown_although_nothing_is_said_of_the_temperature() -> None:
    mask = "mask: {when: {metric: door, above: 0.5}, tail: 10min}"
    text = f"rules:\n  - id: warm\n    applies_to: {{point: {POINTS[0]}}}\n    condition: {{above: 8}}\n    {mask}\n"
    rules = load_rules(text + "    priority: high\n", "story")
    minutes = np.arange(180)
    heard = (minutes < 30) | (minutes >= 50)
    parts = [(0, minutes, np.full(180, 5.0)), (1, minutes[heard], np.where(minutes < 30, 1.0, 0.0)[heard])]
    columns = [
        Columns(np.full(len(at), number, np.int64), T0 + at * MINUTE, values, np.zeros(len(at), np.uint8))
        for number, at, values in parts
    ]
    rows = join(*columns)
    rows = rows.take(np.lexsort((rows.point, rows.time)))
    plain, fast = begun(rules, INTERVALS[1], prefilter=False), begun(rules, INTERVALS[1])
    for engine in (plain, fast):
        assert engine.feed(batch(rows, int(rows.time[-1]) + 1)) == []
    fast.snapshot()
    assert known_to(fast) == known_to(plain)
    [state] = known_to(fast)
    # The tail began when the door fell silent, not when it was heard again.
    silent = T0 + 29 * MINUTE + 90_000  # three times its interval after its last reading
    assert f"({NEVER}, {silent + 10 * MINUTE}, {NEVER}, " in state


@pytest.mark.parametrize("mask", ["{metric: door, above: 0.5}", "{above: 8.5, on_delay: 1min}"])
@pytest.mark.parametrize("condition", ["{above: 8}", "{state: 9}"])
def test_what_was_true_behind_a_mask_is_said_when_the_mask_ends_though_nothing_is_read(
    condition: str, mask: str
) -> None:
    """The door's, or one that looks at the rule's own point and has its end by `for_at_most`."""
    text = f"rules:\n  - id: warm\n    applies_to: {{point: {POINTS[0]}}}\n    condition: {condition}\n"
    text += f"    mask: {{when: {mask}, for_at_most: 30min, tail: 20min}}\n    priority: high\n"
    rules = load_rules(text, "story")
    told = [(1, 0, 1.0), (0, 1, 5.0), (0, 2, 9.0), (1, 3, 1.0)]
    plain, fast = begun(rules, "", prefilter=False), begun(rules, "")
    said = []
    for engine in (plain, fast):
        events: list[AlarmEvent] = []
        for point, minute, value in told:
            one = [np.array([column]) for column in (point, T0 + minute * MINUTE, value, 0)]
            events += engine.feed(batch(Columns(*one), T0 + minute * MINUTE))
        said.append(events + engine.advance("agent", T0 + 5 * HOUR))
    assert said[0] == said[1]
    assert [event.kind.value for event in said[0]][-1] == "raise"
