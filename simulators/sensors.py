"""From the true plant to what its sensors say: which quantity each point shows, noise, resolution, sensor faults.

Noise is keyed by seed, point and time, so a reading does not depend on who asks or how often. Air temperature is
noisy only while the machine moves the air: a failed fridge warms in a quiet line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domain.catalogue import Catalogue, Point
from domain.errors import CaretakerError
from domain.readings import Quality
from simulators.faults import SENSOR_FAULTS, Fault, FaultKind
from simulators.parameters import Ints
from simulators.plant import PlantModel, PlantState
from simulators.randomness import Floats, drift, keys_of, noise, uniform

# Decimals shown and half-width of the noise, by metric. EN 12830 asks a resolution better than 0.5 °C, error <= 1 °C.
RESOLUTION = {
    "temperature": (1, 0.12), "product_temperature": (1, 0.0), "humidity": (1, 0.8), "power": (1, 0.4),
    "energy": (3, 0.0), "voltage": (1, 1.2), "current": (2, 0.01),
    "pressure": (0, 300.0), "door": (0, 0.0), "status": (0, 0.0),
}  # fmt: skip
NOMINAL_VOLTAGE = 228.0  # 220 V +7 % / -10 % are allowed
VOLTAGE_DROOP = 0.0002  # V per W
BOILER_PRESSURE, PRESSURE_PER_DEGREE = 150_000.0, 400.0  # Pa at 60 °C, Pa/K
OFF, RUN, BROKEN = 0.0, 1.0, 2.0

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
        value += self._quantities.mains * 2.0 * drift(self._keys[:1], time, 600_000)[0]
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
    """Where in the plant's columns each point finds its value."""

    def __init__(self, catalogue: Catalogue, model: PlantModel) -> None:
        self._model = model
        points = list(catalogue.points())
        self._number = {asset.id: number for number, asset in enumerate(catalogue.assets)}
        types = {asset.id: asset.type for asset in catalogue.assets}
        self._types = types
        rows = model.thermal.row

        def columns(*metrics: str, thermal: bool | None = None) -> Ints:
            return np.array(
                [
                    column
                    for column, point in enumerate(points)
                    if point.metric in metrics and (thermal is None or (point.asset in rows) is thermal)
                ],
                np.int64,
            )

        def of(selected: Ints, where: dict[str, int]) -> Ints:
            return np.array([where[points[column].asset] for column in selected], np.int64)

        self.size = len(points)
        self.air, self.product = columns("temperature", thermal=True), columns("product_temperature", thermal=True)
        self.humid, self.door = columns("humidity", thermal=True), columns("door", thermal=True)
        self.room = columns("temperature", thermal=False)
        self.damp = columns("humidity", thermal=False)
        self.power, self.energy = columns("power"), columns("energy")
        self.voltage, self.current = columns("voltage"), columns("current")
        self.status, self.pressure = columns("status"), columns("pressure", thermal=True)
        self.air_of, self.product_of = of(self.air, rows), of(self.product, rows)
        self.humid_of, self.door_of, self.pressure_of = (
            of(self.humid, rows),
            of(self.door, rows),
            of(self.pressure, rows),
        )
        self.power_of, self.energy_of = of(self.power, self._number), of(self.energy, self._number)
        self.voltage_of, self.current_of = of(self.voltage, self._number), of(self.current, self._number)
        self.status_of = of(self.status, self._number)
        self.status_id = [points[column].asset for column in self.status]
        self.hot = np.array([types[points[column].asset] == "hot_holding" for column in self.air], np.bool_)
        self.mains = np.zeros(self.size)
        self.mains[self.voltage] = 1.0

    def read(
        self, before: PlantState, after: PlantState, time: int, broken: frozenset[str]
    ) -> tuple[Floats, Floats, Ints]:
        """Values, factor on the noise, and numbers of texts."""
        model = self._model
        share = (time - before.time) / (after.time - before.time)
        value, moving, text = np.zeros(self.size), np.ones(self.size), np.zeros(self.size, np.int64)
        air = before.air + (after.air - before.air) * share
        value[self.air] = air[self.air_of]
        moving[self.air] = after.stirred[self.air_of]
        value[self.product] = (before.product + (after.product - before.product) * share)[self.product_of]
        value[self.humid] = (before.humidity + (after.humidity - before.humidity) * share)[self.humid_of]
        value[self.door] = after.door[self.door_of]
        value[self.room], value[self.damp] = 24.0, 50.0
        value[self.pressure] = BOILER_PRESSURE + PRESSURE_PER_DEGREE * (air[self.pressure_of] - 60.0)
        power = model.tree @ self._instant(after, time)
        energy = before.energy + (after.energy - before.energy) * share
        value[self.power] = power[self.power_of]
        moving[self.power] = value[self.power] > 0.0
        value[self.energy] = (model.tree @ energy)[self.energy_of] / 3.6e6
        live = after.supplied
        volts = np.where(live, NOMINAL_VOLTAGE - VOLTAGE_DROOP * power, 0.0)
        value[self.voltage] = volts[self.voltage_of]
        moving[self.voltage] = live[self.voltage_of]
        value[self.current] = power[self.current_of] / NOMINAL_VOLTAGE
        value[self.status] = np.where(after.running & live, RUN, OFF)[self.status_of]
        for column, asset in zip(self.status, self.status_id, strict=True):
            if asset in broken:
                value[column] = BROKEN
        self._words(after, value, text)
        return value, moving, text

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

    def _words(self, after: PlantState, value: Floats, text: Ints) -> None:
        """A hot holding's controller gives a temperature only once it is hot; before, it gives a word."""
        thermal = self._model.thermal
        for column, row in zip(self.air[self.hot], self.air_of[self.hot], strict=True):
            asset = thermal.index[row]
            if after.ready[row]:
                continue
            word = "no power" if not after.supplied[asset] else "preheating" if after.running[asset] else "off"
            value[column], text[column] = np.nan, _TEXTS.index(word)


def _known(point: Point) -> str:
    if point.metric not in RESOLUTION:
        raise CaretakerError(
            f"the simulated plant has no {point.name}", f"simulated metrics: {', '.join(sorted(RESOLUTION))}"
        )
    return point.metric
