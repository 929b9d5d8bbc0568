"""Promise: late data is judged as if it had been on time, exactly as docs/engine.md defines it, however it arrives.

A clock that jumps back and forth makes most of an agent's readings late. The engine (rings that are too small, a
history that lags behind, snapshots anywhere) must say what the plain oracle says, which keeps
everything and judges reading by reading.
"""

import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority
from domain.batch import batch_of
from domain.readings import QualityCode, Reading
from domain.records import Series
from domain.times import MINUTE, SECOND
from rules.condition import Condition
from rules.engine import Engine
from rules.model import Level, Limit, Rule, RuleSet, Selector
from rules.resolve import plan_of
from tests.late_oracle import Oracle, Row, judged

T0 = 1_760_000_000_000
POINT = "fridge-1/temperature"
STEP = 200
VALUES = (4.0, 6.5, 7.5, 8.5, 9.5, 10.5)
JUMPS = (-60_000, -9_000, -2_500, -400, 0, 0, 1_500, 30_000)


def rule(name: str, gap: int | None, *levels: Level) -> Rule:
    return Rule(name, Selector(point=POINT), levels, max_gap=gap)


def rules(gap: int | None) -> RuleSet:
    warm = Level(Limit(above=8.0, deadband=1.0), Priority.HIGH, 20 * STEP, 10 * STEP)
    low = Level(Limit(above=6.0), Priority.LOW, 10 * STEP, 5 * STEP)
    urgent = Level(Limit(above=9.0), Priority.URGENT, 5 * STEP)
    at_once = Level(Limit(above=9.0), Priority.LOW)
    made = (rule("warm", gap, warm), rule("levels", gap, low, urgent), rule("at-once", gap, at_once))
    return RuleSet({one.id: one for one in made})


class Lagging:
    """A history that learns of every pack three packs later."""

    def __init__(self) -> None:
        self.packs: list[list[Row]] = []

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        rows = sorted({row[0]: row for pack in self.packs[:-3] for row in pack if start <= row[0] < end}.values())
        return Series(
            np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float64),
            tuple(QualityCode(row[2]).quality for row in rows),
        )  # fmt: skip


def jumping(chance: random.Random, cycles: int) -> Iterator[list[Row]]:
    """Packs of an agent with a clock that jumps: one to six cycles each, no two readings at one time."""
    shift, value, left, used = 0, 4.0, 5, set[int]()
    pack: list[Row] = []
    for cycle in range(cycles):
        if chance.random() < 0.03:
            shift = chance.choice(JUMPS)
        if left == 0:
            value, left = chance.choice(VALUES), chance.randint(1, 40)
        left -= 1
        time = T0 + cycle * STEP + shift + chance.randint(-40, 40)
        if time not in used:
            used.add(time)
            pack.append((time, value + cycle % 7 / 1000, 2 if chance.random() < 0.01 else 0))
        if len(pack) == 6 or chance.random() < 0.4:
            yield pack
            pack = []
    yield pack


def told(events: Sequence[AlarmEvent]) -> dict[AlarmKey, list[tuple[EventKind, int, int | None]]]:
    found: dict[AlarmKey, list[tuple[EventKind, int, int | None]]] = {}
    for event in events:
        found.setdefault(event.key, []).append((event.kind, event.at, event.level))
    return found


@pytest.fixture(autouse=True, scope="module")
def _small_rings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rules.points.KEPT_WITHOUT_INTERVAL", 24)
        patch.setattr("rules.points.LEAST_KEPT", 24)
        yield


def play(seed: int, cycles: int = 250) -> None:
    chance = random.Random(seed)
    made = rules(chance.choice((None, 3 * STEP)))
    history = Lagging()
    engine = Engine("school", history, prefilter=chance.random() < 0.7)
    engine.set_rules(None, made, T0)
    oracles = {AlarmKey(one.id, POINT): Oracle(plan_of(one, None)) for one in made.rules.values()}
    expected: dict[AlarmKey, list[tuple[EventKind, int, int | None]]] = {}
    events: list[AlarmEvent] = []
    upto = 0
    for number, pack in enumerate([*jumping(chance, cycles), []]):
        upto = max([upto, *(row[0] for row in pack)])
        received = T0 + number * SECOND
        events += engine.feed(batch_of("school", received, readings(pack), agent="box", upto=upto))
        history.packs.append(pack)
        reviewed: tuple[str, ...] = ()
        if chance.random() < 0.6:
            review, more = engine.review(received)
            events += more
            reviewed = review.points
        for key, oracle in oracles.items():
            changes = oracle.pack(pack, upto) + (oracle.review() if reviewed else [])
            expected.setdefault(key, []).extend((one.kind, one.at, one.level) for one in changes)
        if chance.random() < 0.1:
            restored = Engine("school", history, prefilter=engine.prefilter)
            restored.restore(engine.snapshot())
            engine = restored
    assert told(events) == {key: changes for key, changes in expected.items() if changes}, seed


@settings(max_examples=15)
@given(st.integers(0, 1 << 32))
def test_a_clock_that_jumps_back_and_forth(seed: int) -> None:
    play(seed)


def readings(rows: Sequence[Row]) -> list[Reading]:
    return [Reading(POINT, time, value, QualityCode(quality).quality) for time, value, quality in rows]


@settings(max_examples=40)
@given(st.integers(0, 1 << 32))
def test_what_was_not_spoken_of_yet_is_told_as_if_it_had_been_on_time(seed: int) -> None:
    """Late readings in any order and any packs, some twice: after one review the alarm log is that of an undisturbed
    run, with every date in it, when before them nothing was said."""
    chance = random.Random(seed)
    rows, value = [], 4.0
    for number in range(chance.randint(5, 120)):
        value = chance.choice(VALUES) if chance.random() < 0.1 else value
        rows.append((T0 + number * STEP, value, 2 if chance.random() < 0.02 else 0))
    last = (T0 + len(rows) * STEP + chance.randint(0, 5_000), 4.0, 0)
    made = rules(chance.choice((None, 3 * STEP)))
    engine = Engine("school", prefilter=chance.random() < 0.5)
    engine.set_rules(None, made, T0)
    events = engine.feed(batch_of("school", last[0], readings([last]), agent="box"))
    late = rows + chance.sample(rows, len(rows) // 4)
    chance.shuffle(late)
    while late:
        size = chance.randint(1, 20)
        part, late = late[:size], late[size:]
        events += engine.feed(batch_of("school", last[0], readings(part), agent="box", upto=last[0]))
    events += engine.review(last[0])[1] + engine.advance("box", last[0] + MINUTE)
    for one in made.rules.values():
        plan, condition = plan_of(one, None), Condition(plan_of(one, None))
        known = {time: (value, quality) for time, value, quality in [*rows, last]}
        truth = judged(condition, sorted(known), known, last[0] + MINUTE)
        assert told(events).get(AlarmKey(one.id, POINT), []) == [(c.kind, c.at, c.level) for c in truth], plan
