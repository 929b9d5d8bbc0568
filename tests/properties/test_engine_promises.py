"""What the engine promises for every story: gaps, bad, double, disordered and late readings, and any set of levels."""

import itertools
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from domain.alarms import Alarm, AlarmEvent, AlarmKey, EventKind, Priority
from domain.batch import ReadingBatch, Span, batch_of
from domain.lifecycle import apply
from domain.readings import Quality, Reading
from domain.times import MINUTE, SECOND
from rules.engine import Engine
from rules.model import Level, Limit, NoData, Rule, RuleSet, Selector, StateIs

T0 = 1_760_000_000_000
POINTS = {"kitchen": ("fridge-1/temperature", "fridge-2/temperature"), "cellar": ("fridge-3/temperature",)}


@dataclass(frozen=True)
class Pack:
    """One pack of an agent as it arrives: its readings, its promise, when ingest took it."""

    agent: str
    readings: tuple[Reading, ...]
    upto: int
    received: int

    def batch(self) -> ReadingBatch:
        return batch_of("school", self.received, self.readings, agent=self.agent, upto=self.upto)


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


@st.composite
def readings(draw: st.DrawFn, agent: str, most: int = 25) -> list[Reading]:
    """In ascending time, mostly one a minute."""
    steps = st.sampled_from((0, 1, 30 * SECOND, MINUTE, MINUTE, MINUTE, 2 * MINUTE, 4 * MINUTE, 15 * MINUTE))
    values = st.sampled_from((4.0, 5.0, 7.0, 7.2, 7.6, 8.0, 8.5, 9.0, 9.0, 12.5, 13.0, float("nan")))
    time, rows = T0, []
    for step, value in draw(st.lists(st.tuples(steps, values), min_size=1, max_size=most)):
        time += step
        bad = value != value or draw(st.integers(0, 15)) == 0
        rows.append(Reading(draw(st.sampled_from(POINTS[agent])), time, value, Quality.BAD if bad else Quality.GOOD))
    return rows


@st.composite
def stories(draw: st.DrawFn, late: bool, collisions: bool = True) -> list[Pack]:
    """Packs in order of arrival; without `late`, no reading is older than what its agent promised before."""
    packs: list[Pack] = []
    for agent in POINTS:
        rows, received = draw(readings(agent)), T0
        if not collisions:
            rows = list({(row.point, row.time): row for row in rows}.values())
        while rows:
            size = draw(st.integers(1, 8))
            part, rows = rows[:size], rows[size:]
            if late and rows and draw(st.integers(0, 3)) == 0:
                held, part = part[0], part[1:]
                rows.insert(draw(st.integers(0, len(rows))), held)
            rest = min((row.time for row in rows), default=part[-1].time + MINUTE if part else T0)
            newest = max((row.time for row in part), default=T0)
            promise = newest if late else min(rest, newest + draw(st.sampled_from((0, 0, 20 * SECOND))))
            again = [part[0]] if part and draw(st.integers(0, 5)) == 0 else []
            shuffled = draw(st.permutations(part)) + again if part else []
            waits = draw(st.sampled_from((0, 0, 30 * SECOND, 6 * MINUTE)))
            received = max(received, newest + waits)  # an agent's packs stay in order
            packs.append(Pack(agent, tuple(shuffled), promise, received))
    packs.sort(key=lambda pack: pack.received)
    return packs


def engine_with(rules: RuleSet, *, prefilter: bool = True) -> Engine:
    engine = Engine("school", prefilter=prefilter)
    engine.set_rules(None, rules, T0)
    return engine


def run(engine: Engine, story: list[Pack]) -> list[AlarmEvent]:
    """What a pack brings late is reviewed at once."""
    return [event for pack in story for event in engine.feed(pack.batch()) + engine.review(pack.received)[1]]


def fed(engine: Engine, story: list[Pack]) -> list[AlarmEvent]:
    """Without a review."""
    return [event for pack in story for event in engine.feed(pack.batch())]


PAST_KINDS = (EventKind.PAST_RAISE, EventKind.PAST_CLEAR)


def by_alarm(events: list[AlarmEvent]) -> dict[AlarmKey, list[AlarmEvent]]:
    alarms: dict[AlarmKey, list[AlarmEvent]] = {}
    for event in events:
        alarms.setdefault(event.key, []).append(event)
    return alarms


def undated(events: list[AlarmEvent]) -> dict[AlarmKey, list[AlarmEvent]]:
    """What is said, without when it was delivered."""
    return by_alarm([replace(event, detected_at=0, retroactive=False) for event in events])


def end_of(story: list[Pack]) -> int:
    return max(pack.received for pack in story) + 60 * MINUTE


