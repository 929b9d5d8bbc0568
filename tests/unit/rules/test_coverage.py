"""Each minute of a span is measured, backfilled or unknown: how it is counted, and that excursion records agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.batch import Gap
from domain.catalogue import Point
from domain.readings import Quality
from domain.records import Series
from domain.times import HOUR, MINUTE, SECOND
from domain.units import unit_of
from rules.coverage import Coverage, Span, coverage, lost_of, max_gap_of
from rules.insight.columns import column_of
from rules.insight.excursion import facts_of
from rules.model import Limit

T0 = 1_767_225_600_000
GAP = 3 * MINUTE
Row = tuple[float, Quality, float]  # minute, quality, minutes until it was received


def series(*rows: Row) -> Series:
    time = np.array([T0 + round(minute * MINUTE) for minute, _, _ in rows], np.int64)
    late = np.array([round(minutes * MINUTE) for _, _, minutes in rows], np.int64)
    value = np.array([float("nan") if quality is Quality.BAD else 4.0 for _, quality, _ in rows])
    return Series(time, value, tuple(quality for _, quality, _ in rows), {}, time + late)


def live(first: int, last: int, late: float = 0.0) -> list[Row]:
    return [(minute, Quality.GOOD, late) for minute in range(first, last + 1)]


def of(
    series: Series, start: float, end: float, lost: list[Span] | None = None
) -> tuple[float, float, float, float, float]:
    """Minutes measured, backfilled, bad, lost, silent."""
    begin, stop = T0 + round(start * MINUTE), T0 + round(end * MINUTE)
    found = coverage(series, lost or [], begin, stop, GAP)
    assert found.whole == stop - begin
    return (
        found.measured / MINUTE, found.backfilled / MINUTE, found.bad / MINUTE, found.lost / MINUTE,
        found.silent / MINUTE,
    )  # fmt: skip


def test_a_reading_counts_until_the_next_one_and_three_minutes_at_most() -> None:
    assert of(series(*live(0, 9)), 0, 10) == (10, 0, 0, 0, 0)
    assert of(series(*live(0, 4), *live(20, 29)), 0, 30) == (17, 0, 0, 0, 13), "4 to 7 is still known"


def test_what_was_in_force_at_the_beginning_counts_and_what_comes_after_the_end_does_not() -> None:
    assert of(series(*live(0, 20)), 5.5, 10.5) == (5, 0, 0, 0, 0)
    assert of(series(*live(0, 2), *live(12, 20)), 4, 12) == (1, 0, 0, 0, 7)


def test_what_came_later_is_backfilled() -> None:
    story = series(*live(0, 9), *live(10, 19, late=300.0), *live(20, 29))
    assert of(story, 0, 30) == (20, 10, 0, 0, 0)
    assert of(series(*live(0, 9, late=1.0)), 0, 10) == (10, 0, 0, 0, 0), "a minute is no backlog"


def test_a_reading_of_which_nobody_says_when_it_came_was_measured_at_once() -> None:
    known = series(*live(0, 9, late=300.0))
    assert of(Series(known.time, known.value, known.quality), 0, 10) == (10, 0, 0, 0, 0)


def test_an_error_of_the_sensor_is_unknown_with_a_reason_as_long_as_a_reading_counts() -> None:
    broken: list[Row] = [(minute, Quality.BAD, 0.0) for minute in range(10, 20)]
    assert of(series(*live(0, 9), *broken, *live(40, 49)), 0, 50) == (20, 0, 12, 0, 18)
    assert of(series((0, Quality.UNCERTAIN, 0.0)), 0, 3) == (3, 0, 0, 0, 0), "an uncertain time is still a measurement"
    nothing = Series(np.array([T0]), np.array([float("nan")]), (Quality.GOOD,))
    assert of(nothing, 0, 3) == (0, 0, 3, 0, 0), "a reading without a value is none"


def test_what_an_agent_lost_is_told_from_what_nobody_can_explain() -> None:
    story = series(*live(0, 9), *live(60, 69))
    gaps = [Gap("box", T0 + 20 * MINUTE, T0 + 39 * MINUTE, 20, "outbox_full")]
    lost = lost_of("f/temperature", "box", gaps, GAP)
    assert of(story, 0, 70, lost) == (22, 0, 0, 22, 26), "lost from 20 until the last would have counted, at 42"
    assert of(story, 0, 70, [*lost, *lost, (T0 + 30 * MINUTE, T0 + 50 * MINUTE)]) == (22, 0, 0, 30, 18), "counted once"
    assert of(story, 0, 10, lost) == (10, 0, 0, 0, 0), "readings that are there are not lost"


def test_a_gap_is_that_of_its_points_or_of_all_of_its_agent() -> None:
    gaps = [Gap("box", 0, 1, 0, "outbox_age", ("f/power",)), Gap("other", 2, 3, 0, "packs_missing")]
    assert lost_of("f/power", "box", gaps, 10) == [(0, 11)]
    assert lost_of("f/temperature", "box", gaps, 10) == []
    assert lost_of("g/temperature", "other", gaps, 10) == [(2, 13)]
    assert lost_of("g/temperature", "", gaps, 10) == [(2, 13)], "whose it is nobody knows"


def test_a_point_that_was_never_heard_is_unknown_and_no_time_is_nothing() -> None:
    assert of(series(), 0, 60) == (0, 0, 0, 0, 60)
    assert coverage(series(), [], T0, T0, GAP) == Coverage()
    assert Coverage().known_share == 0.0
    assert Coverage(HOUR, HOUR, HOUR, HOUR) + Coverage(silent=HOUR) == Coverage(HOUR, HOUR, HOUR, HOUR, HOUR)
    assert Coverage(HOUR, HOUR, HOUR, HOUR).known_share == 0.5


@pytest.mark.parametrize(("interval", "gap"), [(None, 3 * MINUTE), (20 * SECOND, MINUTE)])
def test_the_gap_rule_is_three_intervals(interval: int | None, gap: int) -> None:
    assert max_gap_of(Point("f", "temperature", unit_of("Cel"), interval=interval)) == gap
    assert max_gap_of(None) == 3 * MINUTE


ROWS = st.lists(
    st.tuples(st.integers(0, 240), st.sampled_from(Quality), st.sampled_from((0.0, 0.5, 30.0))), max_size=40
)


@given(ROWS, st.integers(0, 200), st.integers(1, 90), st.sampled_from((MINUTE, GAP, 20 * MINUTE)))
def test_unknown_minutes_are_those_of_the_excursion_record(rows: list[Row], start: int, length: int, gap: int) -> None:
    story = series(*{row[0]: row for row in rows}.values())
    begin, end = T0 + start * MINUTE, T0 + (start + length) * MINUTE
    found = coverage(story, [(begin, begin + HOUR)], begin, end, gap)
    facts = facts_of(column_of(story), Limit(above=8.0), begin, end, gap)
    assert found.unknown == facts.unknown
    assert found.measured + found.backfilled == facts.beyond + facts.within
    assert found.whole == end - begin
