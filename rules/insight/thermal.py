"""How long until a cold asset's temperature passes its limit: "about 47 min (35-70)", or why nothing can be said.

For whoever must decide what to do first. A model with two nodes is fitted to the asset's own last days: the air warms
by what comes through the walls and exchanges heat with the food, the food follows the air with a lag. Learned are

    air' = warming - loss * (air - air0) + exchange * (food - air)        food' = (air - food) / lag       (°C per min)

`warming` and `exchange` from the minutes in which the machine stood (or, without a power reading, from those in which
the air rose in a line), `lag` from the probe in the food, where there is one. `loss` follows from `warming`
and the temperature outside, which is not measured: 25 °C, give or take 4. `warming` is then learned again from the last
minutes, so that a machine that runs and does not cool enough has its own, smaller one.

Where the asset's past teaches nothing, figures typical of its type stand in, with a wide interval. The interval is
meant to hold four times in five; `docs/insight.md` has the command that measures it.

    estimate = time_left(columns, now, limit=8.0, quantity=Quantity.PRODUCT)

Pure: no I/O, no clock; times are UTC ms, results are minutes. It must not be used to let food pass: it says how
much time is left to act, nothing about safety.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from domain.batch import Float64s
from rules.insight.columns import AssetColumns, Grid, grid_of, latest
from rules.insight.machine import Machine, machine_of, unbroken
from rules.insight.regression import Fit, fit_line

OUTSIDE, OUTSIDE_SPREAD = 25.0, 4.0  # °C: a kitchen; nobody measures it
FARTHEST = 24 * 60  # minutes ahead; what is later than a day is not said
SPAN = 5  # minutes of one step of learning: long enough for a sensor with a resolution of 0.1 °C
LAG_SPAN = 20
LEAST_SPANS = 12  # an hour's worth of standing machine; with less, the typical figures stand
FRESH = 10  # minutes: an older reading is no present
STRETCH = 60  # minutes of the present that `warming` is learned again from, at most
LEAST_STRETCH = 8
MEMBERS = 96  # of the ensemble that the interval is read from
SPREAD = 1.0  # factor on all uncertainties, so that the interval holds as often as it says
INSIDE = (10.0, 90.0)  # percentiles: four times in five


class Quantity(StrEnum):
    """Which temperature is meant: the air's probe, or the food's (estimated from the air where no probe is in it)."""

    AIR = "air"
    PRODUCT = "product"


class Outlook(StrEnum):
    """What can be said of the time ahead."""

    HEADING = "heading"  # towards the limit: there is an estimate
    BEYOND = "beyond"  # the limit is passed already
    NOT_HEADING = "not_heading"  # an ordinary cycle, or it will settle before the limit
    UNKNOWN = "unknown"  # too few or no recent readings, or no cold asset


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Minutes until `quantity` passes `limit` (°C), between `low` and `high` four times in five.

    `minutes`, `low`, `high` are None unless the outlook is HEADING; `high` is None when it may be more than a day.
    `temperature` is what the quantity is now (estimated where it is not measured), `rate` its rise in °C per hour over
    the next half hour if nothing is done; `learned` tells that the asset's own past was used, not typical figures.
    """

    outlook: Outlook
    quantity: Quantity
    limit: float
    temperature: float | None = None
    rate: float | None = None
    minutes: float | None = None
    low: float | None = None
    high: float | None = None
    learned: bool = False


@dataclass(frozen=True, slots=True)
class Typical:
    """Figures of a type with their spread as a factor (one standard deviation): minutes, °C per hour."""

    lag: float
    exchange: float  # minutes in which the air would follow the food
    warming: float
    spread: float


# Drift with refrigeration off: coolers 0.3-1.7, freezers 2.9-3.9 °C/h for the whole; air alone is faster by the share
# of the heat that it holds. Time constants at the sensor: freezers 22-26 min, coolers 77-127 min (domain notes, from
# a cold store). Lags of buffered probes and food vary most: the spread is wide on purpose.
TYPICAL = {
    "refrigerator": Typical(60.0, 30.0, 6.0, 1.6),
    "sample_fridge": Typical(45.0, 30.0, 6.0, 1.6),
    "cold_room": Typical(120.0, 30.0, 5.0, 1.6),
    "freezer": Typical(150.0, 15.0, 20.0, 1.6),
}


