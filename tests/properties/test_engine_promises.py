"""What the engine promises for every story: gaps, bad, double, disordered and late readings, and any set of levels."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.alarms import EventKind, Priority
from domain.batch import batch_of
from domain.readings import Reading
from domain.times import MINUTE, SECOND
from rules.model import Level, Limit, NoData, Rule, RuleSet, Selector, StateIs
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
    fed,
    finish,
    legal,
    readings,
    run,
    stories,
)

PAST_KINDS = (EventKind.PAST_RAISE, EventKind.PAST_CLEAR)


@st.composite
def levels(draw: st.DrawFn) -> Level:
    limit = draw(st.sampled_from((7.0, 8.0, 9.0, 12.0)))
    deadband = draw(st.sampled_from((0.0, 0.5, 1.0)))
    condition = draw(
        st.sampled_from(
            (Limit(above=limit, deadband=deadband), Limit(above=limit), Limit(below=limit), StateIs((limit, 5.0)))
        )
    )
    on, off = draw(st.sampled_from((0, 0, 1, 3, 7))), draw(st.sampled_from((0, 0, 2, 5)))
    return Level(condition, draw(st.sampled_from(Priority)), on * MINUTE, off * MINUTE)


@st.composite
def rule_sets(draw: st.DrawFn, silence: bool = True) -> RuleSet:
    gaps = st.sampled_from((None, 90 * SECOND, 3 * MINUTE))
    rules = [
        Rule(name, Selector(metric="temperature"), tuple(draw(st.lists(levels(), min_size=1, max_size=3))), max_gap=gap)
        for name, gap in (("first", draw(gaps)), ("second", draw(gaps)))
    ]
    if silence:
        # One delay: what arrives in one batch arrives at one instant, so with two a step between could be passed over.
        silent = Level(NoData(draw(st.sampled_from((2, 5, 20))) * MINUTE), Priority.LOW)
        rules.append(Rule("silent", Selector(metric="temperature"), (silent,)))
    return RuleSet({rule.id: rule for rule in rules})


@given(rule_sets(), stories(late=True))
def test_the_same_input_gives_the_same_output(rules: RuleSet, story: list[Pack]) -> None:
    assert run(engine_with(rules), story) == run(engine_with(rules), story)


@given(rule_sets(), stories(late=True), st.data())
def test_it_does_not_matter_how_packs_are_batched(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    batched_in_any_way(rules, story, data)


@given(rule_sets(), stories(late=True), st.data())
def test_it_does_not_matter_how_readings_are_packed(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    """Also late ones, between two reviews. Two values at one time keep their order of arrival, which a cut may change
    for those that come late, so there are none."""
    whole, cut_up = engine_with(rules), engine_with(rules)
    one, other = [], []
    promised = dict.fromkeys(POINTS, 1)
    for pack in story:
        cut = data.draw(st.integers(0, len(pack.readings)))
        early = replace(pack, readings=pack.readings[:cut], upto=promised[pack.agent])
        one += fed(whole, [pack])
        other += fed(cut_up, [early, replace(pack, readings=pack.readings[cut:])])
        promised[pack.agent] = max(promised[pack.agent], pack.upto)
        if data.draw(st.integers(0, 2)) == 0:
            one += whole.review(pack.received)[1]
            other += cut_up.review(pack.received)[1]
    assert by_alarm(one) == by_alarm(other)


@given(rule_sets(), stories(late=False), st.data())
def test_extra_advances_change_only_the_delivery(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    advanced_in_between(rules, story, data, clock=True)


@given(rule_sets(), stories(late=True), st.data())
def test_snapshot_and_restore_anywhere_change_nothing(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    cut_off(rules, story, data.draw(st.integers(0, len(story))))


@given(rule_sets(), stories(late=True))
def test_the_fast_path_says_what_the_plain_one_says(rules: RuleSet, story: list[Pack]) -> None:
    fast_as_plain(rules, story)


@given(rule_sets(silence=False), readings("cellar", most=120))
def test_a_long_stretch_at_once_says_what_single_readings_say(rules: RuleSet, rows: list[Reading]) -> None:
    rows = list({row.time: row for row in rows}.values())
    at_once, singly = engine_with(rules), engine_with(rules, prefilter=False)
    one = at_once.feed(batch_of("school", rows[-1].time, rows))
    other = [event for row in rows for event in singly.feed(batch_of("school", rows[-1].time, [row]))]
    assert by_alarm(one) == by_alarm(other)


@given(rule_sets(), stories(late=True))
def test_every_event_is_legal_for_its_alarm(rules: RuleSet, story: list[Pack]) -> None:
    legal(rules, story)


@given(rule_sets(silence=False), stories(late=True))
def test_excursions_of_one_alarm_do_not_overlap(rules: RuleSet, story: list[Pack]) -> None:
    apart(legal(rules, story))


@given(rule_sets(silence=False), stories(late=False), st.data())
def test_late_readings_only_add(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    """What was said by the end of the story stays said, whatever comes to light afterwards."""
    engine = engine_with(rules)
    before = run(engine, story) + finish(engine, story)
    agent = data.draw(st.sampled_from(sorted(POINTS)))
    late = data.draw(readings(agent))
    added = run(engine, [Pack(agent, tuple(late), 1, end_of(story))])
    assert all(event.detected_at == end_of(story) for event in added)
    known = by_alarm(before)
    for key, events in by_alarm(added).items():
        said = known.get(key, [])
        again = {(event.kind, event.at, event.level) for event in said}
        assert not again & {(event.kind, event.at, event.level) for event in events}
        last = max((event.at for event in said), default=T0)
        # Before the last word there are only whole excursions that overlap nothing; behind it, what follows it.
        earlier = [event for event in events if event.at < last]
        assert len(earlier) % 2 == 0
        assert {event.kind for event in earlier} <= {*PAST_KINDS, EventKind.RAISE, EventKind.CLEAR}


def oracle(rows: list[Reading], limit: float, on: int, off: int, until: int) -> list[tuple[EventKind, int]]:
    """One level above a limit, readings in order, no gap rule: the textbook way, second by second of its own."""
    said: list[tuple[EventKind, int]] = []
    active, began = False, None
    marks = sorted({row.time for row in rows} | {row.time + wait for row in rows for wait in (on, off)})
    value = {row.time: row.value for row in rows}
    beyond: bool | None = None
    for mark in marks:
        if mark >= until:
            break
        if mark in value:
            now_beyond = value[mark] > limit
            began = began if beyond is now_beyond else mark
            beyond = now_beyond
        if beyond is None or began is None:
            continue
        if not active and beyond and mark - began >= on:
            active = True
            said.append((EventKind.RAISE, mark))
        elif active and not beyond and mark - began >= off:
            active = False
            said.append((EventKind.CLEAR, mark))
    return said


@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from((7.0, 8.0, 8.1, 9.0))), min_size=1, max_size=60),
    st.integers(0, 9),
    st.integers(0, 9),
    st.booleans(),
)
def test_a_single_level_does_what_the_textbook_says(
    steps: list[tuple[int, float]], on: int, off: int, prefilter: bool
) -> None:
    rows, time = [], T0
    for step, value in steps:
        time += step * MINUTE
        rows.append(Reading("fridge-3/temperature", time, value))
    level = Level(Limit(above=8.0), Priority.HIGH, on * MINUTE, off * MINUTE)
    engine = engine_with(RuleSet({"r": Rule("r", Selector(metric="temperature"), (level,))}), prefilter=prefilter)
    until = time + 30 * MINUTE
    events = engine.feed(batch_of("school", time, rows, agent="cellar")) + engine.advance("cellar", until)
    assert [(event.kind, event.at) for event in events] == oracle(rows, 8.0, on * MINUTE, off * MINUTE, until)
