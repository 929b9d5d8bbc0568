"""How each simulated asset is built: ranges by type, and the draw of one plant's parameters from a seed.

What is drawn are the figures that a technician knows (mean power, duty, cycle, drift with refrigeration off); the
physical ones (W/K, J/K) follow from them. Ranges are those of the project's domain notes on refrigeration, narrowed
where a healthy unit in a warm kitchen must keep its legal limit. All temperatures °C, power W, energy J, times s.
"""

from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from domain.catalogue import Asset, Catalogue
from simulators.randomness import Floats, generator

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Range = tuple[float, float]

COOLED = ("refrigerator", "sample_fridge", "freezer", "cold_room", "cold_dish_room")
DOORED = ("refrigerator", "sample_fridge", "freezer", "cold_room")
DEFROSTED = ("freezer", "cold_room")
HEATED = ("hot_holding", "boiler")
THERMAL = COOLED + HEATED
METERS = ("energy_meter", "distribution_board")

START_PEAK_FACTOR: Range = (3.0, 6.0)  # start-up 3-6 times the running power, for less than 1 s
START_PEAK_SECONDS: Range = (0.4, 0.9)
DEFROST_HOURS = (6, 8, 12)  # electric defrost every 6-12 h
DEFROST_HEAT_SHARE = 0.8  # of the heater's power that reaches the air; the rest leaves with the melt water


@dataclass(frozen=True, slots=True)
class Build:
    """The ranges of one asset type.

    `mean_power` and `duty` are those at `design_ambient`; `cycle` is minutes of one on-off cycle; `drift` is °C/h
    with the machine off at that ambient; `product_lag` is the minutes in which the product follows the air;
    `door_lag` the seconds in which the air follows the kitchen with the door wide open; `cop` is heat moved per
    electricity used. `defrost_minutes` and `defrost_peak` (air, °C) only where there is an electric defrost.
    """

    setpoint: Range
    half_band: Range
    mean_power: Range
    idle_power: Range
    duty: Range
    cop: Range
    cycle: Range
    drift: Range
    product_lag: Range
    design_ambient: float = 25.0
    min_off: Range = (180.0, 300.0)
    door_lag: Range = (300.0, 420.0)
    defrost_minutes: Range = (0.0, 0.0)
    defrost_peak: Range = (0.0, 0.0)


# Solid-door refrigerator 70-300 W mean, freezer 200-900 W; cycles 20-60 min, duty 30-60 %; drift with refrigeration
# off: coolers 0.3-1.7 °C/h in a cold store (a lightly filled cabinet is faster), freezers 2.9-3.9 °C/h; defrost 15-30
# min, air peaks of a real freezer -2…+6 °C, of a display case 6.6 °C.
BUILDS: MappingProxyType[str, Build] = MappingProxyType(
    {
        "refrigerator": Build(
            (3.0, 3.8), (0.9, 1.2), (90.0, 200.0), (8.0, 20.0), (0.30, 0.38),
            (1.3, 1.8), (22.0, 36.0), (2.0, 3.0), (40.0, 70.0),
        ),
        "sample_fridge": Build(
            (3.0, 3.8), (0.9, 1.2), (70.0, 110.0), (6.0, 12.0), (0.30, 0.38),
            (1.3, 1.8), (22.0, 36.0), (2.0, 3.0), (30.0, 50.0),
        ),
        "freezer": Build(
            (-20.0, -18.5), (1.4, 1.7), (220.0, 420.0), (10.0, 25.0), (0.40, 0.46),
            (0.9, 1.2), (20.0, 24.0), (2.9, 3.9), (120.0, 180.0),
            defrost_minutes=(15.0, 19.0), defrost_peak=(-2.0, 3.5),
        ),
        "cold_room": Build(
            (2.5, 3.3), (0.8, 1.1), (600.0, 1200.0), (30.0, 60.0), (0.34, 0.42),
            (1.6, 2.2), (20.0, 30.0), (0.6, 1.5), (90.0, 150.0),
            defrost_minutes=(15.0, 25.0), defrost_peak=(5.2, 6.6), door_lag=(500.0, 800.0),
        ),
        "cold_dish_room": Build(
            (20.0, 21.5), (0.6, 0.9), (500.0, 900.0), (20.0, 40.0), (0.36, 0.45),
            (2.4, 3.2), (20.0, 30.0), (3.0, 5.0), (60.0, 120.0),
            design_ambient=32.0,
        ),
        "hot_holding": Build(
            (70.0, 74.0), (1.2, 2.0), (700.0, 1200.0), (5.0, 15.0), (0.18, 0.24),
            (0.9, 0.95), (10.0, 16.0), (14.0, 20.0), (10.0, 20.0),
            min_off=(10.0, 20.0),
        ),
        # A gas boiler: `mean_power` is heat, its electricity (fan, controls) is BOILER_FAN_POWER.
        "boiler": Build(
            (66.0, 71.0), (2.5, 3.5), (25_000.0, 40_000.0), (20.0, 40.0), (0.32, 0.42),
            (1.0, 1.0), (18.0, 30.0), (14.0, 22.0), (15.0, 25.0),
            min_off=(120.0, 180.0),
        ),
    }
)  # fmt: skip
BOILER_FAN_POWER: Range = (150.0, 300.0)
PUMP_POWER: Range = (250.0, 750.0)
DISHWASHER_POWER: Range = (4_000.0, 7_000.0)
OTHER_POWER: Range = (40.0, 120.0)
BASE_LOAD: Range = (250.0, 600.0)  # lights, controls and standby of a board, W, day and night
COOKING_LOAD: Range = (4_000.0, 9_000.0)  # ranges, extraction and lights of a board at the height of a meal


