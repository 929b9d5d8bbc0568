"""What the estimates look at: the recent readings of one asset in columns, put on a grid of minutes.

Readings are missing, bad, doubled or out of order, and some sensors give their error code as if it were a value: on the
grid such minutes are NaN, and nothing is filled in. Pure: whoever calls has read the readings.
"""

from dataclasses import dataclass

import numpy as np

from domain.batch import Bytes8, Float64s, Int64s
from domain.readings import QualityCode
from domain.records import Series
from domain.times import DAY, MINUTE

LOOKBACK = 4 * DAY  # how much of the past is used; give at least this much where it is there

# What an air or product probe of a kitchen cannot show; 85 and -127 °C are the error codes of a common probe, 327.67
# and 882.6 those of others. Values within are judged, whatever they are.
PLAUSIBLE = {
    "air": (-60.0, 84.0),
    "product": (-60.0, 84.0),
    "power": (0.0, 200_000.0),
    "door": (0.0, 1.0),
    "humidity": (0.0, 100.0),
    "supply": (0.0, 1_000_000.0),
}


@dataclass(frozen=True, slots=True)
class Column:
    """Readings of one point, in any order: `time` (n,) UTC ms, `value` (n,) canonical unit, `quality` (n,) codes."""

    time: Int64s
    value: Float64s
    quality: Bytes8

    def __post_init__(self) -> None:
        if not self.time.shape == self.value.shape == self.quality.shape or self.time.ndim != 1:
            raise ValueError(
                f"columns of unequal length: {self.time.shape}, {self.value.shape}, {self.quality.shape} (time, "
                "value, quality)"
            )


@dataclass(frozen=True, slots=True)
class AssetColumns:
    """One cold asset's points; None where it has no such point.

    `air`, `product` °C; `power` W; `door` 1 = open; `humidity` %; `supply` W or V of the nearest meter or board that
    feeds the asset; `neighbours` W of other assets on the same board (a few are enough).
    """

    asset_type: str
    air: Column | None = None
    product: Column | None = None
    power: Column | None = None
    door: Column | None = None
    humidity: Column | None = None
    supply: Column | None = None
    neighbours: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """Minutes up to and including the one that `now` lies in; all columns (n,), NaN where nothing good was read.

    The last element of each column is the present. `bad` (n,) is where a reading of the air came and was bad or an
    error code; `known` says which points the asset has at all.
    """

    now: int
    asset_type: str
    air: Float64s
    product: Float64s
    power: Float64s
    door: Float64s
    humidity: Float64s
    supply: Float64s
    neighbours: Float64s  # (n,) the highest power of any neighbour
    bad: Float64s
    known: frozenset[str]

    def __len__(self) -> int:
        return len(self.air)


def column_of(series: Series) -> Column:
    """The series as a column."""
    codes = np.array([one.code for one in series.quality], np.uint8)
    return Column(series.time, series.value, codes)


def grid_of(columns: AssetColumns, now: int, lookback: int = LOOKBACK) -> Grid:
    """The columns by the minute over `lookback` ms up to `now` (UTC ms); what is later than `now` is not looked at."""
    length = max(lookback // MINUTE, 1)
    made = {name: _minutes(getattr(columns, name), now, length, *bounds)[0] for name, bounds in PLAUSIBLE.items()}
    neighbours = [_minutes(each, now, length, *PLAUSIBLE["power"])[0] for each in columns.neighbours]
    stacked = np.vstack([np.full(length, np.nan), *neighbours])
    highest = np.fmax.reduce(stacked, axis=0)
    known = {name for name in PLAUSIBLE if getattr(columns, name) is not None}
    if columns.neighbours:
        known.add("neighbours")
    bad = _minutes(columns.air, now, length, *PLAUSIBLE["air"])[1]
    return Grid(now, columns.asset_type, neighbours=highest, bad=bad, known=frozenset(known), **made)


def _minutes(column: Column | None, now: int, length: int, low: float, high: float) -> tuple[Float64s, Float64s]:
    """(the last good value of each minute or NaN, 1 where only unusable readings came)."""
    values, unusable = np.full(length, np.nan), np.zeros(length)
    if column is None or not len(column.time):
        return values, unusable
    order = np.argsort(column.time, kind="stable")
    time, value = column.time[order], column.value[order]
    place = length - 1 - (now // MINUTE - time // MINUTE)
    inside = (place >= 0) & (time <= now)
    usable = (column.quality[order] != QualityCode.BAD) & (value >= low) & (value <= high)
    unusable[place[inside & ~usable]] = 1.0
    good = inside & usable
    values[place[good]] = value[good]  # of several in a minute the last is kept: assignment goes in order
    unusable[place[good]] = 0.0
    return values, unusable


def latest(values: Float64s, within: int) -> float:
    """The newest value of the last `within` minutes; NaN when there is none."""
    tail = values[-within:]
    good = np.flatnonzero(~np.isnan(tail))
    return float(tail[good[-1]]) if len(good) else float("nan")


def mean_of(values: Float64s) -> float:
    """The mean of what is there; NaN when there is nothing."""
    good = values[~np.isnan(values)]
    return float(good.mean()) if len(good) else float("nan")
