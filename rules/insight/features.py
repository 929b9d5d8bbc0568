"""Named observations about one asset at one moment: what tells causes apart, each a number that a person can check.

Every feature is NaN where it cannot be observed (no such point, too few readings): then it says nothing for or against
any cause. Temperatures are compared after division by the asset's usual distance from the kitchen, so that freezers and
fridges share one table: 1 is a 22nd of that distance, which is 1 °C for a fridge at 3 °C.
"""

from collections.abc import Callable
from enum import StrEnum

import numpy as np

from domain.batch import Float64s
from rules.insight.columns import Grid, latest, mean_of
from rules.insight.machine import Machine, machine_of, unbroken
from rules.insight.thermal import OUTSIDE

OLDER = 24 * 60  # minutes: how long a past is worth being compared with, taken from the oldest end
RECENT = 60
NOTHING = 0.5  # W or V: no supply
_NAN = float("nan")
_DISTANCE = 22.0


class Feature(StrEnum):
    """What is observed; the word stands in the table of parameters, in the API and in the docs."""

    SUPPLY = "supply"  # 0 there, 1 the asset draws nothing at all, 2 nor does its board or any neighbour
    STOOD = "stood"  # minutes without compressor up to now, as a multiple of the longest usual stand
    RUN_SHARE = "run_share"  # of the last hour
    DUTY = "duty"  # of the last 3 h as a multiple of the usual one
    DUTY_BEFORE = "duty_before"  # of the 6 h before it ran without pause, as a multiple of the usual one
    RUN_POWER = "run_power"  # while running in the last 6 h, as a multiple of the older one
    DRAW = "draw"  # power of the last 15 minutes as a share of what the compressor draws
    HEATING = "heating"  # minutes of heater up to now as a multiple of a usual defrost
    OVERDUE = "overdue"  # time since the last defrost as a multiple of the usual distance
    RISE = "rise"  # most rise in 15 minutes of the last 4 h, °C of a fridge
    SLOPE = "slope"  # of the last 30 minutes, °C of a fridge per hour
    OFFSET = "offset"  # mean of the last 2 h against the older past, °C of a fridge
    WARM_FOR = "warm_for"  # hours since it was last as cold as usual
    FLAT = "flat"  # minutes up to now with one and the same air temperature
    STIR = "stir"  # unrest of the air's readings from minute to minute, as a multiple of the usual; without power only
    RUN_STIR = "run_stir"  # the same while the compressor runs: moved air is restless
    UNUSABLE = "unusable"  # share of the last 45 minutes in which the asset was heard, but not its air probe
    DOOR = "door"  # share of the last 45 minutes with the door open
    DAMP = "damp"  # humidity of the last 30 minutes against the older past, %
    FOOD_FOLLOWS = "food_follows"  # the food's rise in 2 h as a share of the air's
    FOOD_JUMP = "food_jump"  # most rise of the food in 4 minutes of the last 4 h, °C


def observe(grid: Grid) -> dict[Feature, float]:
    """Every feature at the grid's present; NaN where it cannot be observed."""
    air = unbroken(grid.air)
    machine = machine_of(grid, air)
    sight = _Sight(grid, air, machine)
    seen = {feature: float(look(sight)) for feature, look in _LOOKS.items()}
    if seen[Feature.SUPPLY] > 0.0:
        # Where there is no power, how the machine ran while there was some speaks of no cause.
        seen |= dict.fromkeys((Feature.STOOD, Feature.RUN_SHARE, Feature.DUTY, Feature.DRAW), _NAN)
    return seen


def degrees_of(grid: Grid) -> float:
    """What 1 °C of a fridge is on this asset, in °C; 1 where its past is not known."""
    unit = _Sight(grid, unbroken(grid.air), machine_of(grid, unbroken(grid.air))).unit
    return unit if np.isfinite(unit) else 1.0


