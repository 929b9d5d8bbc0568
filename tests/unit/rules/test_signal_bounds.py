"""What a signal says beforehand of readings that nobody has seen yet: held against the worst ones that there can be."""

import math

import numpy as np
import pytest

from domain.times import HOUR, MINUTE, SECOND
from rules.signals.base import Calm, worth
from rules.signals.rate import MOST_READINGS, Rate, half_band

T0 = 1_700_000_000_000


def steepest(times: np.ndarray[tuple[int], np.dtype[np.int64]], half: float) -> float:
    """The steepest least-squares slope that values between -half and half can have at these times."""
    apart = times - times.mean()
    return float(half * np.abs(apart).sum() / (apart**2).sum())


@pytest.mark.parametrize("over", [90, 5 * MINUTE, 15 * MINUTE, HOUR])
def test_no_readings_in_the_band_are_steep_however_they_lie(over: int) -> None:
    span, cell = -(-2 * over // 3), max(1, over // MOST_READINGS)
    half = half_band(span, cell)
    cells = np.arange(0, over + 1, cell)
    worst = 0.0
    for ends in ((0, span), (0, over), (over // 6, over // 6 + span)):
        inside = cells[(cells > ends[0]) & (cells < ends[1])]
        for middle in (0.4, 0.5, 0.6):
            for width in np.linspace(0.0, 0.5, 40).tolist():
                near = inside[np.abs(inside - sum(ends) * middle) <= width * over]
                for some in (near, near[::3], near[np.abs(near - sum(ends) * middle) >= width * over / 2]):
                    worst = max(worst, steepest(np.unique([*ends, *some.tolist()]), half))
    assert 0.6 < worst < 1.0  # of a slope of 1: the bound holds, and gives away no more than a third


def test_a_slope_is_calm_within_a_band_around_what_it_holds() -> None:
    running = Rate(15 * MINUTE, HOUR).start(3 * MINUTE, (6.0,))
    for minute in range(20):
        running.read(T0 + minute * MINUTE, 4.0 + 0.1 * (minute % 2), False)
    calm = running.calm(-math.inf, 6.0)
    assert calm is not None
    assert (calm.until, calm.bad) == (Calm().until, True)
    assert calm.low + calm.high == pytest.approx(2 * 4.05)
    # 15 min at 6 an hour are 1.5: less than a tenth of it on either side.
    assert 0.09 * 1.5 < (calm.high - calm.low) / 2 < 0.1 * 1.5
    two_sided = running.calm(-3.0, 6.0)
    assert two_sided is not None
    assert two_sided.high - two_sided.low == pytest.approx((calm.high - calm.low) / 2)
    assert running.calm(0.0, 6.0) is None
    running.read(T0 + 20 * MINUTE, 4.5, False)
    assert running.calm(-math.inf, 6.0) is None


def test_a_window_that_just_began_is_calm_whatever_comes_until_it_can_be_known() -> None:
    running = Rate(15 * MINUTE, HOUR).start(3 * MINUTE, (6.0,))
    assert running.calm(-math.inf, 6.0) is None
    running.read(T0, 4.0, False)
    running.read(T0 + MINUTE, 9.0, False)
    assert running.calm(-math.inf, 6.0) == Calm(until=T0 + 10 * MINUTE - 1)
    for minute in range(2, 11):
        assert math.isnan(running.value)
        running.read(T0 + minute * MINUTE, 9.0, False)
    assert not math.isnan(running.value)
    assert running.calm(-math.inf, 6.0) is None


def test_a_band_that_is_nothing_beside_its_values_is_none() -> None:
    running = Rate(15 * MINUTE, HOUR).start(20 * MINUTE, (6.0,))
    for second in range(0, 900, 10):
        running.read(T0 + second * SECOND, 1e12, False)
    assert running.calm(-math.inf, 6.0) is None


@pytest.mark.parametrize(("count", "offered", "expected"), [(5, 5, 5), (5, 6, 0), (24, 64, 24), (23, 64, 0), (0, 3, 0)])
def test_few_readings_are_not_worth_passing_over_unless_there_are_no_more(
    count: int, offered: int, expected: int
) -> None:
    assert worth(count, offered) == expected
