"""A fleet of cold assets with one labelled fault each, simulated: what the estimates of time and cause are judged by.

One run is one site of assets on boards of ten, eight days long, a sample a minute, 6 % of the samples lost. Every asset
has exactly one fault (or an unusually warm load), begun on the third to the seventh day. What an asset is equipped with
varies: a probe in the food, a door contact, power, humidity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from domain.batch import Bytes8, Float64s, Int64s
from domain.catalogue import Area, Asset, Catalogue, Label, Point
from domain.readings import QualityCode
from domain.times import DAY, HOUR, MINUTE
from domain.units import unit_of
from rules.insight.columns import AssetColumns, Column
from simulators.faults import SPECS, Fault, FaultKind
from simulators.randomness import generator, keys_of, uniform
from simulators.simulation import Simulation
from simulators.truth import LIMITS

START = 1_772_380_800_000  # 2026-03-02T00:00:00+08:00, a Monday
DAYS = 8
PER_BOARD = 10
MISSING = 0.06
WARM_LOAD = "warm_load"
TYPES = ("refrigerator", "freezer", "cold_room", "sample_fridge")
_UNITS = MappingProxyType(
    {"temperature": "Cel", "product_temperature": "Cel", "power": "W", "door": "state", "humidity": "%RH",
     "voltage": "V"}
)  # fmt: skip
# How often each kind is drawn where it can strike.
KINDS: Mapping[str, float] = MappingProxyType(
    {
        "compressor_failure": 3.0, "door_left_open": 2.0, "refrigerant_loss": 1.5, "iced_evaporator": 1.5,
        "condenser_fouling": 1.5, "fan_failure": 2.0, "missed_defrost": 2.0, "endless_defrost": 2.0,
        "stuck_sensor": 0.8, "sensor_drift": 1.2, "error_code": 0.6, "drop_out": 0.4, WARM_LOAD: 1.5,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """A simulated site: true product temperatures beside what was read. Rows are minutes from `START`."""

    seed: int
    catalogue: Catalogue
    faults: tuple[Fault, ...]  # one per asset that has one; a warm load has the kind `DROP_OUT` of no share
    kinds: Mapping[str, str]  # asset -> the word of what it has
    begun: Mapping[str, int]
    value: Float64s  # (minutes, points)
    quality: Bytes8
    true_air: Float64s  # (minutes, thermal rows)
    true_product: Float64s
    row: Mapping[str, int]

    @property
    def times(self) -> Int64s:
        """UTC ms of the rows."""
        return START + (np.arange(len(self.value), dtype=np.int64) + 1) * MINUTE

    def column(self, point: str, end: int) -> Column | None:
        """What was read of the point up to the row `end`, or None when there is no such point."""
        names = [one.name for one in self.catalogue.points()]
        if point not in names:
            return None
        place = names.index(point)
        value, quality = self.value[:end, place], self.quality[:end, place]
        came = (quality != QualityCode.BAD) & ~np.isnan(value) | (quality == QualityCode.BAD)
        return Column(self.times[:end][came], value[came], quality[came])

    def columns(self, asset: str, end: int) -> AssetColumns:
        """The asset's points up to the row `end`."""
        about = self.catalogue.assets_by_id[asset]
        board = [other.id for other in self.catalogue.assets if other.fed_by == about.fed_by and other.id != asset]
        neighbours = [self.column(f"{other}/power", end) for other in board]
        return AssetColumns(
            about.type,
            air=self.column(f"{asset}/temperature", end),
            product=self.column(f"{asset}/product_temperature", end),
            power=self.column(f"{asset}/power", end),
            door=self.column(f"{asset}/door", end),
            humidity=self.column(f"{asset}/humidity", end),
            supply=self.column(f"{about.fed_by}/power", end),
            neighbours=tuple(each for each in neighbours if each is not None)[:3],
        )