def finish(engine: Engine, story: list[Pack]) -> list[AlarmEvent]:
    """The same end for every run: everybody lives for another hour and has nothing new."""
    events = engine.clock(end_of(story), True)
    for agent in POINTS:
        events += engine.advance(agent, end_of(story))
    return events


@given(rule_sets(), stories(late=True))
def test_the_same_input_gives_the_same_output(rules: RuleSet, story: list[Pack]) -> None:
    assert run(engine_with(rules), story) == run(engine_with(rules), story)


@given(rule_sets(), stories(late=True), st.data())
def test_it_does_not_matter_how_packs_are_batched(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    singly, together = engine_with(rules), engine_with(rules)
    one, other = [], []
    while story:
        size = data.draw(st.integers(1, 4))
        group, story = story[:size], story[size:]
        group = [replace(pack, received=group[-1].received) for pack in group]
        one += fed(singly, group) + singly.review(group[-1].received)[1]
        other += together.feed(joined(group)) + together.review(group[-1].received)[1]
    assert by_alarm(one) == by_alarm(other)


def joined(packs: list[Pack]) -> ReadingBatch:
    rows = [row for pack in packs for row in pack.readings]
    whole = batch_of("school", packs[0].received, rows)
    spans, start = [], 0
    for pack in packs:
        spans.append(Span(pack.agent, start, start + len(pack.readings), pack.upto))
        start += len(pack.readings)
    return replace(whole, spans=tuple(spans))


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
    plain, nudged = engine_with(rules), engine_with(rules)
    said, also = run(plain, story), []
    now = T0
    for number, pack in enumerate(story):
        rest = [row.time for later in story[number:] if later.agent == pack.agent for row in later.readings]
        if rest and data.draw(st.booleans()):
            also += nudged.advance(pack.agent, data.draw(st.integers(T0, min(rest))))
        if data.draw(st.booleans()):
            now = data.draw(st.integers(now, pack.received))
            also += nudged.clock(now, True)
        also += nudged.feed(pack.batch())
        now = max(now, pack.received)
    assert undated(said + finish(plain, story)) == undated(also + finish(nudged, story))


@given(rule_sets(), stories(late=True), st.data())
def test_snapshot_and_restore_anywhere_change_nothing(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(story)))
    whole, first, second = engine_with(rules), engine_with(rules), Engine("school")
    said = run(whole, story) + finish(whole, story)
    before = run(first, story[:cut])
    second.restore(first.snapshot())
    assert said == before + run(second, story[cut:]) + finish(second, story)
    assert second.snapshot() == whole.snapshot()


@given(rule_sets(), stories(late=True))
def test_the_fast_path_says_what_the_plain_one_says(rules: RuleSet, story: list[Pack]) -> None:
    fast, plain = engine_with(rules), engine_with(rules, prefilter=False)
    assert run(fast, story) + finish(fast, story) == run(plain, story) + finish(plain, story)


@given(rule_sets(silence=False), readings("cellar", most=120))
def test_a_long_stretch_at_once_says_what_single_readings_say(rules: RuleSet, rows: list[Reading]) -> None:
    rows = list({row.time: row for row in rows}.values())
    at_once, singly = engine_with(rules), engine_with(rules, prefilter=False)
    one = at_once.feed(batch_of("school", rows[-1].time, rows))
    other = [event for row in rows for event in singly.feed(batch_of("school", rows[-1].time, [row]))]
    assert by_alarm(one) == by_alarm(other)


@given(rule_sets(), stories(late=True))
def test_every_event_is_legal_for_its_alarm(rules: RuleSet, story: list[Pack]) -> None:
    engine = engine_with(rules)
    for key, events in by_alarm(run(engine, story) + finish(engine, story)).items():
        alarm = Alarm("school", key)
        for event in events:
            alarm, _ = apply(alarm, event)


@given(rule_sets(silence=False), stories(late=True))
def test_excursions_of_one_alarm_do_not_overlap(rules: RuleSet, story: list[Pack]) -> None:
    engine = engine_with(rules)
    for events in by_alarm(run(engine, story) + finish(engine, story)).values():
        spans = sorted(intervals(events))
        assert all(start <= end for start, end in spans)
        assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))


def intervals(events: list[AlarmEvent]) -> list[tuple[int, int]]:
    spans, opened, past = [], None, None
    for event in events:
        if event.kind is EventKind.RAISE:
            opened = event.at
        elif event.kind is EventKind.CLEAR and opened is not None:
            spans.append((opened, event.at))
            opened = None
        elif event.kind is EventKind.PAST_RAISE:
            past = event.at
        elif event.kind is EventKind.PAST_CLEAR and past is not None:
            spans.append((past, event.at))
    return spans if opened is None else [*spans, (opened, 1 << 62)]


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
