"""What surrounds the plant in each physics step: ambient, doors, loads, schedules and the electricity of other things.

Computed an hour at a time, from seed and time alone, so that any moment can be entered without what came before.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from domain.catalogue import Catalogue
from domain.times import DAY, HOUR, MINUTE, from_ms
from simulators import timetable
from simulators.life import CALM, Life, stopped
from simulators.parameters import METERS, Flags, Thermal, draw_own_power
from simulators.randomness import Floats, drift, generator, keys_of

STEP = 10_000  # ms of one physics step, on a grid from the epoch
STEPS_PER_BLOCK = HOUR // STEP
_BLOCKS_KEPT = 12  # hours; a search for a fault's start goes back and forth over a few
_DAYS_KEPT = 4

KITCHEN_MEAN, KITCHEN_SEASON, KITCHEN_DAY, COOKING_WARMTH = 24.0, 3.0, 1.0, 2.5  # °C
PLANT_ROOM_MEAN = 25.0


@dataclass(frozen=True, slots=True)
class Block:
    """One hour: rows are steps of `STEP` ms from `start` (UTC ms); T thermal rows or A assets are the columns.

    `ambient` (steps, T) °C; `door` (steps, T) the share of the step that the door is open; `loaded` (steps, T) °C by
    which the product is warmed at once; `service` (steps, T) switched on; `demand` (steps, T) factor on the heat that
    leaves; `own` (steps, A) W of what is no thermal asset; `running` (steps, A) whether the timetable has it on;
    `off` (steps, T) switched off by people; `empty` (steps, T) its food stands elsewhere.
    """

    start: int
    ambient: Floats
    door: Floats
    loaded: Floats
    service: Flags
    demand: Floats
    own: Floats
    running: Flags
    off: Flags
    empty: Flags


class Environment:
    """The surroundings of one site under one seed, with the life that is led there."""

    def __init__(self, catalogue: Catalogue, thermal: Thermal, seed: int, life: Life = CALM) -> None:
        self._life = life
        self._assets = catalogue.assets
        self._zone = ZoneInfo(catalogue.timezone)
        self._thermal = thermal
        self._seed = seed
        self._types = np.array([asset.type for asset in catalogue.assets])
        self._base, self._peak = draw_own_power(catalogue, seed)
        self._keys = keys_of(seed, [asset.id for asset in catalogue.assets])
        areas = [asset.area for asset in catalogue.assets]
        self._area_offset = np.array(
            [float(generator(seed, area, "ambient").uniform(-1.0, 1.0)) + life.warmth.get(area, 0.0) for area in areas]
        )
        self._has_kitchen = np.array([self._is_kitchen(area) for area in areas])
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._days: OrderedDict[date, list[timetable.DayEvents]] = OrderedDict()

    def block(self, time: int) -> Block:
        """The hour that `time` (UTC ms) lies in."""
        start = time - time % HOUR
        found = self._blocks.get(start)
        if found is None:
            found = self._blocks[start] = self._make(start)
            if len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        return found

    def _is_kitchen(self, area: str) -> bool:
        return any(asset.area == area and asset.type in timetable.OPENINGS for asset in self._assets)

    def _make(self, start: int) -> Block:
        moment = from_ms(start).astimezone(self._zone)
        hour = moment.hour + moment.minute / 60.0 + np.arange(STEPS_PER_BLOCK) * (STEP / HOUR)
        hour = np.where(hour >= 24.0, hour - 24.0, hour).astype(np.float64)[:, None]
        day = moment.date()
        school = np.array([float(self._life.is_open(asset.area, day)) for asset in self._assets])
        busy = timetable.busyness(hour) * school
        ambient = self._ambient(start, hour, busy)[:, self._thermal.index]
        door, loaded = self._happenings(start, day)
        running = self._running(hour, day, school)
        off, empty = self._stopped(start)
        boiler = self._types[self._thermal.index] == "boiler"
        warmed = busy[:, self._thermal.index]
        demand = np.where(boiler, 0.55 + 0.45 * warmed + 0.2 * timetable.in_hours(hour, (timetable.BOILER_HOURS,)), 1.0)
        return Block(
            start,
            ambient,
            np.where(off, 1.0, door),
            loaded,
            running[:, self._thermal.index] & ~off,
            demand,
            self._own(start, busy, running),
            running,
            off,
            empty,
        )

    def _ambient(self, start: int, hour: Floats, busy: Floats) -> Floats:
        day_of_year = (datetime.fromtimestamp(start / 1000, UTC).timetuple().tm_yday + 0.0) * 2.0 * np.pi / 365.0
        season = np.cos(day_of_year - 2.0 * np.pi * 205.0 / 365.0)  # warmest at the end of July
        daily = np.cos(2.0 * np.pi * (hour - 15.0) / 24.0)
        weather = drift(keys_of(self._seed, ["weather"]), start, DAY)[0]
        kitchen = KITCHEN_MEAN + KITCHEN_SEASON * season + KITCHEN_DAY * daily + COOKING_WARMTH * busy + weather
        other = PLANT_ROOM_MEAN + 0.5 * KITCHEN_SEASON * season + 0.5 * KITCHEN_DAY * daily + 0.5 * weather
        whole: Floats = np.where(self._has_kitchen, kitchen, other) + self._area_offset
        return whole

    def _running(self, hour: Floats, day: date, school: Floats) -> Flags:
        on = np.ones((STEPS_PER_BLOCK, len(self._types)), np.bool_)
        always = np.ones(len(self._types))
        plans = {
            "hot_holding": timetable.in_hours(hour, timetable.hot_holding_hours()) * school,
            "boiler": timetable.in_hours(hour, (timetable.BOILER_HOURS,)) * always,
            "pump": timetable.in_hours(hour, (timetable.PUMP_HOURS,)) * always,
            "dishwasher": timetable.in_hours(hour, timetable.DISHWASHING) * school,
        }
        for kind, plan in plans.items():
            on[:, self._types == kind] = plan[:, self._types == kind] > 0.0
        # Pumps take turns, a day each, so that they wear alike.
        pumps = np.flatnonzero(self._types == "pump")
        for turn, column in enumerate(pumps):
            if len(pumps) > 1 and day.toordinal() % len(pumps) != turn:
                on[:, column] = False
        return on

    def _own(self, start: int, busy: Floats, running: Flags) -> Floats:
        # Cooking goes up and down by the minute; the noise is the mean of ten minutes joined by lines.
        wobble = np.array(
            [drift(self._keys, start + step * STEP, 10 * MINUTE) for step in range(0, STEPS_PER_BLOCK, 6)]
        )
        wobble = np.repeat(wobble, 6, axis=0)
        meter = np.isin(self._types, METERS)
        cooking = self._peak * busy * (0.75 + 0.25 * wobble)
        machine = self._peak * running * (1.0 + 0.03 * wobble)
        whole: Floats = self._base * (1.0 + 0.05 * wobble) + np.where(meter, cooking, machine)
        return whole

    def _stopped(self, start: int) -> tuple[Flags, Flags]:
        off = np.zeros((STEPS_PER_BLOCK, len(self._thermal)), np.bool_)
        empty = np.zeros_like(off)
        times = start + np.arange(STEPS_PER_BLOCK, dtype=np.int64) * STEP
        for row, number in enumerate(self._thermal.index):
            stops = self._life.stops.get(self._assets[number].id, ())
            if any(stop.start < start + HOUR and stop.end > start for stop in stops):
                off[:, row], empty[:, row] = stopped(stops, times)
        return off, empty

    def _happenings(self, start: int, day: date) -> tuple[Floats, Floats]:
        door = np.zeros((STEPS_PER_BLOCK, len(self._thermal)))
        loaded = np.zeros((STEPS_PER_BLOCK, len(self._thermal)))
        for each in (day - timedelta(days=1), day, day + timedelta(days=1)):
            for row, events in enumerate(self._events(each)):
                for opened, closed in events.openings:
                    if opened < start + HOUR and closed > start:
                        _add_opening(door[:, row], opened - start, closed - start)
                for opened, closed, width in events.propped:
                    if opened < start + HOUR and closed > start:
                        _add_opening(door[:, row], opened - start, closed - start, width)
                for at, warmth in events.loadings:
                    if start <= at < start + HOUR:
                        loaded[(at - start) // STEP, row] += warmth
        return np.minimum(door, 1.0), loaded

    def _events(self, day: date) -> list[timetable.DayEvents]:
        found = self._days.get(day)
        if found is None:
            assets = [self._assets[number] for number in self._thermal.index]
            found = self._days[day] = [
                self._life.events(self._seed, asset.id, asset.type, asset.area, day, self._zone) for asset in assets
            ]
            if len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        return found


def _add_opening(column: Floats, opened: int, closed: int, width: float = 1.0) -> None:
    for step in range(max(opened // STEP, 0), min((closed - 1) // STEP + 1, STEPS_PER_BLOCK)):
        column[step] += width * (min(closed, (step + 1) * STEP) - max(opened, step * STEP)) / STEP
