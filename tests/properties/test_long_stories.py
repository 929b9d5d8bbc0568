"""Hundreds of readings with every derived condition: the engine says what it says one by one, however it is fed."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alarms import AlarmEvent
from domain.batch import Float64s, Int64s, ReadingBatch, Span
from domain.readings import QualityCode
from domain.times import HOUR, MINUTE
from rules.engine import Engine
from rules.loading import load_rules
from rules.model import RuleSet
from rules.signals.base import Bools
from tests.properties.test_passing_over import T0, story

EXAMPLES = 1000 if settings().max_examples >= 1000 else 12
POINT = "freezer/temperature"
WHERE = f"applies_to: {{point: {POINT}}}"
CONDITIONS = (
    "{stuck: {for: 30min, within: 0.2}}",
    "{duty: {on_above: 5, over: 1h, above: 0.8, deadband: 0.2}}",
    "{duty: {on_above: 5, over: 75min, below: 0.05}}",
    "{mean: {over: 45min, above: 6, deadband: 1}}",
    "{unreadable: {over: 30min, above: 0.3}}",
    "{cumulative: {above: 6, longer_than: 40min, in: 4h}}",
    "{short_cycles: {on_above: 5, shorter_than: 6min, count: 2, in: 1h}}",
    "{rate: {above: 12, per: 1h, over: 15min}}",
    "{rate: {below: -40, per: 1h, over: 12min}}",
    "{defrost: {rise: 4, within: 30min}}",
    "{defrost_endless: {longer_than: 1h, rise: 4}}",
    "{defrost_missed: {longer_than: 3h, rise: 4}}",
    "{base_load: {above: 3, over: 1d}}",
    "{cooling: {from: 5, stages: [{to: 4, within: 6min}, {to: 3, within: 15min}]}}",
    "{reheating: {from: 4, to: 6, within: 9min}}",
    "{above: 8, deadband: 1}",
)
DELAYS = ("", "\n    on_delay: 10min", "\n    on_delay: 3min\n    off_delay: 12min")


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    """Some of them together on one point: then the point is at rest only while all are."""
    gap = draw(st.sampled_from(("", "\n    max_gap: 90s", "\n    max_gap: 20min")))
    chosen = draw(st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=3, unique=True))
    text = "rules:\n"
    for number, condition in enumerate(chosen):
        delays = draw(st.sampled_from(DELAYS))
        text += f"  - id: rule-{number}\n    {WHERE}\n    condition: {condition}{delays}{gap}\n    priority: high\n"
    return load_rules(text, "story")


def batch(times: Int64s, values: Float64s, bad: Bools, upto: int) -> ReadingBatch:
    quality = np.where(bad, int(QualityCode.BAD), int(QualityCode.GOOD)).astype(np.uint8)
    span = Span("agent", 0, len(times), upto)
    return ReadingBatch("school", upto, (POINT,), np.zeros(len(times), np.int32), times, values, quality, (span,))


def begun(rules: RuleSet, *, prefilter: bool = True) -> Engine:
    engine = Engine("school", prefilter=prefilter)
    engine.set_rules(None, rules, T0)
    return engine


@settings(max_examples=EXAMPLES)
@given(rule_sets(), st.integers(0, 1_000_000), st.integers(0, 1_000_000))
def test_it_says_what_it_says_reading_by_reading_however_it_is_fed_and_restarted(
    rules: RuleSet, seed: int, cuts: int
) -> None:
    chance = np.random.default_rng(cuts)
    most = int(chance.choice([1, 4, 150]))
    times, values, bad = story(seed)
    plain, fast = begun(rules, prefilter=False), begun(rules)
    said: list[AlarmEvent] = []
    expected: list[AlarmEvent] = []
    row = 0
    while row < len(times):
        part = slice(row, row + int(chance.integers(1, most + 1)))
        one = batch(times[part], values[part], bad[part], int(times[part][-1]))
        expected += plain.feed(one)
        said += fast.feed(one)
        assert said == expected
        if chance.random() < 0.1:
            after = int(times[part.stop] if part.stop < len(times) else times[-1] + HOUR)
            until = int(chance.integers(int(times[part][-1]), after + 1))
            expected += plain.advance("agent", until)
            said += fast.advance("agent", until)
            assert said == expected
        if chance.random() < 0.1:
            again = Engine("school")
            again.restore(fast.snapshot())
            assert again.snapshot() == fast.snapshot()
            fast = again
        row = part.stop
    end = int(times[-1]) + 5 * HOUR
    assert said + fast.advance("agent", end) == expected + plain.advance("agent", end)


@settings(max_examples=EXAMPLES)
@given(rule_sets(), st.integers(0, 1_000_000), st.data())
def test_a_late_reading_is_judged_alike_too(rules: RuleSet, seed: int, data: st.DataObject) -> None:
    times, values, bad = story(seed)
    late = data.draw(st.integers(1, len(times) - 2))
    rest = np.arange(len(times)) != late
    plain, fast = begun(rules, prefilter=False), begun(rules)
    end = int(times[-1])
    cut = data.draw(st.integers(0, len(times) - 2))
    said: list[list[AlarmEvent]] = []
    for engine in (plain, fast):
        events: list[AlarmEvent] = []
        for part in (slice(0, cut), slice(cut, None)):
            rows = np.flatnonzero(rest)[part]
            if len(rows):
                events += engine.feed(batch(times[rows], values[rows], bad[rows], int(times[rows[-1]])))
        one = slice(late, late + 1)
        events += engine.feed(batch(times[one], values[one], bad[one], end))
        events += engine.review(end + MINUTE)[1]
        said.append(events + engine.advance("agent", end + 5 * HOUR))
    assert said[0] == said[1]


def test_weeks_of_energy_are_judged_alike() -> None:
    """Its memory is of weeks: stories of hundreds of readings never have a usual."""
    text = "rules:\n"
    for name, condition in (
        ("usual", "{baseline: {above_percent: 20, of: hour_of_week, weeks: 2}}"),
        ("base", "{base_load: {above: 285, over: 1d}}"),
    ):
        text += f"  - id: {name}\n    {WHERE}\n    condition: {condition}\n    priority: low\n"
    rules = load_rules(text, "story")
    chance = np.random.default_rng(3)
    times = T0 + np.arange(5 * 7 * 72) * 20 * MINUTE
    spikes = 200.0 * (chance.random(len(times)) < 0.1)
    values: Float64s = np.round(300.0 + 30.0 * chance.standard_normal(len(times)) + spikes, 1)
    good = np.zeros(len(times), np.bool_)
    plain, fast = begun(rules, prefilter=False), begun(rules)
    said = []
    for engine in (plain, fast):
        said.append(engine.feed(batch(times, values, good, int(times[-1]))))
    assert said[0] == said[1]
    assert {event.key.rule for event in said[0]} == {"usual", "base"}
