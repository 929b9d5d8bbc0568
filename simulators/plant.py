"""The physics: two thermal nodes per asset (air and product), thermostat, defrost, electricity, in fixed steps.

A step is a pure function of the model, the state before it, the surroundings and the effects of faults; states are
never changed in place, so a state kept aside is a snapshot. All assets are stepped together, in columns.
"""

from dataclasses import dataclass

import numpy as np

from domain.catalogue import Catalogue
from simulators.environment import STEP, Block
from simulators.parameters import DEFROST_HEAT_SHARE, Flags, draw_thermal
from simulators.randomness import Floats, generator

DT = STEP / 1000.0  # s
FROST_BLOCKS = 0.08  # a coil with the frost of one defrost period moves 1/1.08 of the heat, of three periods 1/1.7
STILL_AIR = 0.3  # how well air and product exchange heat while the fan stands still
STILL_COIL = 0.12  # how much of the cold reaches the air without the fan
HUMIDITY_LAG = 600.0  # s
READY_WITHIN = 5.0  # K below its set point a hot holding counts as hot


@dataclass(frozen=True, slots=True)
class Effects:
    """What faults do to one step. T thermal rows, A assets.

    `supply` (A,) the share of the step with electricity; `cooling` (T,) factor on the heat moved; `draw` (T,) factor
    on the machine's power; `fan` (T,) 1 = turning; `ajar` (T,) least opening of the door; `shut` (T,) people keep it
    shut and load nothing; `no_defrost`, `always_defrost` (T,); `broken` (A,) boiler or pump in fault.
    """

    supply: Floats
    cooling: Floats
    draw: Floats
    fan: Floats
    ajar: Floats
    shut: Flags
    no_defrost: Flags
    always_defrost: Flags
    broken: Flags


def no_effects(assets: int, rows: int) -> Effects:
    """A healthy plant, in arrays of its own."""

    def ones() -> Floats:
        return np.ones(rows)

    def none() -> Flags:
        return np.zeros(rows, np.bool_)

    broken = np.zeros(assets, np.bool_)
    return Effects(np.ones(assets), ones(), ones(), ones(), np.zeros(rows), none(), none(), none(), broken)


@dataclass(frozen=True, slots=True)
class PlantState:
    """The plant at `time` (UTC ms, on the step grid). Columns: T thermal rows, A assets in the catalogue's order.

    `air`, `product` °C; `on` the machine is called for and `off_for` seconds since it was; `stirred` the air is moved;
    `frost` in defrost periods; `defrosting`; `ready` a hot holding has reached its temperature; `humidity` %; `door`
    open in the step that ended here; `power` (A,) W of each asset by itself; `peak` (T,) W at a start within the step,
    else 0; `energy` (A,) J; `running` (A,) by the timetable; `supplied` (A,); `broken` (A,).
    """

    time: int
    air: Floats
    product: Floats
    on: Flags
    off_for: Floats
    stirred: Flags
    frost: Floats
    defrosting: Flags
    ready: Flags
    humidity: Floats
    door: Flags
    power: Floats
    peak: Floats
    energy: Floats
    running: Flags
    supplied: Flags
    broken: Flags