@dataclass(frozen=True, slots=True)
class Model:
    """The asset as learned: per minute, with standard deviations. `air0` is where `warming` was learned."""

    lag: float
    lag_spread: float  # as a share
    warming: float
    warming_spread: float  # °C/min
    exchange: float
    exchange_spread: float
    air0: float
    learned: bool
    defrost: "Defrost | None" = None


@dataclass(frozen=True, slots=True)
class Defrost:
    """The next defrost that is due: begins in `starts` minutes, lasts `length`, and warms by `rate` °C/min more."""

    starts: int
    length: int
    rate: float


def time_left(columns: AssetColumns, now: int, limit: float, quantity: Quantity = Quantity.AIR) -> TimeLeft:
    """How long until the quantity is above the limit (°C) if nothing is done. `now` is UTC ms."""
    return time_left_on(grid_of(columns, now), limit, quantity)


def time_left_on(grid: Grid, limit: float, quantity: Quantity = Quantity.AIR) -> TimeLeft:
    """As `time_left`, of columns already on their grid."""
    air = unbroken(grid.air)
    if grid.asset_type not in TYPICAL or np.isnan(latest(air, FRESH)):
        return TimeLeft(Outlook.UNKNOWN, quantity, limit)
    machine = machine_of(grid, air)
    model = learn(grid, machine, air)
    food = _food(grid, air, model.lag)
    present = _level(air, 8), _level(food, 15)
    if any(np.isnan(present)):
        return TimeLeft(Outlook.UNKNOWN, quantity, limit)
    here = present[0] if quantity is Quantity.AIR else present[1]
    if here > limit:
        return TimeLeft(Outlook.BEYOND, quantity, limit, here, learned=model.learned)
    if not _leaves_its_range(air, machine):
        return TimeLeft(Outlook.NOT_HEADING, quantity, limit, here, learned=model.learned)
    warming = _warming_now(model, machine, air, food)
    powered = not (grid.power[-FRESH:] <= 0.5).any()  # a defrost heater works though the compressor does not
    paths = _ahead(model, warming, present, model.defrost if powered else None, "product" in grid.known)
    times, rate = _crossings(paths, limit, quantity)
    if times is None:
        return TimeLeft(Outlook.NOT_HEADING, quantity, limit, here, rate, learned=model.learned)
    middle, low, high = times
    return TimeLeft(Outlook.HEADING, quantity, limit, here, rate, middle, low, high, model.learned)


def learn(grid: Grid, machine: Machine, air: Float64s) -> Model:
    """The asset's model from its own past, the typical figures of its type where that teaches nothing."""
    typical = TYPICAL[grid.asset_type]
    lag, lag_spread = _lag(grid, air, typical)
    food = _food(grid, air, lag)
    standing = machine.standing(air)
    change, gap, middle = _spans(air, food, standing)
    fit = fit_line(gap * SPAN, change, overlap=SPAN) if len(change) >= LEAST_SPANS * SPAN else None
    air0 = float(np.median(middle)) if len(middle) else float(np.nanmedian(air))
    if fit is None or fit.slope <= 0 or fit.level <= 0:
        warming, exchange = typical.warming / 60.0, 1.0 / typical.exchange
        wide = typical.spread - 1.0
        return Model(lag, lag_spread, warming, warming * wide, exchange, exchange * wide, air0, learned=False)
    warming = fit.level / SPAN
    # A warmer air also loses less to the outside, which the slope holds too.
    exchange = max(fit.slope - warming / max(OUTSIDE - air0, 5.0), 0.2 * fit.slope)
    return Model(
        lag, lag_spread, warming, fit.level_error / SPAN, exchange, fit.slope_error, air0, True, _hump(machine, air)
    )


def _hump(machine: Machine, air: Float64s) -> Defrost | None:
    """The next defrost by the usual distance between the last ones; None when they are not regular or it is overdue."""
    starts = np.array([start for start, _ in machine.defrosts])
    if len(starts) < 3:
        return None
    distance = float(np.median(np.diff(starts)))
    length = int(np.median([end - start for start, end in machine.defrosts]))
    starts_in = round(starts[-1] + distance) - (len(air) - 1)
    rates = [
        air[start + 8] - air[start + 1] for start, end in machine.defrosts if end - start > 8 and start + 8 < len(air)
    ]
    rate = float(np.nanmedian(rates)) / 7.0 if rates and not np.isnan(rates).all() else 0.0
    if starts_in < -length or rate <= 0.0:
        return None
    return Defrost(starts_in, length, rate)


