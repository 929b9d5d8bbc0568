"""What a signal passes over together leaves it as one by one would, and no level would have been met meanwhile."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.batch import Float64s, Int64s
from domain.calendar import Schedule
from domain.times import DAY, HOUR, MINUTE, SECOND
from rules.signals.base import Bools, Running
from rules.signals.base_load import BaseLoad
from rules.signals.baseline import Baseline
from rules.signals.cumulative import Cumulative
from rules.signals.curve import Curve
from rules.signals.cycles import ShortCycles
from rules.signals.defrost import Asked, Defrost
from rules.signals.known import Signal
from rules.signals.out_of_hours import OutOfHours
from rules.signals.plain import Plain
from rules.signals.rate import Rate
from rules.signals.schedule import InSchedule
from rules.signals.share import Duty, Mean, Unreadable
from rules.signals.stuck import Stuck

EXAMPLES = 200 if settings().max_examples >= 1000 else 4
READINGS = 300
T0 = 1_700_000_000_000
WEEK = tuple(((8 * 60, 17 * 60),) for _ in range(7))
HOURS = Schedule(week=WEEK)


class Case(NamedTuple):
    """A signal with the bounds between which its value is to stay."""

    signal: Signal | None
    floor: float
    ceiling: float


INF = float("inf")
CASES = {
    "plain": Case(None, 2.0, 8.0),
    "stuck": Case(Stuck(0.5, 60 * MINUTE), -INF, 30.0 * MINUTE),
    "stuck exactly": Case(Stuck(0.0, 20 * MINUTE), -INF, 20.0 * MINUTE),
    "duty above": Case(Duty(60 * MINUTE, 5.0), -INF, 0.8),
    "duty below": Case(Duty(75 * MINUTE, 5.0), 0.05, INF),
    "duty between": Case(Duty(30 * MINUTE, 5.0), 0.1, 0.9),
    "mean": Case(Mean(45 * MINUTE), 1.0, 8.0),
    "unreadable": Case(Unreadable(30 * MINUTE), -INF, 0.3),
    "cumulative above": Case(Cumulative(4 * HOUR, above=6.0), -INF, 40.0 * MINUTE),
    "cumulative below": Case(Cumulative(HOUR, below=3.0), -INF, 15.0 * MINUTE),
    "short cycles": Case(ShortCycles(5.0, 6 * MINUTE, HOUR), -INF, 2.0),
    "one short cycle": Case(ShortCycles(5.0, 20 * MINUTE, HOUR), -INF, 1.0),
    "rate": Case(Rate(15 * MINUTE, HOUR), -12.0, 12.0),
    "rate, gentle": Case(Rate(15 * MINUTE, HOUR), -60.0, 40.0),
    "rate, one sided": Case(Rate(5 * MINUTE, MINUTE), -INF, 1.0),
    "defrost": Case(Defrost(Asked.ON, 4.0, 30 * MINUTE, 1), -INF, 1.0),
    "defrost endless": Case(Defrost(Asked.LASTS, 4.0, 30 * MINUTE, HOUR), -INF, float(HOUR)),
    "defrost missed": Case(Defrost(Asked.SINCE, 4.0, 20 * MINUTE, 3 * HOUR), -INF, 3.0 * HOUR),
    "cooling": Case(Curve(8.0, ((5.0, 20 * MINUTE), (3.0, 60 * MINUTE))), -INF, 1.0),
    "cooling, often": Case(Curve(5.0, ((4.0, 6 * MINUTE), (3.0, 15 * MINUTE))), -INF, 1.0),
    "reheating": Case(Curve(2.0, ((6.0, 20 * MINUTE),)), -INF, 1.0),
    "schedule": Case(InSchedule("Asia/Shanghai", HOURS), -INF, 1.0),
    "base load": Case(BaseLoad("Asia/Shanghai", False, 1), -INF, 4.0),
    "baseline": Case(Baseline("Europe/Berlin", False, 1, 1), -INF, 5.0),
    "baseline of a counter": Case(Baseline("Europe/Berlin", True, 1, 1), -INF, 5.0),
    "out of hours": Case(OutOfHours("Asia/Shanghai", False, "open", 1, HOURS), -INF, 40.0),
}
GAPS = (None, 90 * SECOND, 4 * MINUTE, 20 * MINUTE)


def started(case: Case, gap: int | None) -> Running:
    if case.signal is None:
        return Plain(gap)
    marks = tuple(limit for limit in (case.floor, case.ceiling) if abs(limit) < INF)
    return case.signal.start(gap, marks)


def story(seed: int) -> tuple[Int64s, Float64s, Bools]:
    """Readings as life has them: cycles, steps, standing values, spikes, holes, errors; at times much denser."""
    chance = np.random.default_rng(seed)
    pace = chance.choice([SECOND, 30 * SECOND, MINUTE, MINUTE, 5 * MINUTE])
    steps = chance.choice([pace, pace, pace, pace + 1, 2 * pace], READINGS)
    holes = chance.random(READINGS) < chance.choice([0.0, 0.02, 0.1])
    steps[holes] += chance.choice([3 * MINUTE, 11 * MINUTE, HOUR, 9 * HOUR], int(holes.sum()))
    rows = np.arange(READINGS)
    shapes = [
        4.0 + chance.choice([0.3, 2.0, 4.0]) * np.sin(rows * 2.0 * np.pi / chance.integers(5, 60)),
        np.where(rows // chance.integers(2, 30) % 2, 9.0, 1.0),
        np.full(READINGS, 4.0),
        np.cumsum(chance.choice([-0.5, 0.0, 0.0, 0.5], READINGS)) + 5.0,
    ]
    values = shapes[chance.integers(4)].astype(np.float64)
    mixed = chance.integers(READINGS)
    values[mixed:] = shapes[chance.integers(4)][mixed:]
    values = np.round(values + chance.choice([0.0, 0.1]) * chance.standard_normal(READINGS), 1)
    spikes = chance.random(READINGS) < chance.choice([0.0, 0.03])
    values[spikes] += chance.choice([-6.0, 6.0, 40.0])
    bad = chance.random(READINGS) < chance.choice([0.0, 0.03, 0.3])
    values[bad & (rows % 2 == 0)] = np.nan
    return T0 + np.cumsum(steps).astype(np.int64), values, bad


def take(running: Running, time: int, value: float, bad: bool) -> list[float]:
    """One reading with what was due before it; all that the signal said."""
    said = []
    while running.due < time:
        running.fire()
        said.append(running.value)
    running.read(time, value, bad)
    return [*said, running.value]


Ask = Callable[[Running, Case, Int64s, Float64s, Bools], int]


def in_advance(running: Running, case: Case, times: Int64s, values: Float64s, bad: Bools) -> int:
    calm = running.calm(case.floor, case.ceiling)
    return 0 if calm is None else calm.reach(times, values, bad)


def at_hand(running: Running, case: Case, times: Int64s, values: Float64s, bad: Bools) -> int:
    return running.ahead(times, values, bad, case.floor, case.ceiling)


def told(name: str, seed: int, gap: int | None, ask: Ask) -> int:
    """Tell the story to two of them, one passing over what it may; how many readings that were.

    It is asked only while no level is met: a condition whose level is met is not idle.
    """
    case, chance = CASES[name], np.random.default_rng(seed + 1)
    times, values, bad = story(seed)
    fast, plain = started(case, gap), started(case, gap)
    row = passed = 0
    while row < len(times):
        rest = slice(row, row + int(chance.integers(1, 100)))
        met = fast.value <= case.floor or fast.value >= case.ceiling
        count = 0 if met else ask(fast, case, times[rest], values[rest], bad[rest])
        some = slice(row, row + count)
        if count:
            fast.pass_over(times[some], values[some], bad[some])
            for one in zip(times[some].tolist(), values[some].tolist(), bad[some].tolist(), strict=True):
                assert all(not (said <= case.floor or said >= case.ceiling) for said in take(plain, *one))
        row, passed = row + count, passed + count
        for _ in range(int(chance.integers(1, 5)) if row < len(times) else 0):
            if row < len(times):
                one = int(times[row]), float(values[row]), bool(bad[row])
                assert alike(take(fast, *one), take(plain, *one))
                row += 1
        assert alike(fast.state(), plain.state())
    return passed


def alike(one: Any, other: Any) -> bool:
    """Equal, unknown numbers too."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("ask", [in_advance, at_hand])
@settings(max_examples=EXAMPLES)
@given(st.integers(0, 1_000_000), st.sampled_from(GAPS))
def test_what_is_passed_over_would_have_said_nothing_and_leaves_the_same_state(
    name: str, ask: Ask, seed: int, gap: int | None
) -> None:
    told(name, seed, gap, ask)


@pytest.mark.parametrize("name", [name for name in CASES if name != "baseline of a counter"])
def test_there_is_much_to_pass_over_and_it_changes_nothing(name: str) -> None:
    assert sum(told(name, seed, GAPS[seed % len(GAPS)], at_hand) for seed in range(12)) > 100


def test_what_one_by_one_must_take_after_a_hole_leaves_the_window_until_then() -> None:
    """Readings of one cell come behind a hole: found by the long profile."""
    assert all(told(name, seed, None, in_advance) for name, seed in (("rate", 343), ("rate, gentle", 9731)))


def test_the_story_has_a_day_and_more() -> None:
    assert any(story(seed)[0][-1] - T0 > DAY for seed in range(20))
