"""What the engine promises holds for conditions on derived series too, for any story and any parameters."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alarms import AlarmEvent, EventKind, Priority
from domain.batch import batch_of
from domain.readings import Reading
from domain.times import MINUTE, SECOND
from rules.model import DerivedLimit, Level, Limit, Rule, RuleSet, Selector
from rules.signals.cumulative import Cumulative
from rules.signals.curve import Curve
from rules.signals.cycles import ShortCycles
from rules.signals.defrost import Asked, Defrost
from rules.signals.known import Signal
from rules.signals.rate import Rate
from rules.signals.share import Duty, Mean, Unreadable
from rules.signals.stuck import Stuck
from tests.properties.promises import (
    POINTS,
    T0,
    Pack,
    advanced_in_between,
    apart,
    batched_in_any_way,
    by_alarm,
    cut_off,
    end_of,
    engine_with,
    fast_as_plain,
    legal,
    readings,
    stories,
)

# A sixth of the promises' examples where time is short; all of them in the long profile.
EXAMPLES = settings().max_examples if settings().max_examples >= 1000 else 25

CUMULATIVE = st.sampled_from(
    (Cumulative(10 * MINUTE, above=8.0), Cumulative(30 * MINUTE, above=7.0), Cumulative(20 * MINUTE, below=8.0))
)
CURVES = st.sampled_from(
    (
        Curve(12.0, ((8.0, 5 * MINUTE), (5.0, 20 * MINUTE))),
        Curve(8.5, ((7.0, 2 * MINUTE),)),
        Curve(5.0, ((12.0, 6 * MINUTE),)),
    )
)
LIMITED = st.sampled_from(
    (
        (Rate(4 * MINUTE, 60 * MINUTE), 20.0),
        (Rate(10 * MINUTE, MINUTE), 0.4),
        (Duty(12 * MINUTE, 8.0), 0.5),
        (Unreadable(8 * MINUTE), 0.4),
        (Mean(5 * MINUTE), 8.0),
        (Mean(15 * MINUTE), 7.5),
    )
)


@st.composite
def derived_levels(draw: st.DrawFn) -> tuple[Level, ...]:
    kind = draw(st.sampled_from(("cumulative", "stuck", "curve", "cycles", "defrost", "limited", "limited")))
    conditions: list[DerivedLimit] = []
    if kind == "cumulative":
        signal: Signal = draw(CUMULATIVE)
        marks = draw(st.sampled_from(((3,), (5,), (2, 6))))
        conditions = [DerivedLimit(signal, at_least=mark * MINUTE) for mark in marks]
    elif kind == "stuck":
        marks = draw(st.sampled_from(((4,), (6, 12))))
        signal = Stuck(draw(st.sampled_from((0.0, 0.5, 1.0))), marks[-1] * MINUTE)
        conditions = [DerivedLimit(signal, at_least=mark * MINUTE) for mark in marks]
    elif kind == "curve":
        conditions = [DerivedLimit(draw(CURVES), at_least=1.0)]
    elif kind == "defrost":
        asked = draw(st.sampled_from(Asked))
        signal = Defrost(asked, draw(st.sampled_from((1.0, 3.0))), 4 * MINUTE, 6 * MINUTE)
        conditions = [DerivedLimit(signal, at_least=1.0 if asked is Asked.ON else 6 * MINUTE)]
    elif kind == "cycles":
        signal = ShortCycles(8.0, draw(st.sampled_from((3, 5))) * MINUTE, 15 * MINUTE)
        conditions = [DerivedLimit(signal, at_least=draw(st.sampled_from((1, 2))))]
    else:
        signal, limit = draw(LIMITED)
        deadband = draw(st.sampled_from((0.0, 0.1)))
        above = draw(st.booleans())
        limits = {"above" if above else "below": limit}
        conditions = [DerivedLimit(signal, deadband=deadband, **limits)]
    on, off = draw(st.sampled_from((0, 0, 1, 3))), draw(st.sampled_from((0, 0, 2)))
    return tuple(Level(condition, Priority.HIGH, on * MINUTE, off * MINUTE) for condition in conditions)


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    gaps = st.sampled_from((None, 90 * SECOND, 3 * MINUTE))
    selector = Selector(metric="temperature")
    rules = [Rule(name, selector, draw(derived_levels()), max_gap=draw(gaps)) for name in ("first", "second")]
    rules.append(Rule("plain", selector, (Level(Limit(above=8.0), Priority.LOW, 3 * MINUTE),), max_gap=draw(gaps)))
    return RuleSet({rule.id: rule for rule in rules})


@settings(max_examples=EXAMPLES)
@given(rule_sets(), stories(late=True), st.data())
def test_it_does_not_matter_how_packs_are_batched(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    batched_in_any_way(rules, story, data)


@settings(max_examples=EXAMPLES)
@given(rule_sets(), stories(late=False), st.data())
def test_extra_advances_change_only_the_delivery(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    advanced_in_between(rules, story, data, clock=False)


@settings(max_examples=EXAMPLES)
@given(rule_sets(), stories(late=True), st.data())
def test_snapshot_and_restore_anywhere_change_nothing(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    cut_off(rules, story, data.draw(st.integers(0, len(story))))


@settings(max_examples=EXAMPLES)
@given(rule_sets(), stories(late=True))
def test_the_fast_path_says_what_the_plain_one_says(rules: RuleSet, story: list[Pack]) -> None:
    fast_as_plain(rules, story)


@settings(max_examples=EXAMPLES)
@given(rule_sets(), stories(late=True))
def test_every_event_is_legal_and_excursions_do_not_overlap(rules: RuleSet, story: list[Pack]) -> None:
    apart(legal(rules, story))


@settings(max_examples=EXAMPLES)
@given(rule_sets(), readings("cellar", most=60), st.data())
def test_a_reading_that_comes_late_is_judged_as_if_it_had_been_on_time(
    rules: RuleSet, rows: list[Reading], data: st.DataObject
) -> None:
    """Where nothing was said before it came, everything that is said is what would have been said."""
    rows = list({row.time: row for row in rows}.values())
    late = data.draw(st.sampled_from(rows))
    on_time, delayed = engine_with(rules), engine_with(rules)
    truth = on_time.feed(batch_of("school", rows[-1].time, rows, agent="cellar", upto=rows[-1].time + 1))
    rest = [row for row in rows if row is not late]
    before = delayed.feed(batch_of("school", rows[-1].time, rest, agent="cellar", upto=rows[-1].time + 1))
    after = delayed.feed(batch_of("school", rows[-1].time, [late], agent="cellar", upto=rows[-1].time + 1))
    after += delayed.review(rows[-1].time)[1]
    said = {event.key for event in before}
    for key, events in by_alarm(truth).items():
        if key in said:
            continue
        expected = shown(events)
        assert shown(by_alarm(after).get(key, [])) == expected


def shown(events: list[AlarmEvent]) -> list[tuple[EventKind, int]]:
    """Raises and clears; of an excursion of the past the highest level is all that is said."""
    kinds = (EventKind.RAISE, EventKind.CLEAR)
    return [(event.kind, event.at) for event in events if event.kind in kinds]


def test_the_points_are_those_of_the_other_promises() -> None:
    assert "fridge-3/temperature" in POINTS["cellar"]
    assert end_of([Pack("cellar", (), T0, T0)]) > T0
