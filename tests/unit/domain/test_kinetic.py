"""The mean kinetic temperature: its check value, its bounds, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kinetic import mean_kinetic_temperature


def test_the_check_value_of_20_hours_at_5_and_4_at_15_degrees() -> None:
    assert mean_kinetic_temperature([5.0, 15.0], [20.0, 4.0]) == pytest.approx(7.7046, abs=5e-5)


def test_the_order_and_the_unit_of_the_weights_do_not_matter() -> None:
    first = mean_kinetic_temperature([5.0, 15.0, 5.0], [10.0, 4.0, 10.0])
    assert first == pytest.approx(7.7046, abs=5e-5)
    assert mean_kinetic_temperature([15.0, 5.0], [4 * 3600.0, 20 * 3600.0]) == pytest.approx(first)


def test_nothing_that_held_gives_no_temperature() -> None:
    assert mean_kinetic_temperature([], []) is None
    assert mean_kinetic_temperature([4.0], [0.0]) is None


def test_a_reading_that_held_for_no_time_may_even_be_nan() -> None:
    assert mean_kinetic_temperature([math.nan, 4.0], [0.0, 1.0]) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("celsius", "weights", "word"),
    [
        ([1.0], [], "weights"),
        ([1.0], [-1.0], "negative"),
        ([-300.0], [1.0], "zero"),
        ([math.nan], [1.0], "number"),
        ([1.0], [math.nan], "negative"),
    ],
)
def test_what_is_no_course_of_temperatures_is_refused(celsius: list[float], weights: list[float], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        mean_kinetic_temperature(celsius, weights)


@given(st.lists(st.tuples(st.floats(-40, 40), st.floats(0.01, 100)), min_size=1, max_size=20))
def test_it_lies_between_the_plain_mean_and_the_warmest(course: list[tuple[float, float]]) -> None:
    celsius, weights = [value for value, _ in course], [weight for _, weight in course]
    found = mean_kinetic_temperature(celsius, weights)
    mean = sum(value * weight for value, weight in course) / sum(weights)
    assert found is not None
    assert mean - 1e-6 <= found <= max(celsius) + 1e-6
