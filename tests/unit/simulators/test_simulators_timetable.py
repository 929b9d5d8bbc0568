"""A canteen's day: doors and deliveries at their hours, in the site's own time, never at the weekend."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from domain.times import HOUR, SECOND, iso, parse_time
from simulators import timetable
from simulators.timetable import (
    DELIVERY,
    DOOR_LONGEST,
    LOADINGS,
    MEALS,
    OPENINGS,
    busyness,
    day_events,
    hot_holding_hours,
    in_hours,
    is_school_day,
    local_ms,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
LONDON = ZoneInfo("Europe/London")
MONDAY = date(2026, 3, 2)


def weeks_openings(kind: str, seed: int = 1) -> list[tuple[date, float, float]]:
    """(day, local hour, seconds) of every opening of a fridge in twelve weeks."""
    found = []
    for number in range(84):
        day = MONDAY + timedelta(days=number)
        midnight = local_ms(day, 0.0, SHANGHAI)
        for first, last in day_events(seed, "unit", kind, day, SHANGHAI).openings:
            found.append((day, (first - midnight) / HOUR, (last - first) / SECOND))
    return found


@pytest.mark.parametrize("kind", sorted(OPENINGS))
def test_doors_open_only_on_school_days_and_in_their_hours(kind: str) -> None:
    found = weeks_openings(kind)
    assert found
    for day, hour, seconds in found:
        assert is_school_day(day)
        assert any(plan.hours[0] <= hour < plan.hours[1] for plan in OPENINGS[kind])
        assert 3.9 <= seconds <= DOOR_LONGEST


@pytest.mark.parametrize("kind", sorted(OPENINGS))
def test_as_many_openings_as_planned(kind: str) -> None:
    planned = sum(plan.per_hour * (plan.hours[1] - plan.hours[0]) for plan in OPENINGS[kind]) * 60  # school days
    assert len(weeks_openings(kind)) == pytest.approx(planned, rel=0.1)


def test_a_sample_fridge_is_opened_little_and_after_meals() -> None:
    sample, working = weeks_openings("sample_fridge"), weeks_openings("refrigerator")
    assert len(sample) < len(working) / 5
    for _, hour, _ in sample:
        assert any(last - 0.5 <= hour < last for _, last in MEALS)


def test_warm_food_comes_at_its_hours_and_is_little() -> None:
    for kind, plans in LOADINGS.items():
        events = day_events(3, "unit", kind, MONDAY, SHANGHAI)
        assert len(events.loadings) == len(plans)
        for (at, warmth), (hours, low, high) in zip(events.loadings, sorted(plans), strict=True):
            assert local_ms(MONDAY, hours[0], SHANGHAI) <= at < local_ms(MONDAY, hours[1], SHANGHAI)
            assert low <= warmth <= high <= 1.0


@pytest.mark.parametrize("day", [date(2026, 3, 7), date(2026, 3, 8)])
def test_nothing_happens_at_the_weekend(day: date) -> None:
    assert not is_school_day(day)
    for kind in OPENINGS:
        events = day_events(1, "unit", kind, day, SHANGHAI)
        assert events.openings == ()
        assert events.loadings == ()


def test_a_unit_that_nobody_opens_has_no_events() -> None:
    for kind in ("boiler", "hot_holding", "energy_meter", "cold_dish_room"):
        assert day_events(1, "unit", kind, MONDAY, SHANGHAI) == timetable.DayEvents((), ())


def test_a_day_hangs_on_seed_asset_and_date_alone() -> None:
    first = day_events(1, "a", "refrigerator", MONDAY, SHANGHAI)
    assert day_events(1, "a", "refrigerator", MONDAY, SHANGHAI) == first
    others = [
        day_events(2, "a", "refrigerator", MONDAY, SHANGHAI),
        day_events(1, "b", "refrigerator", MONDAY, SHANGHAI),
        day_events(1, "a", "refrigerator", MONDAY + timedelta(days=1), SHANGHAI),
    ]
    assert all(other != first for other in others)


@pytest.mark.parametrize(
    ("day", "zone", "moment"),
    [
        (MONDAY, SHANGHAI, "2026-03-01T22:00:00Z"),
        (date(2026, 1, 5), LONDON, "2026-01-05T06:00:00Z"),
        (date(2026, 7, 6), LONDON, "2026-07-06T05:00:00Z"),
        (date(2026, 3, 30), LONDON, "2026-03-30T05:00:00Z"),  # the Monday after the clocks went forward
    ],
)
def test_deliveries_come_at_six_by_the_wall_clock(day: date, zone: ZoneInfo, moment: str) -> None:
    assert iso(local_ms(day, DELIVERY[0], zone)) == iso(parse_time(moment))


def test_the_hours_of_a_span_include_its_first_moment_only() -> None:
    hours = np.array([6.9, 7.0, 7.5, 8.0, 8.1])
    assert list(in_hours(hours, ((7.0, 8.0),))) == [0.0, 1.0, 1.0, 0.0, 0.0]
    assert list(in_hours(hours, ())) == [0.0] * 5
    assert list(in_hours(hours, ((6.0, 7.0), (8.0, 9.0)))) == [1.0, 0.0, 0.0, 1.0, 1.0]


def test_the_kitchen_is_busy_by_day_quiet_at_night_and_never_jumps() -> None:
    hours = np.arange(0.0, 24.0, 1 / 60)
    busy = busyness(hours)
    assert busy.min() == 0.0
    assert busy.max() == 1.0
    assert np.abs(np.diff(busy)).max() < 0.05
    assert busy[: 5 * 60].max() == 0.0
    assert busy[20 * 60 :].max() == 0.0
    assert busy[10 * 60] == 1.0


def test_hot_holding_is_on_before_and_during_each_meal() -> None:
    for (first, last), (begins, ends) in zip(hot_holding_hours(), MEALS, strict=True):
        assert first < begins < ends == last
