"""The promises that the engine keeps for any kind of rule, and the stories that they are tried on.

A story is packs of two agents in order of arrival: with gaps, bad, double, disordered and late readings. Each promise
takes a rule set and a story; the tests beside this file draw rule sets of each kind of condition.
"""

import itertools
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from domain.alarms import Alarm, AlarmEvent, AlarmKey, EventKind
from domain.batch import ReadingBatch, Span, batch_of
from domain.lifecycle import apply
from domain.readings import Quality, Reading
from domain.times import MINUTE, SECOND
from rules.engine import Engine
from rules.model import RuleSet

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


def joined(packs: list[Pack]) -> ReadingBatch:
    rows = [row for pack in packs for row in pack.readings]
    whole = batch_of("school", packs[0].received, rows)
    spans, start = [], 0
    for pack in packs:
        spans.append(Span(pack.agent, start, start + len(pack.readings), pack.upto))
        start += len(pack.readings)
    return replace(whole, spans=tuple(spans))


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


def batched_in_any_way(rules: RuleSet, story: list[Pack], data: st.DataObject) -> None:
    """It does not matter how packs are batched."""
    singly, together = engine_with(rules), engine_with(rules)
    one, other = [], []
    while story:
        size = data.draw(st.integers(1, 4))
        group, story = story[:size], story[size:]
        group = [replace(pack, received=group[-1].received) for pack in group]
        one += fed(singly, group) + singly.review(group[-1].received)[1]
        other += together.feed(joined(group)) + together.review(group[-1].received)[1]
    assert by_alarm(one) == by_alarm(other)


def advanced_in_between(rules: RuleSet, story: list[Pack], data: st.DataObject, clock: bool) -> None:
    """Extra advances, and with `clock` extra looks at it, change only the delivery."""
    plain, nudged = engine_with(rules), engine_with(rules)
    said, also = run(plain, story), []
    now = T0
    for number, pack in enumerate(story):
        rest = [row.time for later in story[number:] if later.agent == pack.agent for row in later.readings]
        if rest and data.draw(st.booleans()):
            also += nudged.advance(pack.agent, data.draw(st.integers(T0, min(rest))))
        if clock and data.draw(st.booleans()):
            now = data.draw(st.integers(now, pack.received))
            also += nudged.clock(now, True)
        also += nudged.feed(pack.batch())
        now = max(now, pack.received)
    assert undated(said + finish(plain, story)) == undated(also + finish(nudged, story))


def cut_off(rules: RuleSet, story: list[Pack], cut: int) -> None:
    """A restart after that many packs, from a snapshot, changes neither what is said nor what is known at the end."""
    whole, first, second = engine_with(rules), engine_with(rules), Engine("school")
    said = run(whole, story) + finish(whole, story)
    before = run(first, story[:cut])
    second.restore(first.snapshot())
    assert said == before + run(second, story[cut:]) + finish(second, story)
    assert second.snapshot() == whole.snapshot()


def fast_as_plain(rules: RuleSet, story: list[Pack]) -> None:
    """The fast path says what the plain one says."""
    fast, plain = engine_with(rules), engine_with(rules, prefilter=False)
    assert run(fast, story) + finish(fast, story) == run(plain, story) + finish(plain, story)


def legal(rules: RuleSet, story: list[Pack]) -> list[list[AlarmEvent]]:
    """Every event is legal for its alarm; the events of each."""
    engine = engine_with(rules)
    said = by_alarm(run(engine, story) + finish(engine, story))
    for key, events in said.items():
        alarm = Alarm("school", key)
        for event in events:
            alarm, _ = apply(alarm, event)
    return list(said.values())


def apart(said: list[list[AlarmEvent]]) -> None:
    """Excursions of one alarm do not overlap, and each ends after it begins."""
    for events in said:
        spans = sorted(intervals(events))
        assert all(start <= end for start, end in spans)
        assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