class PlantModel:
    """The unchanging part of a simulated plant: parameters, and which asset hangs on which meter."""

    def __init__(self, catalogue: Catalogue, seed: int) -> None:
        self.catalogue = catalogue
        self.seed = seed
        self.thermal = draw_thermal(catalogue, seed)
        self.tree = _tree(catalogue)
        # What every step needs of the parameters, worked out once.
        thermal = self.thermal
        self._defrosts = thermal.defrost_period > 0
        self._period = np.maximum(thermal.defrost_period, 1)
        self._growth = np.where(self._defrosts, STEP / self._period, 0.0)
        self._melting = 1.5 * STEP / np.maximum(thermal.defrost_length, 1)
        self._heater = thermal.defrost_heat / DEFROST_HEAT_SHARE
        self._signed_capacity = thermal.sign * thermal.capacity
        self._per_air = DT / thermal.air_mass
        self._per_product = DT / thermal.product_mass
        self._ready_from = thermal.setpoint - READY_WITHIN
        self._started_draw = thermal.peak_factor * thermal.run_power

    def initial(self, time: int) -> PlantState:
        """The plant at rest at its set points at `time`, floored to the step grid; it needs hours to settle."""
        thermal, assets = self.thermal, len(self.catalogue.assets)
        rows = len(thermal)
        chance = generator(self.seed, "initial")
        air = thermal.setpoint + chance.uniform(-0.5, 0.5, rows) * thermal.half_band
        no = np.zeros(rows, np.bool_)
        counted = np.array(  # meters have run before: a reading starts anywhere
            [float(generator(self.seed, asset.id, "meter").uniform(2e9, 4e10)) for asset in self.catalogue.assets]
        )
        return PlantState(
            time - time % STEP, air, thermal.setpoint.copy(), no, thermal.min_off.copy(),
            no, np.where(self._defrosts, 0.5, 0.0), no, no, np.full(rows, 70.0), no,
            np.zeros(assets), np.zeros(rows), counted,
            np.zeros(assets, np.bool_), np.ones(assets, np.bool_), np.zeros(assets, np.bool_),
        )  # fmt: skip

    def step(self, state: PlantState, block: Block, effects: Effects) -> PlantState:
        """The state `STEP` ms later."""
        thermal = self.thermal
        number = (state.time - block.start) // STEP
        supply = effects.supply[thermal.index]
        service = block.service[number] & (supply > 0.0) & ~effects.broken[thermal.index]
        defrosting = self._defrosting(state.time, effects) & service
        off_enough = state.on | (state.off_for >= thermal.min_off)
        error = thermal.sign * (state.air - thermal.setpoint)
        wanted = np.where(state.on, error > -thermal.half_band, error > thermal.half_band)
        on = wanted & off_enough & service & ~defrosting
        works = on * effects.cooling * supply

        door = np.where(effects.shut, effects.ajar, np.maximum(block.door[number], effects.ajar))
        air, product, frost = self._heat(state, block, number, effects, works, door, defrosting)

        peak = np.where(on & ~state.on & (effects.draw > 0.0), self._started_draw * supply, 0.0)
        machine = on * thermal.run_power * effects.draw
        plugged = np.where(block.off[number], 0.0, supply)
        power = np.where(effects.broken, 0.05, 1.0) * block.own[number] * effects.supply
        power[thermal.index] = plugged * (thermal.idle_power + machine + defrosting * self._heater)
        energy = state.energy + power * DT
        energy[thermal.index] += np.maximum(peak - machine, 0.0) * (peak > 0.0) * thermal.peak_seconds
        return PlantState(
            state.time + STEP,
            air,
            product,
            on,
            np.where(on, 0.0, state.off_for + DT),
            on & (effects.draw > 0.0) & (effects.fan > 0.0),
            frost,
            defrosting,
            service & (state.ready | (np.minimum(air, product) >= self._ready_from)),
            state.humidity + (_damp(air, on, door) - state.humidity) * (DT / HUMIDITY_LAG),
            door > 0.0,
            power,
            peak,
            energy,
            block.running[number],
            effects.supply > 0.0,
            effects.broken,
        )

    def _defrosting(self, time: int, effects: Effects) -> Flags:
        thermal = self.thermal
        due = (time - thermal.defrost_phase) % self._period < thermal.defrost_length
        planned: Flags = (due & ~effects.no_defrost) | effects.always_defrost
        return planned & self._defrosts

    def _heat(
        self,
        state: PlantState,
        block: Block,
        number: int,
        effects: Effects,
        works: Floats,
        door: Floats,
        defrosting: Flags,
    ) -> tuple[Floats, Floats, Floats]:
        """Air and product temperature and frost after the step.

        Implicit in the air (its exchanges are taken at the new air temperature), explicit in the product; so what the
        air gives the product receives, and the energy balance closes to rounding.
        """
        thermal = self.thermal
        still = effects.fan < 0.5
        exchange = thermal.to_product * np.where(still, STILL_AIR, 1.0) * ~block.empty[number]
        reaching = np.where(still, STILL_COIL, 1.0) / (1.0 + FROST_BLOCKS * state.frost * state.frost)
        outward = thermal.to_ambient * block.demand[number] + thermal.through_door * door
        heat = defrosting * thermal.defrost_heat - self._signed_capacity * works * reaching
        loaded = np.where(effects.shut, 0.0, block.loaded[number])
        before = state.product + loaded
        rate = self._per_air
        air = (state.air + rate * (outward * block.ambient[number] + exchange * before + heat)) / (
            1.0 + rate * (outward + exchange)
        )
        product = before + self._per_product * exchange * (air - before)
        frost = np.where(defrosting, np.maximum(state.frost - self._melting, 0.0), state.frost + self._growth)
        return air, product, frost


def _damp(air: Floats, on: Flags, door: Floats) -> Floats:
    """The relative humidity (%) the air tends to: the coil dries it, the kitchen's air comes in, warmth thins it."""
    dry: Floats = np.where(on, 74.0, 86.0) + np.minimum(door * 12.0, 10.0)
    return dry - np.minimum(np.maximum(air, 0.0), 40.0) * 0.9


def _tree(catalogue: Catalogue) -> Floats:
    """(A, A): row i has 1 for asset i and for everything that is fed through it."""
    number = {asset.id: index for index, asset in enumerate(catalogue.assets)}
    tree = np.eye(len(catalogue.assets))
    for asset in catalogue.assets:
        above = asset.fed_by
        while above is not None:
            tree[number[above], number[asset.id]] = 1.0
            above = catalogue.assets[number[above]].fed_by
    return tree
