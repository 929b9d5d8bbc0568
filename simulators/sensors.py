"""From the true plant to what its sensors say: which quantity each point shows, noise, resolution, sensor faults.

Noise is keyed by seed, point and time, so a reading does not depend on who asks or how often. Air temperature is
noisy only while the machine moves the air: a failed fridge warms in a quiet line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from domain.catalogue import Catalogue, Point
from domain.errors import CaretakerError
from domain.readings import Quality
from simulators.faults import SENSOR_FAULTS, Fault, FaultKind
from simulators.parameters import Flags, Ints
from simulators.plant import PlantModel, PlantState
from simulators.randomness import Floats, drift, keys_of, noise, uniform

# Decimals shown and half-width of the noise, by metric. EN 12830 asks a resolution better than 0.5 °C, error <= 1 °C.
RESOLUTION = {
    "temperature": (1, 0.12), "product_temperature": (1, 0.0), "humidity": (1, 0.8), "power": (1, 0.4),
    "energy": (3, 0.0), "voltage": (1, 1.2), "current": (2, 0.01),
    "pressure": (0, 300.0), "door": (0, 0.0), "status": (0, 0.0),
    "co2": (0, 25.0), "residual_current": (3, 0.01),
}  # fmt: skip
NOMINAL_VOLTAGE = 228.0  # 220 V +7 % / -10 % are allowed
VOLTAGE_DROOP = 0.0002  # V per W
BOILER_PRESSURE, PRESSURE_PER_DEGREE = 150_000.0, 400.0  # Pa at 60 °C, Pa/K
ROOM_TEMPERATURE, ROOM_HUMIDITY = 22.0, 50.0  # of assets without physics of their own
KITCHEN_CO2 = 650.0  # ppm; gas is isolated above 2,800
NATURAL_LEAKAGE = 0.12  # A; 0.1-0.2 A are natural, 0.3-0.5 A an alarm
OFF, RUN, BROKEN = 0.0, 1.0, 2.0

_STEADY = {
    "temperature": ROOM_TEMPERATURE, "humidity": ROOM_HUMIDITY, "co2": KITCHEN_CO2, "residual_current": NATURAL_LEAKAGE,
}  # fmt: skip
_TEXTS = ("", "off", "preheating", "no power")


@dataclass(frozen=True, slots=True)
class Shown:
    """What all points show at `time`: `value` (P,), NaN where a device gives a word; `text` (P,) the word's number."""

    time: int
    value: Floats
    text: Ints


@dataclass(frozen=True, slots=True)
class Sample:
    """One point's sample: `value` NaN and a text for a device that gives no number."""

    value: float
    quality: Quality = Quality.GOOD
    text: str = ""


class Sensors:
    """All points of the site; CaretakerError when the plant cannot give one of them.

    `stuck` keeps, by fault id, the samples at which sensors stuck; it outlives a change of the time line.
    """

    def __init__(self, model: PlantModel, faults: Sequence[Fault], stuck: dict[str, Sample]) -> None:
        self.points: tuple[Point, ...] = tuple(model.catalogue.points())
        names = [point.name for point in self.points]
        self._keys = keys_of(model.seed, names)
        self._column = {name: number for number, name in enumerate(names)}
        self.decimals = [RESOLUTION[_known(point)][0] for point in self.points]
        self._scale = 10.0 ** np.array(self.decimals, np.float64)
        self._noise = np.array([RESOLUTION[point.metric][1] for point in self.points])
        self._faults = sorted(
            (fault for fault in faults if fault.kind in SENSOR_FAULTS), key=lambda fault: (fault.start, fault.id)
        )
        self._stuck = stuck
        self._quantities = _Quantities(model.catalogue, model)

    def observe(self, before: PlantState, after: PlantState, time: int, broken: frozenset[str]) -> Shown:
        """What the points show at `time`, which lies after `before` and not after `after` (one step apart).

        `broken` names the boilers and pumps in fault at that very moment.
        """
        value, moving, text = self._quantities.read(before, after, time, broken)
        value += self._noise * moving * noise(self._keys, time)
        value += self._quantities.mains * moving * 2.0 * drift(self._keys[:1], time, 600_000)[0]
        return Shown(time, np.rint(value * self._scale) / self._scale, text)

    def samples(self, shown: Shown) -> dict[int, Sample | None]:
        """The points (by column) whose sample is not simply the good value shown; None = the sample never came."""
        special: dict[int, Sample | None] = {
            int(column): Sample(float("nan"), Quality.BAD, _TEXTS[shown.text[column]])
            for column in np.flatnonzero(shown.text)
        }
        for fault in self._faults:
            if fault.start > shown.time:
                break
            if shown.time < fault.end:
                column = self._column[fault.target]
                sample = special.get(column, Sample(float(shown.value[column])))
                special[column] = None if sample is None else self._faulty(fault, column, shown, sample)
        return special

    def _faulty(self, fault: Fault, column: int, shown: Shown, sample: Sample) -> Sample | None:
        kind, parameters = fault.kind, fault.parameters
        chance = float(uniform(self._keys[column : column + 1], -shown.time)[0])
        if kind is FaultKind.STUCK_SENSOR:
            return self._stuck.setdefault(fault.id, sample)
        if kind is FaultKind.DROP_OUT:
            return None if chance < parameters["share"] else sample
        if kind is FaultKind.ERROR_CODE:
            if chance >= parameters["share"]:
                return sample
            good = parameters["good"] >= 0.5
            return Sample(parameters["code"], *(() if good else (Quality.BAD, f"{parameters['code']:g}")))
        most = parameters["most"]
        away = parameters["per_hour"] * (shown.time - fault.start) / 3_600_000
        shifted = sample.value + min(max(away, -most), most)
        return Sample(round(shifted, self.decimals[column]), sample.quality, sample.text)