def _lag(grid: Grid, air: Float64s, typical: Typical) -> tuple[float, float]:
    """(minutes, its spread as a share): from the probe in the food, else the type's."""
    food = unbroken(grid.product)
    if len(air) <= LAG_SPAN or np.isnan(food).all():
        return typical.lag, typical.spread - 1.0
    gap = _mean_over(air - food, LAG_SPAN)
    change = food[LAG_SPAN:] - food[:-LAG_SPAN]
    there = ~np.isnan(gap) & ~np.isnan(change)
    fit = fit_line(gap[there] * LAG_SPAN, change[there], overlap=LAG_SPAN, through_zero=True)
    if fit is None or fit.slope <= 0 or fit.slope_error > 0.5 * fit.slope:
        return typical.lag, typical.spread - 1.0
    return float(np.clip(1.0 / fit.slope, 5.0, 600.0)), fit.slope_error / fit.slope


def _food(grid: Grid, air: Float64s, lag: float) -> Float64s:
    """The food's temperature by the minute: measured, else the air seen through the lag."""
    if not np.isnan(latest(unbroken(grid.product), FRESH)):
        return unbroken(grid.product)
    seen = np.flatnonzero(~np.isnan(air))
    filled = np.interp(np.arange(len(air)), seen, air[seen]) if len(seen) else air
    out = np.empty(len(filled))
    state = float(np.mean(filled[: max(min(len(filled), round(lag)), 1)]))
    share = 1.0 - np.exp(-1.0 / lag)
    for minute, value in enumerate(filled.tolist()):
        state += share * (value - state)
        out[minute] = state
    return out


def _spans(air: Float64s, food: Float64s, standing: Float64s) -> tuple[Float64s, Float64s, Float64s]:
    """(change of the air, mean of food - air, mean air) over the spans in which the machine stood throughout."""
    if len(air) <= SPAN:
        return np.empty(0), np.empty(0), np.empty(0)
    change = air[SPAN:] - air[:-SPAN]
    gap, middle = _mean_over(food - air, SPAN), _mean_over(air, SPAN)
    whole = _mean_over(standing, SPAN) == 1.0
    there = whole & ~np.isnan(change) & ~np.isnan(gap)
    return change[there], gap[there], middle[there]


def _mean_over(values: Float64s, span: int) -> Float64s:
    """Mean of each `span` + 1 minutes, the ends counted half; NaN where one is missing."""
    total = np.concatenate(([0.0], np.cumsum(np.nan_to_num(values))))
    missing = np.concatenate(([0], np.cumsum(np.isnan(values))))
    inner = total[span:] - total[:-span]
    inner = inner[:-1] + 0.5 * (np.nan_to_num(values[span:]) - np.nan_to_num(values[:-span]))
    gaps = missing[span + 1 :] - missing[: -span - 1]
    mean: Float64s = np.where(gaps > 0, np.nan, inner / span)
    return mean


def _level(values: Float64s, minutes: int) -> float:
    """The value now: a line through the last minutes, at its end."""
    tail = values[-minutes:]
    there = np.flatnonzero(~np.isnan(tail))
    if not len(there):
        return latest(values, FRESH)
    if len(there) < 4:
        return float(tail[there].mean())
    slope, level = np.polyfit(there - (minutes - 1.0), tail[there], 1)
    return float(level) if slope > 0 else float(np.mean(tail[there][-3:]))


def _leaves_its_range(air: Float64s, machine: Machine) -> bool:
    """Whether the air is above its ordinary range, or the machine has stood for longer than it ever does."""
    past = air[: -3 * 60]
    past = past[~np.isnan(past)]
    top = np.percentile(past, 98) if len(past) >= 6 * 60 else np.inf
    recent = latest(air, FRESH)
    if machine.known and machine.stood_for > max(1.5 * machine.longest_stand, 15):
        return True
    if np.isfinite(top):
        return bool(recent > top)
    tail = air[-30:]
    before, after = tail[:10], tail[-10:]
    if np.isnan(before).all() or np.isnan(after).all():
        return False  # there is no half hour of it yet
    return bool(np.nanmean(after) > np.nanmean(before) + 0.5)


