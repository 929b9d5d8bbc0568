"""What an excursion was, in figures, from readings as they come: late, bad, doubled, missing, out of order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.readings import QualityCode
from domain.times import HOUR, MINUTE
from rules.insight.columns import Column
from rules.insight.excursion import WINDOW, facts_of
from rules.model import Limit

ABOVE_8 = Limit(above=8.0, deadband=0.5)
BELOW_60 = Limit(below=60.0)
START = 1_772_380_800_000


def column(*readings: tuple[int, float] | tuple[int, float, QualityCode]) -> Column:
    """Readings as (minute, value[, quality])."""
    times = [START + one[0] * MINUTE for one in readings]
    codes = [one[2] if len(one) == 3 else QualityCode.GOOD for one in readings]
    return Column(np.array(times, np.int64), np.array([one[1] for one in readings], float), np.array(codes, np.uint8))


def steady(value: float, begin: int, end: int) -> list[tuple[int, float]]:
    return [(minute, value) for minute in range(begin, end)]


def test_an_hour_above_the_limit_is_measured_minute_by_minute() -> None:
    facts = facts_of(column(*steady(9.0, 0, 60), *steady(7.0, 60, 65)), ABOVE_8, START, START + 65 * MINUTE)
    assert (facts.lasted, facts.beyond, facts.within, facts.unknown) == (
        65 * MINUTE, 60 * MINUTE, 5 * MINUTE, 0,
    )  # fmt: skip


def test_the_peak_is_the_reading_farthest_out_and_says_when() -> None:
    readings = column(*steady(9.0, 0, 20), (20, 11.5), *steady(9.0, 21, 30))
    facts = facts_of(readings, ABOVE_8, START, START + 30 * MINUTE)
    assert (facts.peak, facts.peak_at) == (11.5, START + 20 * MINUTE)


def test_below_a_limit_the_peak_is_the_lowest() -> None:
    facts = facts_of(column(*steady(55.0, 0, 10), (10, 41.0)), BELOW_60, START, START + 11 * MINUTE)
    assert (facts.peak, facts.beyond) == (41.0, 11 * MINUTE)


def test_a_value_equal_to_the_limit_is_within() -> None:
    facts = facts_of(column(*steady(8.0, 0, 10)), ABOVE_8, START, START + 10 * MINUTE)
    assert (facts.beyond, facts.within) == (0, 10 * MINUTE)


def test_a_reading_counts_for_max_gap_and_then_time_is_unknown() -> None:
    facts = facts_of(column((0, 9.0), (30, 9.0)), ABOVE_8, START, START + 31 * MINUTE, max_gap=3 * MINUTE)
    assert (facts.beyond, facts.unknown) == (4 * MINUTE, 27 * MINUTE)
    assert facts.at_most == 31 * MINUTE


def test_time_under_bad_readings_is_unknown() -> None:
    readings = column((0, 9.0), (1, 85.0, QualityCode.BAD), (2, 9.0))
    facts = facts_of(readings, ABOVE_8, START, START + 3 * MINUTE)
    assert (facts.beyond, facts.unknown, facts.peak) == (2 * MINUTE, MINUTE, 9.0)


def test_without_any_reading_everything_is_unknown_and_there_is_no_peak() -> None:
    facts = facts_of(column(), ABOVE_8, START, START + HOUR)
    assert (facts.beyond, facts.unknown, facts.peak, facts.peak_at, facts.kinetic) == (0, HOUR, None, None, None)
    assert facts.window_unknown == WINDOW


def test_readings_that_come_late_or_twice_change_nothing_but_what_they_say() -> None:
    straight = [(minute, 9.0) for minute in range(20)]
    shuffled = [*straight[10:], *straight[:10], (5, 9.0)]
    end = START + 20 * MINUTE
    assert facts_of(column(*shuffled), ABOVE_8, START, end) == facts_of(column(*straight), ABOVE_8, START, end)


def test_the_window_counts_what_was_beyond_the_limit_before() -> None:
    earlier, now = steady(9.0, -300, -240), steady(9.0, 0, 30)
    facts = facts_of(column(*earlier, *steady(4.0, -240, 0), *now), ABOVE_8, START, START + 30 * MINUTE)
    assert facts.beyond == 30 * MINUTE
    assert facts.window_beyond == 90 * MINUTE
    assert facts.window_unknown == WINDOW - 330 * MINUTE


def test_what_is_older_than_the_window_no_longer_adds_up() -> None:
    facts = facts_of(column(*steady(9.0, -26 * 60, -25 * 60), *steady(9.0, 0, 5)), ABOVE_8, START, START + 5 * MINUTE)
    assert facts.window_beyond == 5 * MINUTE


def test_the_kinetic_temperature_is_that_of_the_window_and_only_of_temperatures() -> None:
    course = column(*steady(5.0, -20 * 60, 0), *steady(15.0, 0, 4 * 60))
    end = START + 240 * MINUTE
    assert facts_of(course, ABOVE_8, START, end).kinetic == pytest.approx(7.7046, abs=1e-4)
    assert facts_of(course, ABOVE_8, START, end, temperature=False).kinetic is None


def test_an_excursion_of_no_length_has_no_minutes() -> None:
    facts = facts_of(column((0, 9.0)), ABOVE_8, START, START)
    assert (facts.lasted, facts.beyond, facts.unknown, facts.peak) == (0, 0, 0, 9.0)


@given(
    st.lists(st.tuples(st.integers(-30, 90), st.floats(0, 20), st.sampled_from(list(QualityCode))), max_size=40),
    st.integers(0, 60),
)
def test_measured_and_unknown_minutes_always_add_up(
    readings: list[tuple[int, float, QualityCode]], length: int
) -> None:
    facts = facts_of(column(*readings), ABOVE_8, START, START + length * MINUTE)
    assert facts.beyond + facts.within + facts.unknown == facts.lasted == length * MINUTE
    assert min(facts.beyond, facts.within, facts.unknown) >= 0
    assert facts.window_beyond + facts.window_unknown <= WINDOW
    assert facts.window_beyond >= facts.beyond