@dataclass(frozen=True)
class Thermal:
    """The parameters of the thermal assets, in columns of equal length (one row each).

    `index` is the row's place in the catalogue's assets; `sign` is 1 where the machine cools, -1 where it heats.
    """

    index: Ints
    sign: Floats
    setpoint: Floats
    half_band: Floats
    to_ambient: Floats  # W/K
    to_product: Floats  # W/K
    through_door: Floats  # W/K with the door wide open
    air_mass: Floats  # J/K
    product_mass: Floats  # J/K
    capacity: Floats  # W of heat while the machine runs
    run_power: Floats
    idle_power: Floats
    min_off: Floats
    peak_factor: Floats
    peak_seconds: Floats
    defrost_period: Ints  # ms, 0 = none
    defrost_phase: Ints  # ms after the epoch, modulo the period
    defrost_length: Ints  # ms
    defrost_heat: Floats  # W into the air
    row: dict[str, int] = field(default_factory=dict)  # asset id -> row

    def __len__(self) -> int:
        return len(self.index)


def draw_thermal(catalogue: Catalogue, seed: int) -> Thermal:
    """The parameters of every thermal asset of the site; each depends on the seed and the asset's id alone."""
    rows: list[dict[str, float]] = []
    names: dict[str, int] = {}
    for number, asset in enumerate(catalogue.assets):
        if asset.type in BUILDS:
            names[asset.id] = len(rows)
            rows.append({"index": number, **_draw(asset, seed)})
    whole = {"index", "defrost_period", "defrost_phase", "defrost_length"}
    columns = [name for name in Thermal.__dataclass_fields__ if name != "row"]
    return Thermal(
        **{  # one cast per column: the rows are plain numbers
            name: np.array([row[name] for row in rows], np.int64 if name in whole else np.float64) for name in columns
        },  # type: ignore[arg-type]  # the keys are exactly the column names
        row=names,
    )


def draw_own_power(catalogue: Catalogue, seed: int) -> tuple[Floats, Floats]:
    """(base, peak) in W of what each asset draws by itself; zero for thermal assets. See `simulators.environment`."""
    base, peak = np.zeros(len(catalogue.assets)), np.zeros(len(catalogue.assets))
    for number, asset in enumerate(catalogue.assets):
        chance = generator(seed, asset.id, "own power")
        if asset.type in METERS:
            base[number], peak[number] = chance.uniform(*BASE_LOAD), chance.uniform(*COOKING_LOAD)
        elif asset.type == "pump":
            base[number], peak[number] = 3.0, chance.uniform(*PUMP_POWER)
        elif asset.type == "dishwasher":
            base[number], peak[number] = 20.0, chance.uniform(*DISHWASHER_POWER)
        elif asset.type not in THERMAL:
            base[number] = chance.uniform(*OTHER_POWER)
    return base, peak


def _draw(asset: Asset, seed: int) -> dict[str, float]:
    chance = generator(seed, asset.id, "build")
    build = BUILDS[asset.type]

    def pick(span: Range) -> float:
        return float(chance.uniform(*span))

    setpoint, half_band, duty = pick(build.setpoint), pick(build.half_band), pick(build.duty)
    mean_power, idle_power, cop = pick(build.mean_power), pick(build.idle_power), pick(build.cop)
    span = abs(build.design_ambient - setpoint)
    gain = cop * (mean_power - idle_power)  # W through the walls at the design ambient
    air_mass = 0.8 * gain * (1.0 - duty) * pick(build.cycle) * 60.0 / (2.0 * half_band)
    product_mass = max(gain * 3600.0 / pick(build.drift) - air_mass, 0.5 * air_mass)
    # Beyond this coupling the product would hold the air within the band and the machine would hardly ever start.
    to_product = min(product_mass / (pick(build.product_lag) * 60.0), gain / (1.8 * half_band))
    drawn = {
        "sign": 1.0 if asset.type in COOLED else -1.0,
        "setpoint": setpoint,
        "half_band": half_band,
        "to_ambient": gain / span,
        "to_product": to_product,
        "through_door": air_mass / pick(build.door_lag) if asset.type in DOORED else 0.0,
        "air_mass": air_mass,
        "product_mass": product_mass,
        "capacity": gain / duty,
        "run_power": (mean_power - idle_power) / duty,
        "idle_power": idle_power,
        "min_off": pick(build.min_off),
        "peak_factor": pick(START_PEAK_FACTOR) if asset.type in COOLED else 1.0,
        "peak_seconds": pick(START_PEAK_SECONDS),
        **_defrost(asset.type, chance, setpoint, gain / span, to_product, air_mass),
    }
    if asset.type == "boiler":
        drawn["run_power"] = pick(BOILER_FAN_POWER)
    return drawn


def _defrost(
    asset_type: str, chance: np.random.Generator, setpoint: float, to_ambient: float, to_product: float, air_mass: float
) -> dict[str, float]:
    if asset_type not in DEFROSTED:
        return {"defrost_period": 0, "defrost_phase": 0, "defrost_length": 0, "defrost_heat": 0.0}
    build = BUILDS[asset_type]
    period = int(chance.choice(DEFROST_HOURS)) * 3_600_000
    seconds = float(chance.uniform(*build.defrost_minutes)) * 60.0
    peak = float(chance.uniform(*build.defrost_peak))
    # The heat that brings the air from the set point to the peak in that time, were the product to stay cold.
    coupling = to_ambient + to_product
    rise = (peak - setpoint) / (1.0 - np.exp(-seconds * coupling / air_mass))
    return {
        "defrost_period": period,
        "defrost_phase": int(chance.integers(period // 60_000)) * 60_000,
        "defrost_length": round(seconds / 10.0) * 10_000,
        "defrost_heat": float(rise * coupling - to_ambient * (build.design_ambient - setpoint)),
    }
