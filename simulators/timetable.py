"""A canteen's working day: when doors open, warm food is loaded, hot dishes are held and the kitchen is busy.

Everything is in the site's local time; weekends are closed. Events of one asset on one local day depend on the seed,
the asset and the date alone. Pure: dates in, seconds and fractions out.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import numpy as np

from domain.times import HOUR, SECOND, to_ms
from simulators.randomness import Floats, generator

Hours = tuple[float, float]

# Local hours of a school day.
DELIVERY: Hours = (6.0, 6.5)
BREAKFAST_PREPARATION: Hours = (5.5, 7.0)
LUNCH_PREPARATION: Hours = (9.0, 11.3)
DINNER_PREPARATION: Hours = (15.3, 17.3)
CLEANING: Hours = (13.6, 14.4)
MEALS: tuple[Hours, ...] = ((6.9, 7.9), (11.3, 12.8), (17.2, 18.5))
PREHEATING = 1.0  # hours before a meal at which hot holding is switched on
BOILER_HOURS: Hours = (4.5, 22.5)
PUMP_HOURS: Hours = (5.0, 22.0)
DISHWASHING: tuple[Hours, ...] = ((7.7, 8.5), (12.4, 14.0), (18.2, 19.4))

DOOR_LONGEST = 100.0  # seconds; whoever holds a door open longer is a fault


@dataclass(frozen=True, slots=True)
class Opening:
    """In these hours a door opens so often an hour, for about so many seconds."""

    hours: Hours
    per_hour: float
    seconds: float


OPENINGS: MappingProxyType[str, tuple[Opening, ...]] = MappingProxyType(
    {
        "refrigerator": (
            Opening(DELIVERY, 4.0, 40.0), Opening(BREAKFAST_PREPARATION, 5.0, 15.0),
            Opening(LUNCH_PREPARATION, 7.0, 15.0),
            Opening(CLEANING, 2.0, 45.0), Opening(DINNER_PREPARATION, 6.0, 15.0),
        ),
        "cold_room": (
            Opening(DELIVERY, 6.0, 60.0), Opening(BREAKFAST_PREPARATION, 3.0, 25.0),
            Opening(LUNCH_PREPARATION, 5.0, 25.0),
            Opening(CLEANING, 2.0, 60.0), Opening(DINNER_PREPARATION, 4.0, 25.0),
        ),
        "freezer": (
            Opening(DELIVERY, 3.0, 30.0), Opening(BREAKFAST_PREPARATION, 0.7, 15.0),
            Opening(LUNCH_PREPARATION, 1.0, 15.0),
            Opening(DINNER_PREPARATION, 1.0, 15.0),
        ),
        "sample_fridge": tuple(Opening((meal[1] - 0.5, meal[1]), 3.0, 20.0) for meal in MEALS),
    }
)  # fmt: skip

# Product warmed by what is put in, °C at once: (local hours, least, most) by type.
LOADINGS: MappingProxyType[str, tuple[tuple[Hours, float, float], ...]] = MappingProxyType(
    {
        "refrigerator": ((DELIVERY, 0.2, 0.7), ((12.8, 13.6), 0.2, 0.8)),
        "cold_room": ((DELIVERY, 0.1, 0.4), ((12.8, 13.6), 0.05, 0.2)),
        "freezer": ((DELIVERY, 0.1, 0.4),),
        "sample_fridge": tuple(((meal[1] - 0.5, meal[1]), 0.1, 0.4) for meal in MEALS),
    }
)


@dataclass(frozen=True, slots=True)
class DayEvents:
    """One asset's local day: door `openings` as (start, end) in UTC ms, `loadings` as (time in UTC ms, °C).

    `propped` (start, end, width): the door stands open that wide (share of 1) meanwhile.
    """

    openings: tuple[tuple[int, int], ...]
    loadings: tuple[tuple[int, float], ...]
    propped: tuple[tuple[int, int, float], ...] = ()


def is_school_day(day: date) -> bool:
    """Monday to Friday."""
    return day.weekday() < 5


def local_ms(day: date, hour: float, zone: ZoneInfo) -> int:
    """UTC ms of that wall-clock hour of the day (a decimal number)."""
    return to_ms(datetime.combine(day, time(), zone) + timedelta(hours=hour))


def day_events(seed: int, asset: str, asset_type: str, day: date, zone: ZoneInfo) -> DayEvents:
    """What happens at the asset on that day; nothing on a closed day."""
    if not is_school_day(day):
        return DayEvents((), ())
    chance = generator(seed, asset, "day", day.toordinal())
    openings = draw_openings(chance, OPENINGS.get(asset_type, ()), day, zone)
    loadings = [
        (
            int(chance.uniform(local_ms(day, hours[0], zone), local_ms(day, hours[1], zone))),
            float(chance.uniform(low, high)),
        )
        for hours, low, high in LOADINGS.get(asset_type, ())
    ]
    return DayEvents(tuple(sorted(openings)), tuple(sorted(loadings)))


def draw_openings(
    chance: np.random.Generator, plans: tuple[Opening, ...], day: date, zone: ZoneInfo
) -> list[tuple[int, int]]:
    """Door openings (start, end) in UTC ms by the plans, drawn from `chance`."""
    openings: list[tuple[int, int]] = []
    for plan in plans:
        first, last = (local_ms(day, hour, zone) for hour in plan.hours)
        count = int(chance.poisson(plan.per_hour * (last - first) / HOUR))
        starts = chance.uniform(first, last, count)
        lengths = np.clip(chance.lognormal(np.log(plan.seconds), 0.4, count), 4.0, DOOR_LONGEST)
        openings += [(int(start), int(start + length * SECOND)) for start, length in zip(starts, lengths, strict=True)]
    return openings


def in_hours(hour: Floats, spans: tuple[Hours, ...]) -> Floats:
    """1.0 where the local hour lies in one of the spans, else 0.0."""
    inside = np.zeros(hour.shape)
    for first, last in spans:
        inside = np.maximum(inside, ((hour >= first) & (hour < last)).astype(np.float64))
    return inside


def busyness(hour: Floats) -> Floats:
    """How busy the kitchen of a school day is, 0 to 1, with soft edges of half an hour."""
    busy = np.zeros(hour.shape)
    for first, last in (BREAKFAST_PREPARATION, LUNCH_PREPARATION, DINNER_PREPARATION, *MEALS):
        edge = np.minimum((hour - first) / 0.5 + 0.5, (last - hour) / 0.5 + 0.5)
        busy = np.maximum(busy, np.clip(edge, 0.0, 1.0))
    return busy


def hot_holding_hours() -> tuple[Hours, ...]:
    """When hot holding is on: the meals and the preheating before them."""
    return tuple((first - PREHEATING, last) for first, last in MEALS)