def _warming_now(model: Model, machine: Machine, air: Float64s, food: Float64s) -> tuple[float, float]:
    """(warming, its standard deviation) of the present stretch, joined with what the machine's stands taught."""
    stood = machine.known and machine.stood_for >= LEAST_STRETCH
    length = min(machine.stood_for if stood else STRETCH // 2, STRETCH, len(air) - 1)
    unheated = 1.0 - machine.heating[-length - 1 :]
    change, gap, middle = _spans(air[-length - 1 :], food[-length - 1 :], unheated)
    if len(change) < 3:
        return model.warming, max(model.warming_spread, 0.3 * model.warming)
    loss = model.warming / max(OUTSIDE - model.air0, 5.0)
    seen = change / SPAN - model.exchange * gap + loss * (middle - model.air0)
    mean = float(np.median(seen))
    error = float(np.std(seen)) / np.sqrt(max(len(seen) / SPAN, 1.0)) + 0.002
    if not stood:
        return mean, error
    own = model.warming_spread + 0.03 * model.warming
    weight = own**-2 / (own**-2 + error**-2)
    return weight * model.warming + (1 - weight) * mean, float((own**-2 + error**-2) ** -0.5)


def _ahead(
    model: Model,
    warming: tuple[float, float],
    present: tuple[float, float],
    defrost: Defrost | None,
    measured: bool,
) -> tuple[Float64s, Float64s]:
    """Air and food (steps, members) every two minutes from now on; the first member has no uncertainty."""
    chance = np.random.default_rng(20_260).standard_normal(
        (MEMBERS, 6)
    )  # fixed: the same input gives the same interval
    chance[0] = 0.0
    chance *= SPREAD
    rise = warming[0] + np.hypot(warming[1], 0.06 * abs(warming[0])) * chance[:, 0]
    exchange = model.exchange * np.exp(np.clip(model.exchange_spread / model.exchange + 0.03, 0, 0.6) * chance[:, 1])
    lag = model.lag * np.exp(np.clip(model.lag_spread + 0.03, 0, 0.35) * chance[:, 2])
    outside = OUTSIDE + OUTSIDE_SPREAD * np.clip(chance[:, 3], -2.5, 2.5)
    loss = model.warming / np.maximum(outside - model.air0, 5.0)
    air = present[0] + 0.06 * chance[:, 4]
    food = present[1] + (0.05 if measured else 0.1 * abs(present[0] - present[1]) + 0.1) * chance[:, 5]
    airs, foods = [air], [food]
    for minute in range(0, FARTHEST, 2):
        hump = defrost.rate if defrost and defrost.starts <= minute < defrost.starts + defrost.length else 0.0
        # Implicit in the air, so that a fast exchange cannot swing.
        before = air
        air = (air + 2.0 * (rise + hump + loss * model.air0 + exchange * food)) / (1.0 + 2.0 * (loss + exchange))
        food = food + 2.0 / lag * (0.5 * (before + air) - food)
        airs.append(air)
        foods.append(food)
    return np.array(airs), np.array(foods)


def _crossings(
    paths: tuple[Float64s, Float64s], limit: float, quantity: Quantity
) -> tuple[tuple[float, float, float | None] | None, float]:
    """((middle, low, high) in minutes or None when the middle never passes, rise in °C per hour)."""
    path = paths[0] if quantity is Quantity.AIR else paths[1]
    rate = float(path[15, 0] - path[0, 0]) * 2.0
    beyond = path > limit
    first = np.argmax(beyond, axis=0)
    before = np.maximum(first - 1, 0)
    members = np.arange(path.shape[1])
    step = path[first, members] - path[before, members]
    part = np.where(step > 0, (limit - path[before, members]) / np.where(step > 0, step, 1.0), 0.0)
    minutes = np.where(beyond.any(axis=0), 2.0 * (before + np.clip(part, 0, 1)) * (first > 0), np.inf)
    if not np.isfinite(minutes[0]):
        return None, rate
    low, high = np.percentile(minutes, INSIDE, method="closest_observation")
    return (
        float(minutes[0]),
        float(min(low, minutes[0])),
        float(max(high, minutes[0])) if np.isfinite(high) else None,
    ), rate


__all__ = ["Fit", "Model", "Outlook", "Quantity", "TimeLeft", "Typical", "learn", "time_left", "time_left_on"]