def catalogue_of(seed: int, assets: int) -> Catalogue:
    """A site of that many cold assets, equipped by chance."""
    made: list[Asset] = []
    for board in range(-(-assets // PER_BOARD)):
        made.append(_asset(f"board-{board}", "distribution_board", ("power",), None))
    for number in range(assets):
        chance = generator(seed, number, "equipment")
        kind = str(chance.choice(TYPES, p=(0.4, 0.25, 0.2, 0.15)))
        metrics = ["temperature"]
        metrics += ["product_temperature"] * (chance.random() < 0.6)
        metrics += ["power"] * (chance.random() < (0.6 if kind == "sample_fridge" else 0.95))
        metrics += ["door"] * (chance.random() < (0.9 if kind in ("refrigerator", "sample_fridge") else 0.2))
        metrics += ["humidity"] * (kind == "cold_room")
        made.append(_asset(f"{kind.replace('_', '-')}-{number}", kind, tuple(metrics), f"board-{number // PER_BOARD}"))
    return Catalogue("fleet", Label("Fleet"), "Asia/Shanghai", None, (Area("kitchen", Label("Kitchen")),), tuple(made))


def _asset(name: str, kind: str, metrics: tuple[str, ...], board: str | None) -> Asset:
    points = tuple(Point(name, metric, unit_of(_UNITS[metric]), MINUTE, agent="box") for metric in metrics)
    return Asset(name, kind, "kitchen", Label(name), points, fed_by=board)


def faults_of(seed: int, catalogue: Catalogue) -> tuple[dict[str, str], list[Fault]]:
    """What each asset has, and the faults that make it so; the last board of each six is cut off instead."""
    words: dict[str, str] = {}
    faults: list[Fault] = []
    boards = [asset.id for asset in catalogue.assets if asset.fed_by is None]
    for board in boards[5::6]:
        start = START + round(float(generator(seed, board, "cut").uniform(4.0, 6.5)) * DAY)
        faults.append(Fault(board, FaultKind.POWER_CUT, board, start, start + 14 * HOUR))
    cut = {fault.target for fault in faults}
    for asset in catalogue.assets:
        if asset.fed_by is None:
            continue
        if asset.fed_by in cut:
            words[asset.id] = "power_cut"
            continue
        chance = generator(seed, asset.id, "fault")
        able = [kind for kind in KINDS if kind == WARM_LOAD or _strikes(FaultKind(kind), asset)]
        weights = np.array([KINDS[kind] for kind in able])
        words[asset.id] = kind = str(chance.choice(able, p=weights / weights.sum()))
        if kind != WARM_LOAD:
            faults.append(_fault(FaultKind(kind), asset, chance))
    return words, faults


def _strikes(kind: FaultKind, asset: Asset) -> bool:
    types = SPECS[kind].types
    return not types or asset.type in types


def _fault(kind: FaultKind, asset: Asset, chance: np.random.Generator) -> Fault:
    slow = kind in (FaultKind.REFRIGERANT_LOSS, FaultKind.CONDENSER_FOULING, FaultKind.MISSED_DEFROST)
    begin = START + round(float(chance.uniform(2.0, 3.0) if slow else chance.uniform(3.0, 6.5)) * DAY)
    parameters = {name: one.default for name, one in SPECS[kind].parameters.items()}
    if kind is FaultKind.DOOR_LEFT_OPEN:
        parameters["opening"] = float(chance.uniform(0.1, 1.0))
    elif kind is FaultKind.SENSOR_DRIFT:
        parameters |= {"per_hour": float(chance.choice((-1.0, 1.0)) * chance.uniform(0.2, 1.0)), "most": 8.0}
    elif kind is FaultKind.ERROR_CODE:
        parameters |= {"code": float(chance.choice((85.0, -127.0, 327.67, 882.6, 999.0)))}
        parameters |= {"share": float(chance.uniform(0.5, 1.0)), "good": float(chance.random() < 0.4)}
    elif kind is FaultKind.DROP_OUT:
        parameters["share"] = float(chance.uniform(0.8, 1.0))
    elif "ramp" in parameters:
        parameters["ramp"] *= float(chance.uniform(0.6, 1.3))
        parameters["remaining"] *= float(chance.uniform(0.7, 1.1))
    target = f"{asset.id}/temperature" if SPECS[kind].target == "point" else asset.id
    return Fault(f"{asset.id}-{kind}", kind, target, begin, START + DAYS * DAY, MappingProxyType(parameters))


def simulate(seed: int, assets: int = 60, minutes: int = DAYS * 24 * 60) -> Run:
    """The whole run; about 20 s for 60 assets on one core."""
    catalogue = catalogue_of(seed, assets)
    words, faults = faults_of(seed, catalogue)
    plant = Simulation(catalogue, seed, START, faults)
    loads = {asset: _load_time(seed, asset) for asset, word in words.items() if word == WARM_LOAD}
    names = [point.name for point in catalogue.points()]
    keys = keys_of(seed, [f"loss of {name}" for name in names])
    value, quality = np.full((minutes, len(names)), np.nan), np.zeros((minutes, len(names)), np.uint8)
    row = plant.model.thermal.row
    air, product = np.zeros((minutes, len(row))), np.zeros((minutes, len(row)))
    for minute in range(minutes):
        time = START + (minute + 1) * MINUTE
        for asset in [asset for asset, at in loads.items() if at <= time]:
            _put_in(plant, row[asset], seed, loads.pop(asset))
        shown = plant.show(time)
        value[minute] = shown.value
        for place, sample in plant.sensors.samples(shown).items():
            value[minute, place] = np.nan if sample is None else sample.value
            quality[minute, place] = 0 if sample is None else sample.quality.code
        lost = uniform(keys, time) < MISSING
        value[minute, lost], quality[minute, lost] = np.nan, 0
        air[minute], product[minute] = plant.true(time)
    begun = {asset: _load_time(seed, asset) for asset, word in words.items() if word == WARM_LOAD}
    for fault in faults:
        for asset in catalogue.assets:
            if fault.target in (asset.id, asset.fed_by, f"{asset.id}/temperature") and asset.id in words:
                begun[asset.id] = fault.start
    return Run(seed, catalogue, tuple(faults), words, begun, value, quality, air, product, row)


def _load_time(seed: int, asset: str) -> int:
    return START + round(float(generator(seed, asset, "warm load").uniform(3.0, 7.0)) * DAY) // MINUTE * MINUTE


def _put_in(plant: Simulation, row: int, seed: int, at: int) -> None:
    """Much warm food at once: the product's mean rises by so many degrees, and the door stood open for it."""
    warmth = np.zeros(len(plant.state.product))
    warmth[row] = float(generator(seed, row, at, "warmth").uniform(5.0, 12.0))
    plant.state = replace(plant.state, product=plant.state.product + warmth, air=plant.state.air + warmth)


def crossing(run: Run, asset: str, quantity: str, after: int) -> int | None:
    """The first row from `after` on at which the true temperature is beyond its limit; None when it never is."""
    limit = LIMITS[run.catalogue.assets_by_id[asset].type][1]
    true = run.true_air if quantity == "air" else run.true_product
    beyond: Sequence[int] = np.flatnonzero(true[after:, run.row[asset]] > limit).tolist()
    return after + beyond[0] if beyond else None