class _Sight:
    """What several features need, worked out once."""

    def __init__(self, grid: Grid, air: Float64s, machine: Machine) -> None:
        self.grid, self.air, self.machine = grid, air, machine
        there = np.flatnonzero(~np.isnan(air))
        begin = int(there[0]) if len(there) else 0
        end = min(begin + OLDER, max(len(air) - 6 * 60, begin))
        self.older = slice(begin, end)
        self.usual = mean_of(air[self.older])
        self.unit = max(OUTSIDE - self.usual, 5.0) / _DISTANCE if np.isfinite(self.usual) else _NAN
        self.duty = mean_of(machine.running[self.older]) if machine.known else _NAN
        self.enough = end - begin >= 6 * 60


def _supply(sight: _Sight) -> float:
    grid = sight.grid
    own, board, beside = (_present(values) for values in (grid.power, grid.supply, grid.neighbours))
    others = [value for value in (board, beside) if np.isfinite(value)]
    if np.isfinite(own) and own > NOTHING:
        return 0.0
    if others and max(others) <= NOTHING:
        return 2.0
    # A mechanical thermostat draws nothing while the compressor stands.
    if np.isfinite(own) and not (sight.machine.known and sight.machine.idle <= NOTHING):
        return 1.0
    return 0.0 if others else _NAN


def _present(values: Float64s) -> float:
    """The middle of the three newest values of the last 10 minutes: a power cut is two minutes old when it is told."""
    there = values[-10:][~np.isnan(values[-10:])]
    return float(np.median(there[-3:])) if len(there) else _NAN


def _stood(sight: _Sight) -> float:
    machine = sight.machine
    if not machine.known or machine.longest_stand == 0:
        return _NAN
    return machine.stood_for / machine.longest_stand


def _run_share(sight: _Sight) -> float:
    return mean_of(sight.machine.running[-RECENT:])


def _duty(sight: _Sight) -> float:
    recent = mean_of(sight.machine.running[-180:])
    return recent / sight.duty if sight.enough and sight.duty > 0.05 else _NAN


def _duty_before(sight: _Sight) -> float:
    running = sight.machine.running
    if not sight.enough or not sight.duty > 0.05:
        return _NAN
    stands = np.flatnonzero((running == 0) & (sight.machine.heating == 0))
    # A pause of a few minutes still belongs to running without pause.
    long = stands[2:][stands[2:] - stands[:-2] <= 3] if len(stands) > 2 else stands
    since = int(long[-1]) if len(long) else 0
    before = running[max(since - 360, 0) : since]
    return mean_of(before) / sight.duty if np.count_nonzero(~np.isnan(before)) >= 60 else _NAN


def _run_power(sight: _Sight) -> float:
    machine, power = sight.machine, sight.grid.power
    if not machine.known:
        return _NAN
    on = (power > machine.idle + 0.4 * (machine.run - machine.idle)) & (machine.heating == 0)
    older = power[sight.older][on[sight.older]]
    recent = power[-360:][on[-360:]]
    return float(np.median(recent) / np.median(older)) if len(older) >= 30 and len(recent) >= 5 else _NAN


def _draw(sight: _Sight) -> float:
    there = sight.grid.power[-15:]
    there = there[~np.isnan(there)]
    return float(np.median(there)) / sight.machine.run if sight.machine.known and len(there) else _NAN


def _heating(sight: _Sight) -> float:
    machine = sight.machine
    if not machine.heater or not machine.defrosts:
        return _NAN
    usual = float(np.median([end - start for start, end in machine.defrosts]))
    start, end = machine.defrosts[-1]
    return (end - start) / usual if end >= len(machine.heating) - 15 else 0.0


def _overdue(sight: _Sight) -> float:
    starts = np.array([start for start, _ in sight.machine.defrosts])
    if len(starts) < 2:
        return _NAN
    return float((len(sight.air) - 1 - starts[-1]) / np.median(np.diff(starts)))


def _rise(sight: _Sight) -> float:
    tail = sight.air[-240:]
    change = tail[15:] - tail[:-15]
    return float(np.nanmax(change)) / sight.unit if np.isfinite(change).any() else _NAN


def _slope(sight: _Sight) -> float:
    tail = sight.air[-30:]
    there = np.flatnonzero(~np.isnan(tail))
    return float(np.polyfit(there, tail[there], 1)[0]) * 60.0 / sight.unit if len(there) >= 15 else _NAN