class _Quantities:
    """Where in the plant's columns each point finds its value: pairs of (the points' columns, the plant's columns)."""

    def __init__(self, catalogue: Catalogue, model: PlantModel) -> None:
        self._model = model
        points = list(catalogue.points())
        number = {asset.id: place for place, asset in enumerate(catalogue.assets)}
        row = model.thermal.row
        self._air = _pair(points, "temperature", row)
        self._product = _pair(points, "product_temperature", row)
        self._humidity = _pair(points, "humidity", row)
        self._door = _pair(points, "door", row)
        self._pressure = _pair(points, "pressure", row)
        self._power = _pair(points, "power", number)
        self._energy = _pair(points, "energy", number)
        self._voltage = _pair(points, "voltage", number)
        self._current = _pair(points, "current", number)
        self._status = _pair(points, "status", number)
        self._status_ids = [points[column].asset for column in self._status[0]]
        types = [catalogue.assets[place].type for place in model.thermal.index]
        self._hot = [(column, at) for column, at in zip(*self._air, strict=True) if types[at] == "hot_holding"]
        self._steady = np.array(  # what does not change but for its noise
            [0.0 if point.asset in row else _STEADY.get(point.metric, 0.0) for point in points]
        )
        self.mains = np.zeros(len(points))
        self.mains[self._voltage[0]] = 1.0

    def read(
        self, before: PlantState, after: PlantState, time: int, broken: frozenset[str]
    ) -> tuple[Floats, Floats, Ints]:
        """Values, factor on the noise, and numbers of texts."""
        model = self._model
        share = (time - before.time) / (after.time - before.time)
        value, moving = self._steady.copy(), np.ones(len(self._steady))
        air = before.air + (after.air - before.air) * share
        _put(value, self._air, air)
        _put(moving, self._air, after.stirred)
        _put(value, self._product, before.product + (after.product - before.product) * share)
        _put(value, self._humidity, before.humidity + (after.humidity - before.humidity) * share)
        _put(value, self._door, after.door)
        _put(value, self._pressure, BOILER_PRESSURE + PRESSURE_PER_DEGREE * (air - 60.0))
        power = model.tree @ self._instant(after, time)
        _put(value, self._power, power)
        _put(moving, self._power, power > 0.0)
        energy = before.energy + (after.energy - before.energy) * share
        _put(value, self._energy, model.tree @ energy / 3.6e6)
        _put(value, self._voltage, np.where(after.supplied, NOMINAL_VOLTAGE - VOLTAGE_DROOP * power, 0.0))
        _put(moving, self._voltage, after.supplied)
        _put(value, self._current, power / NOMINAL_VOLTAGE)
        _put(moving, self._current, power > 0.0)
        _put(value, self._status, np.where(after.running & after.supplied, RUN, OFF))
        for column, asset in zip(self._status[0], self._status_ids, strict=True):
            if asset in broken:
                value[column] = BROKEN
        return value, moving, self._words(after, value)

    def _instant(self, after: PlantState, time: int) -> Floats:
        """The power of each asset by itself at that moment: a start-up peak shows only if the moment hits it."""
        thermal = self._model.thermal
        if not after.peak.any():
            return after.power
        within = (time - (after.time - 10_000)) / 1000.0
        began = uniform(keys_of(self._model.seed, ["starts"]), after.time)[0] * 10.0
        hit = (after.peak > 0.0) & (began <= within) & (within < began + thermal.peak_seconds)
        power = after.power.copy()
        power[thermal.index] = np.where(hit, after.peak, power[thermal.index])
        return power

    def _words(self, after: PlantState, value: Floats) -> Ints:
        """A hot holding's controller gives a temperature only once it is hot; before, it gives a word."""
        text = np.zeros(len(value), np.int64)
        for column, row in self._hot:
            asset = self._model.thermal.index[row]
            if not after.ready[row]:
                word = "no power" if not after.supplied[asset] else "preheating" if after.running[asset] else "off"
                value[column], text[column] = np.nan, _TEXTS.index(word)
        return text


def _pair(points: Sequence[Point], metric: str, where: Mapping[str, int]) -> tuple[Ints, Ints]:
    columns = [column for column, point in enumerate(points) if point.metric == metric and point.asset in where]
    return np.array(columns, np.int64), np.array([where[points[column].asset] for column in columns], np.int64)


def _put(target: Floats, pair: tuple[Ints, Ints], source: Floats | Flags) -> None:
    target[pair[0]] = source[pair[1]]


def _known(point: Point) -> str:
    if point.metric not in RESOLUTION:
        raise CaretakerError(
            f"the simulated plant has no {point.name}", f"simulated metrics: {', '.join(sorted(RESOLUTION))}"
        )
    return point.metric
