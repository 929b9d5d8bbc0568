"""A fleet of canteens for measuring alarms: what stands there, how hard life is, and which faults strike when.

Everything follows from the fleet's seed, so a run can be named and repeated. Faults are spread so that most months of
most assets are normal life, never strike an asset twice at once nor while people have it out of use, and leave time to
recover. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import numpy as np

from domain.catalogue import Area, Asset, Catalogue, Label, Point
from domain.errors import CaretakerError
from domain.times import DAY, HOUR, MINUTE, from_ms, parse_time
from domain.units import CANONICAL, Quantity
from simulators.faults import Fault
from simulators.fleet_faults import Strike, strike
from simulators.life import Life, Stop
from simulators.parameters import COOLED
from simulators.randomness import generator
from simulators.timetable import is_school_day, local_ms

SITE, TIMEZONE = "fleet", "Asia/Shanghai"
START = parse_time("2026-06-01T00:00:00+08:00")  # a Monday in summer: kitchens are hot, doors are busy
CANTEEN = (  # what stands in one canteen, in the order in which smaller fleets are cut off
    ("board", "distribution_board"), ("fridge-1", "refrigerator"), ("freezer-1", "freezer"),
    ("cold-room", "cold_room"), ("fridge-2", "refrigerator"), ("sample-fridge", "sample_fridge"),
    ("freezer-2", "freezer"), ("fridge-3", "refrigerator"), ("hot-holding", "hot_holding"),
    ("fridge-4", "refrigerator"),
)  # fmt: skip
CHUNK = 10  # canteens that are stepped together; part of what a seed means
HOTTEST = 7.0  # °C above the usual kitchen: 35 °C at a summer's noon
CLEANED_EVERY = 28  # days
CLOSED_SHARE, OFF_SHARE, TOLD_SHARE = 0.3, 0.4, 0.95  # canteens closed for a week, units off then, of which told
_INTERVAL = 60_000

_COLD = ("temperature", "product_temperature", "power", "door")
METRICS = MappingProxyType(
    {"distribution_board": ("power", "voltage"), "hot_holding": ("temperature", "power")} | dict.fromkeys(COOLED, _COLD)
)
_QUANTITIES = {
    "temperature": Quantity.TEMPERATURE, "product_temperature": Quantity.TEMPERATURE, "power": Quantity.POWER,
    "voltage": Quantity.VOLTAGE, "door": Quantity.STATE,
}  # fmt: skip


@dataclass(frozen=True)
class Fleet:
    """`seed`, `start` and `end` (UTC ms, end exclusive), everything in one catalogue, its life and its faults."""

    seed: int
    start: int
    end: int
    catalogue: Catalogue
    life: Life
    faults: tuple[Fault, ...]

    def chunks(self) -> list["Fleet"]:
        """The fleet in parts that are simulated each by itself: together they are the fleet."""
        areas = [area.id for area in self.catalogue.areas]
        return [self.part(areas[first : first + CHUNK]) for first in range(0, len(areas), CHUNK)]

    def part(self, areas: Sequence[str]) -> "Fleet":
        """Only these canteens."""
        assets = tuple(asset for asset in self.catalogue.assets if asset.area in areas)
        named = tuple(area for area in self.catalogue.areas if area.id in areas)
        catalogue = Catalogue(SITE, Label(SITE), TIMEZONE, self.catalogue.commissioned_at, named, assets)
        ids = {asset.id for asset in assets}
        faults = tuple(fault for fault in self.faults if fault.target.partition("/")[0] in ids)
        return Fleet(self.seed, self.start, self.end, catalogue, self.life, faults)


def make_fleet(seed: int, assets: int, days: int, per_kind: int | None = None, start: int = START) -> Fleet:
    """The fleet of that seed. `per_kind` faults of each kind; None: 30 for 200 assets in 30 days, and in proportion.

    CaretakerError for less than one whole canteen's cold chain or one day.
    """
    if assets < 3 or days < 1:
        raise CaretakerError("a fleet has at least 3 assets and 1 day", "give --assets 3 --days 1 or more")
    catalogue = _catalogue(assets)
    life = _life(seed, catalogue, start, days)
    wanted = max(1, round(30 * assets * days / 6000)) if per_kind is None else per_kind
    faults = strike(Strike(seed, catalogue, life, start, start + days * DAY, wanted))
    return Fleet(seed, start, start + days * DAY, catalogue, life, faults)


def _catalogue(count: int) -> Catalogue:
    areas, assets = list[Area](), list[Asset]()
    while len(assets) < count:
        name = f"c{len(areas) + 1:02d}"
        areas.append(Area(name, Label(f"Canteen {len(areas) + 1}")))
        for short, kind in CANTEEN[: count - len(assets)]:
            asset = f"{name}-{short}"
            feeder = None if kind == "distribution_board" else f"{name}-board"
            assets.append(Asset(asset, kind, name, Label(asset), _points(asset, kind, name), Label(""), feeder))
    return Catalogue(SITE, Label(SITE), TIMEZONE, 0, tuple(areas), tuple(assets))


def _points(asset: str, kind: str, agent: str) -> tuple[Point, ...]:
    doors = MappingProxyType({"closed": 0, "open": 1})
    return tuple(
        Point(
            asset, metric, CANONICAL[_QUANTITIES[metric]], _INTERVAL, Label(metric),
            doors if metric == "door" else MappingProxyType({}), agent,
        )
        for metric in METRICS[kind]
    )  # fmt: skip


def _life(seed: int, catalogue: Catalogue, start: int, days: int) -> Life:
    zone = ZoneInfo(TIMEZONE)
    first = from_ms(start).astimezone(zone).date()
    closed = {area.id: _closure(seed, area.id, first, days) for area in catalogue.areas}
    warmth = {area.id: float(generator(seed, area.id, "heat").uniform(0.0, HOTTEST)) for area in catalogue.areas}
    stops: dict[str, tuple[Stop, ...]] = {}
    for asset in catalogue.assets:
        if asset.type in COOLED:
            holiday = closed[asset.area]
            found = [*_cleanings(seed, asset, first, days, holiday, zone), *_switched_off(seed, asset, holiday, zone)]
            stops[asset.id] = tuple(sorted(found, key=lambda stop: stop.start))
    return Life(True, MappingProxyType(warmth), MappingProxyType(closed), MappingProxyType(stops))


def _closure(seed: int, area: str, first: date, days: int) -> frozenset[date]:
    chance = generator(seed, area, "closure")
    length = int(chance.integers(5, 10))
    if days < 20 or chance.random() >= CLOSED_SHARE:
        return frozenset()
    begin = int(chance.integers(4, days - length - 3))
    return frozenset(first + timedelta(days=begin + number) for number in range(length))


def _cleanings(seed: int, asset: Asset, first: date, days: int, closed: frozenset[date], zone: ZoneInfo) -> list[Stop]:
    chance = generator(seed, asset.id, "cleaning")
    begin = int(chance.integers(CLEANED_EVERY))
    found = []
    for number in range(begin, days, CLEANED_EVERY):
        day = first + timedelta(days=number)
        while (not is_school_day(day) or day in closed) and (day - first).days < days - 1:
            day += timedelta(days=1)
        start = local_ms(day, float(chance.uniform(13.6, 15.0)), zone)
        on = start + round(float(chance.uniform(40.0, 75.0)) * MINUTE)
        # Running down an empty unit takes an hour; a freezer two.
        down = float(chance.uniform(100.0, 140.0) if asset.type == "freezer" else chance.uniform(60.0, 100.0))
        found.append(Stop(start, on, on + round(down * MINUTE), told=False))
    return found


def _switched_off(seed: int, asset: Asset, closed: frozenset[date], zone: ZoneInfo) -> list[Stop]:
    chance = generator(seed, asset.id, "holiday")
    if not closed or chance.random() >= OFF_SHARE:
        return []
    start = local_ms(min(closed) - timedelta(days=1), 19.0 + float(chance.uniform(0.0, 1.5)), zone)
    on = local_ms(max(closed), 15.0 + float(chance.uniform(0.0, 2.0)), zone)
    return [Stop(start, on, on + 4 * HOUR, told=bool(chance.random() < TOLD_SHARE))]


def free_span(stops: Sequence[Stop], start: int, end: int) -> bool:
    """Whether none of the stops touches [start, end)."""
    return all(stop.end <= start or stop.start >= end for stop in stops)


def asset_days(fleet: Fleet) -> float:
    """How long the fleet was watched, in days of one asset each."""
    return float(np.float64(len(fleet.catalogue.assets)) * (fleet.end - fleet.start) / DAY)