def _offset(sight: _Sight) -> float:
    return (mean_of(sight.air[-120:]) - sight.usual) / sight.unit if sight.enough else _NAN


def _warm_for(sight: _Sight) -> float:
    air = sight.air
    older = air[sight.older]
    older = older[~np.isnan(older)]
    if not sight.enough or len(older) < 60:
        return _NAN
    cold = np.flatnonzero(air < np.median(older) + 0.3 * sight.unit)
    return (len(air) - 1 - int(cold[-1])) / 60.0 if len(cold) else len(air) / 60.0


def _flat(sight: _Sight) -> float:
    air = sight.grid.air
    there = air[~np.isnan(air)]
    if len(there) < 10:
        return _NAN
    other = np.flatnonzero(np.abs(there - there[-1]) > 1e-9)
    return float(len(there) - 1 - other[-1]) if len(other) else float(len(there))


def _stir(sight: _Sight) -> float:
    if sight.machine.known:
        return _NAN
    return _compared(_unrest(sight.grid.air[-RECENT:]), _unrest(sight.grid.air[sight.older]))


def _run_stir(sight: _Sight) -> float:
    running = sight.machine.running == 1.0
    air = np.where(running, sight.grid.air, np.nan)
    return _compared(_unrest(air[-120:]), _unrest(air[sight.older]))


def _compared(now: float, usual: float) -> float:
    return now / usual if np.isfinite(usual) and usual > 0.01 else _NAN


def _unrest(air: Float64s) -> float:
    bend = air[2:] - 2.0 * air[1:-1] + air[:-2]
    bend = bend[~np.isnan(bend)]
    # An opened door bends the line much more than moved air does: it counts for no more than that.
    return float(np.mean(np.minimum(np.abs(bend), 0.3))) if len(bend) >= 15 else _NAN


def _unusable(sight: _Sight) -> float:
    grid, tail = sight.grid, slice(-45, None)
    others = np.vstack([grid.product[tail], grid.power[tail], grid.door[tail], grid.humidity[tail]])
    heard = ~np.isnan(others).all(axis=0) | (grid.bad[tail] > 0)
    # With the air as its only point, an asset that is not heard tells nothing of its probe.
    return float(np.mean(np.isnan(grid.air[tail])[heard])) if heard.sum() >= 10 else _NAN


def _door(sight: _Sight) -> float:
    return mean_of(sight.grid.door[-45:])


def _damp(sight: _Sight) -> float:
    return mean_of(sight.grid.humidity[-30:]) - mean_of(sight.grid.humidity[sight.older])


def _food_follows(sight: _Sight) -> float:
    food, air = unbroken(sight.grid.product), sight.air
    if len(air) < 130:
        return _NAN
    rise = latest(air, 10) - mean_of(air[-130:-110])
    return (latest(food, 10) - mean_of(food[-130:-110])) / rise if rise > sight.unit else _NAN


def _food_jump(sight: _Sight) -> float:
    food = unbroken(sight.grid.product)[-240:]
    change = food[4:] - food[:-4]
    return float(np.nanmax(change)) if np.isfinite(change).any() else _NAN


_LOOKS: dict[Feature, Callable[[_Sight], float]] = {
    Feature.SUPPLY: _supply, Feature.STOOD: _stood, Feature.RUN_SHARE: _run_share, Feature.DUTY: _duty,
    Feature.DUTY_BEFORE: _duty_before, Feature.RUN_POWER: _run_power, Feature.DRAW: _draw,
    Feature.HEATING: _heating, Feature.OVERDUE: _overdue, Feature.RISE: _rise,
    Feature.SLOPE: _slope, Feature.OFFSET: _offset, Feature.WARM_FOR: _warm_for, Feature.FLAT: _flat,
    Feature.STIR: _stir, Feature.RUN_STIR: _run_stir, Feature.UNUSABLE: _unusable,
    Feature.DOOR: _door, Feature.DAMP: _damp, Feature.FOOD_FOLLOWS: _food_follows, Feature.FOOD_JUMP: _food_jump,
}  # fmt: skip
