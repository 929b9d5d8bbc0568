"""How hard normal life is for a site's machines: the calm week of the examples, or what real kitchens do to them.

Nothing here is a fault. A delivery is put away with the door standing open, a unit is emptied, switched off and
cleaned, a canteen closes for some days and leaves units off on purpose, a kitchen in summer is at 35 °C at noon. An
alarm about any of it is noise, so whoever measures alarms simulates it. Pure: seed, asset and date decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from zoneinfo import ZoneInfo

import numpy as np

from domain.times import MINUTE
from simulators.randomness import generator
from simulators.timetable import (
    CLEANING,
    DINNER_PREPARATION,
    LOADINGS,
    LUNCH_PREPARATION,
    MEALS,
    DayEvents,
    Hours,
    Opening,
    day_events,
    draw_openings,
    is_school_day,
    local_ms,
)

BIG_DELIVERY: Hours = (5.8, 9.0)  # local hours in which goods come
DELIVERY_MINUTES = (15.0, 30.0)  # the door stands open while they are put away


@dataclass(frozen=True, slots=True)
class Stop:
    """A unit that people take out of use: UTC ms.

    From `start` it is empty and off with its door open; at `on` the door is shut and it runs down to its temperature;
    at `end` the food is back. Meanwhile the food stands in another unit. `told`: somebody told the system.
    """

    start: int
    on: int
    end: int
    told: bool


@dataclass(frozen=True)
class Life:
    """Normal life of one site.

    `busy`: days of hard use instead of calm ones. By area: `warmth` (°C above the usual kitchen), `closed` local days
    besides weekends. By asset: `stops` in ascending time.
    """

    busy: bool = False
    warmth: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    closed: Mapping[str, frozenset[date]] = field(default_factory=lambda: MappingProxyType({}))
    stops: Mapping[str, tuple[Stop, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def is_open(self, area: str, day: date) -> bool:
        """Whether that area's canteen works on that local day."""
        return is_school_day(day) and day not in self.closed.get(area, ())

    def events(self, seed: int, asset: str, asset_type: str, area: str, day: date, zone: ZoneInfo) -> DayEvents:
        """What happens at the asset on that local day; nothing on a closed one."""
        if not self.is_open(area, day):
            return DayEvents((), ())
        if self.busy and asset_type in BUSY_OPENINGS:
            return _busy_events(seed, asset, asset_type, day, zone)
        return day_events(seed, asset, asset_type, day, zone)


CALM = Life()


@dataclass(frozen=True, slots=True)
class Deliveries:
    """How often a week goods come, how wide the door stands open meanwhile, and by how much they warm the food (°C).

    A door swung wide for half an hour would warm the food beyond its limit, which is no normal life: it is pushed to
    between two crates, so `width` is its mean.
    """

    per_week: float
    width: tuple[float, float]
    minutes: tuple[float, float]
    warmth: tuple[float, float]


# The lunch rush: a door every few minutes, for as long as it takes to find something.
BUSY_OPENINGS: Mapping[str, tuple[Opening, ...]] = MappingProxyType(
    {
        "refrigerator": (
            Opening((5.5, 7.0), 6.0, 14.0), Opening(LUNCH_PREPARATION, 9.0, 13.0), Opening(MEALS[1], 12.0, 11.0),
            Opening(CLEANING, 3.0, 40.0), Opening(DINNER_PREPARATION, 8.0, 13.0), Opening(MEALS[2], 9.0, 11.0),
        ),
        "cold_room": (
            Opening((5.5, 7.0), 5.0, 30.0), Opening(LUNCH_PREPARATION, 7.0, 25.0), Opening(MEALS[1], 6.0, 20.0),
            Opening(CLEANING, 2.0, 60.0), Opening(DINNER_PREPARATION, 6.0, 25.0),
        ),
        "freezer": (
            Opening((5.5, 7.0), 2.0, 15.0), Opening(LUNCH_PREPARATION, 2.0, 15.0), Opening(MEALS[1], 1.5, 12.0),
            Opening(DINNER_PREPARATION, 2.0, 15.0),
        ),
        "sample_fridge": tuple(Opening((meal[1] - 0.5, meal[1]), 5.0, 25.0) for meal in MEALS),
    }
)  # fmt: skip
DELIVERIES: Mapping[str, Deliveries] = MappingProxyType(
    {
        "refrigerator": Deliveries(1.5, (0.06, 0.25), DELIVERY_MINUTES, (0.3, 1.2)),
        "cold_room": Deliveries(2.0, (0.2, 0.6), DELIVERY_MINUTES, (0.2, 0.8)),
        "freezer": Deliveries(1.0, (0.06, 0.2), DELIVERY_MINUTES, (0.3, 1.0)),
    }
)


def _busy_events(seed: int, asset: str, asset_type: str, day: date, zone: ZoneInfo) -> DayEvents:
    chance = generator(seed, asset, "busy day", day.toordinal())
    openings = draw_openings(chance, BUSY_OPENINGS[asset_type], day, zone)
    loadings = [
        (int(chance.uniform(*(local_ms(day, hour, zone) for hour in hours))), float(chance.uniform(low, 1.5 * high)))
        for hours, low, high in LOADINGS.get(asset_type, ())
    ]
    propped: list[tuple[int, int, float]] = []
    plan = DELIVERIES.get(asset_type)
    if plan is not None and chance.random() < plan.per_week / 5.0:
        start = local_ms(day, float(chance.uniform(*BIG_DELIVERY)), zone)
        minutes, width = float(chance.uniform(*plan.minutes)), float(chance.uniform(*plan.width))
        propped.append((start, start + round(minutes * MINUTE), width))
        for share in (0.3, 0.6, 0.9):  # put in bit by bit
            loadings.append((start + round(share * minutes * MINUTE), float(chance.uniform(*plan.warmth)) / 3.0))
    return DayEvents(tuple(sorted(openings)), tuple(sorted(loadings)), tuple(propped))


def stopped(stops: tuple[Stop, ...], times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(off, empty) at each of the times (UTC ms), as flags of the same length."""
    off, empty = np.zeros(len(times), np.bool_), np.zeros(len(times), np.bool_)
    for stop in stops:
        off |= (times >= stop.start) & (times < stop.on)
        empty |= (times >= stop.start) & (times < stop.end)
    return off, empty
