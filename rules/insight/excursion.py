"""What an excursion was, in figures: how long, how far, how much of it was measured, and how much came before it.

For whoever decides about the food, and for the record. Worked out from the stored readings each time it is asked, so
late readings are in it. It decides nothing, and what nobody measured is named as unknown minutes, never left out.
"""

from dataclasses import dataclass

import numpy as np

from domain.batch import Float64s, Int64s
from domain.kinetic import mean_kinetic_temperature
from domain.readings import QualityCode
from domain.times import DAY, MINUTE
from rules.insight.columns import Column
from rules.model import Limit

WINDOW = DAY  # over which minutes beyond the limit add up
DEFAULT_GAP = 3 * MINUTE  # how long a reading counts when the catalogue gives no interval


@dataclass(frozen=True, slots=True)
class ExcursionFacts:
    """Figures of one excursion; times in ms, temperatures as stored.

    `lasted` from its start to its end (or to now). Within it, `beyond` was measured out of the limit, `within` measured
    inside it (the off-delay, the deadband), `unknown` was not measured: the three add up to `lasted`. `peak` is the
    reading that lay farthest out, at `peak_at`. `window_beyond` and `window_unknown` are those of the 24 hours that
    end with it. `kinetic` is the mean kinetic temperature of these hours: information, no food pass.
    """

    lasted: int
    beyond: int
    within: int
    unknown: int
    peak: float | None
    peak_at: int | None
    window: int
    window_beyond: int
    window_unknown: int
    kinetic: float | None

    @property
    def at_most(self) -> int:
        """Ms out of the limit when what is unknown is counted as out of it: what food is judged by."""
        return self.beyond + self.unknown


def facts_of(
    column: Column, limit: Limit, start: int, end: int, max_gap: int = DEFAULT_GAP, *, temperature: bool = True
) -> ExcursionFacts:
    """The facts of the excursion from `start` to `end` (UTC ms; now for one that goes on).

    `column` should hold the readings from `end - WINDOW - max_gap` or `start - max_gap`, whichever is earlier, to
    `end`. A reading counts until the next one, at most `max_gap` ms; what is bad or lies behind that is unknown.
    """
    end = max(end, start)
    time, value = _in_order(column)
    inside = _held(time, value, limit, start, end, max_gap)
    around = _held(time, value, limit, end - WINDOW, end, max_gap)
    farthest = _farthest(time, value, limit, start, end)
    return ExcursionFacts(
        lasted=end - start,
        beyond=inside.beyond,
        within=inside.within,
        unknown=end - start - inside.beyond - inside.within,
        peak=None if farthest is None else float(value[farthest]),
        peak_at=None if farthest is None else int(time[farthest]),
        window=WINDOW,
        window_beyond=around.beyond,
        window_unknown=WINDOW - around.beyond - around.within,
        kinetic=mean_kinetic_temperature(around.values.tolist(), around.weights.tolist()) if temperature else None,
    )


@dataclass(frozen=True, slots=True)
class _Held:
    beyond: int
    within: int
    values: Float64s
    weights: Float64s


def _in_order(column: Column) -> tuple[Int64s, Float64s]:
    """Ascending times with values, NaN where the reading cannot be used."""
    order = np.argsort(column.time, kind="stable")
    usable = (column.quality[order] != QualityCode.BAD) & np.isfinite(column.value[order])
    return column.time[order], np.where(usable, column.value[order], np.nan)


def _held(time: Int64s, value: Float64s, limit: Limit, start: int, end: int, max_gap: int) -> _Held:
    """How long each reading held within [start, end)."""
    if not len(time) or end <= start:
        return _Held(0, 0, np.empty(0), np.empty(0))
    following = np.append(time[1:], np.iinfo(np.int64).max)
    until = np.minimum(np.minimum(following, time + max_gap), end)
    held = np.maximum(until - np.maximum(time, start), 0)
    held[np.isnan(value)] = 0
    out = _beyond(value, limit)
    known = held > 0
    return _Held(int(held[out].sum()), int(held[~out].sum()), value[known], held[known].astype(np.float64))


def _farthest(time: Int64s, value: Float64s, limit: Limit, start: int, end: int) -> int | None:
    there = np.flatnonzero((time >= start) & (time <= end) & ~np.isnan(value))
    if not len(there):
        return None
    inside = value[there]
    return int(there[np.argmax(inside) if limit.above is not None else np.argmin(inside)])


def _beyond(value: Float64s, limit: Limit) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    with np.errstate(invalid="ignore"):
        if limit.above is not None:
            return np.asarray(value > limit.above, np.bool_)
        return np.asarray(value < (limit.below if limit.below is not None else -np.inf), np.bool_)
