"""What an asset's power says of its machine: standing, running, or something else that draws more (a defrost heater).

Levels are learned from the asset's own past, as every machine draws differently. Without power, the air itself tells
when the machine stood: it rose in a line.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.batch import Float64s
from rules.insight.columns import Grid

Bools = npt.NDArray[np.bool_]

LONGEST_HOLE = 15  # minutes without readings that a line may bridge
LEAST_STEP = 20.0  # W between standing and running; below it a power reading tells nothing
LEAST_PAST = 60  # minutes of power to learn from
APART = 0.04  # share by which heater and compressor must differ to be told apart by their power alone
ALIKE = 0.025  # share within which a power is the heater's
LEAST_HEATING = 8  # minutes of one defrost


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine's story on the grid's minutes. `known` is False without usable power; then all else is empty.

    `idle`, `run` W, and `heater` W (0: none is known) the level at which the air rose; `running`, `heating` (n,) 1 or
    0, NaN where unknown; `stood_for` minutes up to now without running (all of the grid at most);
    `longest_stand` minutes, of the older past; `defrosts` (start, end) as minutes of the grid.
    """

    known: bool
    idle: float
    run: float
    heater: float
    running: Float64s
    heating: Float64s
    door: Float64s
    stood_for: int
    longest_stand: int
    defrosts: tuple[tuple[int, int], ...]

    def standing(self, air: Float64s) -> Float64s:
        """(n,) 1 where the machine stood and the door was shut; by the air's rise where there is no power."""
        shut = np.where(np.isnan(self.door), 1.0, 1.0 - self.door)
        if self.known:
            # A compressor's start and stop fall somewhere within a minute: the minutes beside it are not counted.
            off = np.where(np.isnan(self.running) | (self.running > 0) | (self.heating > 0), 0.0, 1.0)
            return _inner(off) * _inner(shut)
        return _rising(air) * _inner(shut)


def machine_of(grid: Grid, air: Float64s) -> Machine:
    """What the grid's power says; `air` is the grid's air without short holes."""
    power = grid.power
    nothing = np.full(len(power), np.nan)
    unknown = Machine(False, 0.0, 0.0, 0.0, nothing, np.zeros(len(power)), grid.door, 0, 0, ())
    live = power[power > 0.5]  # a power cut teaches no level, and NaN is no power
    if len(live) < LEAST_PAST:
        return unknown
    idle, top = (float(value) for value in np.percentile(live, (2, 90)))
    if top - idle < LEAST_STEP:
        return unknown
    drawn = power > idle + 0.4 * (top - idle)
    run, heater = _levels(power, drawn, air, top)
    drawn = power > idle + 0.4 * (run - idle)
    heating, defrosts = _defrosts(drawn & (np.abs(power - heater) < ALIKE * heater), power, air)
    running = np.where(np.isnan(power), np.nan, (drawn & ~heating).astype(np.float64))
    stands = _stands(running)
    usual = [length for length in stands[:-1] if length > 2]
    seen = running[~np.isnan(running)]
    stood_for = stands[-1] if stands and seen[-1] == 0 else 0
    return Machine(
        True, idle, run, heater, running, heating.astype(np.float64), grid.door, stood_for,
        int(np.percentile(usual or [0], 95)), defrosts,
    )  # fmt: skip


def _levels(power: Float64s, drawn: Bools, air: Float64s, top: float) -> tuple[float, float]:
    """(power of the compressor, power of a defrost heater or 0): while one works the air falls, under the other it
    rises."""
    reach = 5
    change = np.full(len(air), np.nan)
    if len(air) > 2 * reach:
        change[reach:-reach] = air[2 * reach :] - air[: -2 * reach]
    inside = drawn.copy()
    for away in range(1, reach + 1):
        inside[away:] &= drawn[:-away] | np.isnan(power[:-away])
        inside[:-away] &= drawn[away:] | np.isnan(power[away:])
    older = np.arange(len(power)) < len(power) - 6 * 60
    cooling = power[inside & older & (change < 0.0)]
    warming = power[inside & older & (change > 0.8)]
    run = float(np.median(cooling)) if len(cooling) >= 20 else float(np.median(power[drawn])) if drawn.any() else top
    heater = float(np.median(warming)) if len(warming) >= LEAST_HEATING else 0.0
    return run, heater if abs(heater - run) > APART * run else 0.0


def _defrosts(alike: Bools, power: Float64s, air: Float64s) -> tuple[Bools, tuple[tuple[int, int], ...]]:
    """(minutes of heating, its stretches): a heater's power, and the air rose under it; holes of a few minutes without
    a reading are bridged. A compressor that happens to draw what the heater does lets the air fall."""
    found: list[tuple[int, int]] = []
    for minute in np.flatnonzero(alike).tolist():
        if found and np.isnan(power[found[-1][1] + 1 : minute]).all():
            found[-1] = (found[-1][0], minute)
        else:
            found.append((minute, minute))
    rising = [(start, end) for start, end in found if not air[end] - air[start] < 0.2 and end > start]
    heating = np.zeros(len(alike), np.bool_)
    for start, end in rising:
        heating[start : end + 1] = alike[start : end + 1]
    return heating, tuple(
        (start, end) for start, end in rising if end - start >= LEAST_HEATING and not air[end] - air[start] < 0.8
    )


def unbroken(values: Float64s, longest: int = LONGEST_HOLE) -> Float64s:
    """The values with holes of at most `longest` minutes bridged by a line; longer ones and the end stay NaN."""
    there = np.flatnonzero(~np.isnan(values))
    if len(there) < 2:
        return values
    bridged = np.interp(np.arange(len(values)), there, values[there])
    after = np.searchsorted(there, np.arange(len(values)))
    left = there[np.clip(after - 1, 0, len(there) - 1)]
    right = there[np.clip(after, 0, len(there) - 1)]
    inside = (np.arange(len(values)) > there[0]) & (np.arange(len(values)) < there[-1])
    keep = ~np.isnan(values) | (inside & (right - left <= longest + 1))
    return np.where(keep, bridged, np.nan)


def _stands(running: Float64s) -> list[int]:
    """Lengths in minutes of the times without running, in order; unknown minutes go on as what was before."""
    lengths: list[int] = []
    count = 0
    for value in running.tolist():
        if value == 1.0:
            if count:
                lengths.append(count)
            count = 0
        elif value == 0.0 or count:
            count += 1
    if count:
        lengths.append(count)
    return lengths


def _inner(flags: Float64s) -> Float64s:
    """1 where the minute and both beside it are 1."""
    before, after = np.concatenate(([1.0], flags[:-1])), np.concatenate((flags[1:], [1.0]))
    return flags * before * after


def _rising(air: Float64s) -> Float64s:
    """1 where the air rises over ten minutes before and after: the machine stands."""
    reach = 5
    rise = np.full(len(air), np.nan)
    if len(air) > 2 * reach:
        rise[reach:-reach] = air[2 * reach :] - air[: -2 * reach]
    return np.where(rise > 0.3, 1.0, 0.0)
