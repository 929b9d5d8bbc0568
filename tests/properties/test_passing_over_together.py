"""What unequal phases pass over together leaves them as moment by moment would, and no level would have been met."""

import math
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.batch import Float64s, Int64s
from domain.times import MINUTE, SECOND
from rules.signals.base import Bools, Running
from rules.signals.unbalance import Unbalance, percent
from tests.properties.test_passing_over import T0, alike

EXAMPLES = 1000 if settings().max_examples >= 1000 else 15
MOMENTS = 150
SOURCES = (2, 0, 3)  # 1 is an input of something else
CEILING = 20.0
EPS = float(np.finfo(np.float64).eps)


class Rows(NamedTuple):
    source: Int64s
    time: Int64s
    value: Float64s
    bad: Bools

    def part(self, start: int, stop: int) -> "Rows":
        some = slice(start, stop)
        return Rows(self.source[some], self.time[some], self.value[some], self.bad[some])


def unequal(least_mean: float, gaps: tuple[int | None, ...]) -> Running:
    return Unbalance(("a", "b", "c"), least_mean, SOURCES, gaps).start(None, (CEILING,))


def story(seed: int) -> Rows:
    """Phases that draw about the same for a while and then do not; off at times, silent at times, in step or not."""
    chance = np.random.default_rng(seed)
    shape = np.where(np.arange(MOMENTS) // chance.integers(10, 60) % 3 == 2, chance.choice([0.0, 1.0]), 10.0)
    sources, times, values, bad = [], [], [], []
    at = T0
    faulty = int(chance.integers(MOMENTS))
    for row in range(MOMENTS):
        at += int(chance.choice([SECOND, MINUTE, MINUTE, MINUTE, 3 * MINUTE]))
        if chance.random() < 0.02:
            at += 20 * MINUTE
        for source in range(4):
            if chance.random() < 0.8:
                load = float(shape[row]) * (0.6 if source == 3 and row > faulty else 1.0)
                noise = float(np.round(chance.choice([0.0, 0.5]) * chance.standard_normal(), 1))
                sources.append(source)
                times.append(at)
                values.append(load + noise if chance.random() > 0.01 else math.nan)
                bad.append(bool(chance.random() < 0.02) or values[-1] != values[-1])
    columns = np.array(sources, np.int64), np.array(times, np.int64), np.array(values, np.float64)
    return Rows(*columns, np.array(bad, np.bool_))


def take(running: Running, rows: Rows) -> list[float]:
    """Moment by moment; what was in force between and at each of them."""
    said = []
    for time in np.unique(rows.time).tolist():
        while running.due < time:
            running.fire()
            said.append(running.value)
        for source, at, value, bad in zip(*(column.tolist() for column in rows), strict=True):
            if at == time:
                running.read(at, value, bad, source)
        said.append(running.value)
    return said


def at_hand(running: Running, rows: Rows) -> int:
    return running.ahead_together(*rows, -math.inf, CEILING)


def in_advance(running: Running, rows: Rows) -> int:
    calms = running.calm_together(-math.inf, CEILING)
    if calms is None:
        return 0
    count = len(rows.time)
    for source, calm in calms.items():
        mine = np.flatnonzero(rows.source == source)
        reach = calm.reach(rows.time[mine], rows.value[mine], rows.bad[mine])
        count = min(count, int(mine[reach])) if reach < len(mine) else count
    return int(np.searchsorted(rows.time, rows.time[count])) if count < len(rows.time) else count


def told(
    seed: int, least_mean: float, gaps: tuple[int | None, ...], ask: Callable[[Running, Rows], int] = at_hand
) -> int:
    """Tell the story to two of them, one passing over what it may; how many readings that were."""
    chance = np.random.default_rng(seed + 1)
    rows, fast, plain = story(seed), unequal(least_mean, gaps), unequal(least_mean, gaps)
    begins = np.append(np.flatnonzero(np.diff(rows.time, prepend=0)), len(rows.time))
    moment = passed = 0
    while moment < len(begins) - 1:
        part = rows.part(begins[moment], begins[min(moment + int(chance.integers(1, 60)), len(begins) - 1)])
        count = 0 if fast.value >= CEILING else ask(fast, part)
        assert begins[moment] + count in begins  # moments stay whole
        if count:
            fast.pass_over_together(*part.part(0, count))
            assert all(not value >= CEILING for value in take(plain, part.part(0, count)))
        passed += count
        moment = int(np.searchsorted(begins, begins[moment] + count))
        for _ in range(int(chance.integers(1, 5))):
            if moment < len(begins) - 1:
                one = rows.part(begins[moment], begins[moment + 1])
                assert alike(take(fast, one), take(plain, one))
                moment += 1
        assert alike(fast.state(), plain.state())
    return passed


@pytest.mark.parametrize("ask", [in_advance, at_hand])
@settings(max_examples=EXAMPLES)
@given(
    st.integers(0, 1_000_000),
    st.sampled_from([0.0, 2.0, 9.9]),
    st.tuples(*[st.sampled_from([None, 90 * SECOND, 5 * MINUTE])] * 3),
)
def test_what_is_passed_over_would_have_said_nothing_and_leaves_the_same_state(
    ask: Callable[[Running, Rows], int], seed: int, least_mean: float, gaps: tuple[int | None, ...]
) -> None:
    told(seed, least_mean, gaps, ask)


@pytest.mark.parametrize("ask", [in_advance, at_hand])
def test_there_is_much_to_pass_over_in_many_stories(ask: Callable[[Running, Rows], int]) -> None:
    assert sum(told(seed, 2.0, (5 * MINUTE,) * 3, ask) > 100 for seed in range(10)) > 5


def test_inputs_anywhere_in_the_bands_said_beforehand_are_not_unequal() -> None:
    """At the bands' corners, where it is most."""
    chance = np.random.default_rng(2)
    quiet = 0
    for values in chance.uniform(0.0, 14.0, (400, 3)).round(1).tolist():
        running = unequal(5.0, (None,) * 3)
        take(running, Rows(np.array(SOURCES), np.full(3, T0), np.array(values), np.zeros(3, np.bool_)))
        calms = running.calm_together(-math.inf, 40.0)
        for corner in product(*((calms[source].low, calms[source].high) for source in SOURCES)) if calms else ():
            quiet += 1
            said = percent([max(one, -1e6) for one in corner], 5.0)
            assert not said >= 40.0
    assert quiet > 1_000


def test_at_the_limit_or_with_a_limit_below_nothing_is_said_beforehand() -> None:
    rows = Rows(np.array(SOURCES), np.full(3, T0), np.array([10.0, 10.0, 13.0]), np.zeros(3, np.bool_))
    running = unequal(2.0, (None,) * 3)
    assert running.calm_together(-math.inf, 20.0) is None  # nothing heard yet
    take(running, rows)
    assert running.value == percent([10.0, 10.0, 13.0], 2.0)
    assert running.calm_together(-math.inf, running.value) is None
    assert running.calm_together(10.0, 60.0) is None
    assert running.calm_together(-math.inf, 20.0) is not None


@pytest.mark.parametrize("step", [-4, -1, 0, 1, 4])
def test_at_the_very_limit_the_moment_itself_must_tell(step: int) -> None:
    """However sums are rounded: what is passed over is never what the plain definition calls met."""
    for third in np.random.default_rng(1).uniform(7.0, 12.0, 300).tolist():
        values = [11.1, 10.3, third]
        exact = percent(values, 1.0)
        running = unequal(1.0, (None,) * 3)
        rows = Rows(np.array(SOURCES), np.full(3, T0), np.array(values), np.zeros(3, np.bool_))
        ceiling = exact * (1.0 + step * EPS)
        assert running.ahead_together(*rows, -math.inf, ceiling) == 0 or exact < ceiling
        assert running.ahead_together(*rows, -math.inf, exact * 1.001) == 3
        assert running.ahead_together(*rows, exact * 0.999, math.inf) == 3


def test_a_source_of_two_places_fills_the_last_one_only() -> None:
    """As the plain form does: such a rule never knows anything."""
    rows = Rows(np.array([0, 2]), np.full(2, T0), np.array([1.0, 9.0]), np.zeros(2, np.bool_))
    fast, plain = (Unbalance(("a", "a", "b"), 0.0, (0, 0, 2), (None,) * 3).start(None, ()) for _ in range(2))
    assert fast.ahead_together(*rows, -math.inf, 1.0) == 2
    fast.pass_over_together(*rows)
    take(plain, rows)
    assert alike(fast.state(), plain.state())
