"""How fast a value changes: the slope of the least-squares line through the readings of the last while.

Least squares rather than last minus first: one noisy reading at either end would otherwise be the whole answer. It is
known when at least three readings span two thirds of that while without a hole; a hole begins it anew. Bad readings are
left out.
"""

from collections import deque

import numpy as np

from domain.batch import Float64s, Int64s
from rules.signals.base import UNKNOWN_VALUE, Bools, Parameters, Running, first_of

MOST_READINGS = 512  # in the window: of faster ones the newest of each cell of time counts
LEAST_READINGS = 3


_AHEAD = 2_048  # readings looked at together: sums in columns lose digits with their length
_DOUBT = 4_096 * float(np.finfo(np.float64).eps)  # of a sum's absolute terms: more than it can have lost


class Rate(Parameters, frozen=True, array_like=True, tag=True):
    """Change per `per` ms over the last `over` ms."""

    over: int
    per: int

    @property
    def lookback(self) -> int:
        """The window."""
        return self.over

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin without readings; without a gap rule a slope is believed for `over` at most."""
        return _Rate(self, self.over if gap is None else gap)


class _Rate(Running):
    HEEDS_BAD = False
    FIELDS = ("readings",)

    def __init__(self, what: Rate, gap: int) -> None:
        super().__init__(gap)
        self.what = what
        self.cell = max(1, what.over // MOST_READINGS)
        self.readings: deque[tuple[int, float]] = deque()

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        if not bad:
            super().read(time, value, False)

    def take(self, time: int, value: float) -> None:
        if self.readings and self.readings[-1][0] // self.cell == time // self.cell:
            self.readings.pop()
        self.readings.append((time, value))
        while self.readings[0][0] < time - self.what.over:
            self.readings.popleft()

    def ahead(self, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float) -> int:
        """Until the first slope that is beyond the bounds, or so near that one by one must tell."""
        good = np.flatnonzero(~bad[:_AHEAD])
        if not len(good):
            return min(len(bad), _AHEAD) if floor < self.value < ceiling or self.value != self.value else 0
        times, values = times[good], values[good]
        begins = np.flatnonzero(self.holes(times))
        before = [] if len(begins) and begins[0] == 0 else list(self.readings)
        time = np.concatenate((np.array([at for at, _ in before], np.int64), times))
        if (time[1:] // self.cell == time[:-1] // self.cell).any():
            return 0
        value = np.concatenate((np.array([one for _, one in before], np.float64), values))
        low, high = self._slopes(time, value, begins + len(before))
        inside = ~((low <= floor) | (high >= ceiling))
        inside[: len(before)] = True
        count = first_of(~inside) - len(before)
        return int(good[count]) if count < len(good) else min(len(bad), _AHEAD)

    def _slopes(self, time: Int64s, value: Float64s, begins: Int64s) -> tuple[Float64s, Float64s]:
        """Between what the derived value is at each reading, from sums in columns; NaN where it is unknown."""
        first = np.searchsorted(time, time - self.what.over)
        if len(begins):
            begun = np.zeros(len(time), np.int64)
            begun[begins] = begins
            first = np.maximum(first, np.maximum.accumulate(begun))
        x, y = (time - time[0]).astype(np.float64), value - value[0]
        row = np.arange(1, len(time) + 1)
        count = (row - first).astype(np.float64)
        sums = [np.concatenate(([0.0], np.cumsum(column))) for column in (x, y, x * x, x * y)]
        x_sum, y_sum, xx_sum, xy_sum = (column[row] - column[first] for column in sums)
        most = [float(np.abs(column).sum()) for column in (x, y, x * x, x * y)]
        below = count * xx_sum - x_sum * x_sum
        lost_below = _DOUBT * (count * most[2] + most[0] * np.abs(x_sum))
        lost = _DOUBT * (count * most[3] + most[0] * np.abs(y_sum) + most[1] * np.abs(x_sum))
        span = time - time[first]
        known = (count >= LEAST_READINGS) & (3 * span >= 2 * self.what.over)
        sure = below > 4.0 * lost_below
        below = np.where(sure, below, 1.0)
        slope = (count * xy_sum - x_sum * y_sum) / below
        doubt = (lost + 2.0 * np.abs(slope) * lost_below) / below + _DOUBT * np.abs(slope)
        doubt = np.where(sure, doubt, np.inf)
        low, high = (slope - doubt) * self.what.per, (slope + doubt) * self.what.per
        return np.where(known, low, np.nan), np.where(known, high, np.nan)

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """Keep those of the window."""
        holes = np.flatnonzero(self.holes(times))
        if len(holes):
            self.end(int(times[holes[-1]]))
            times, values = times[holes[-1] :], values[holes[-1] :]
        kept = slice(int(np.searchsorted(times, times[-1] - self.what.over)), None)
        times, values = times[kept], values[kept]
        ends = np.append([one[0] for one in [*self.readings][-1:]], times) // self.cell
        if (ends[1:] == ends[:-1]).any():
            return False
        self.readings.extend(zip(times.tolist(), values.tolist(), strict=True))
        while self.readings[0][0] < times[-1] - self.what.over:
            self.readings.popleft()
        return True

    def end(self, at: int) -> None:
        self.readings.clear()

    def say(self, now: int) -> None:
        self.due = self.edge
        first, last = self.readings[0][0], self.readings[-1][0]
        if now > last:
            return  # between readings the slope stays what it was
        if len(self.readings) < LEAST_READINGS or 3 * (last - first) < 2 * self.what.over:
            self.value = UNKNOWN_VALUE
        else:
            self.value = self._slope(*self.readings[-1]) * self.what.per

    def _slope(self, origin: int, level: float) -> float:
        """Per ms; from scratch each time, so that it depends on the readings in the window and on nothing else."""
        count = len(self.readings)
        x_sum = xx_sum = 0
        y_sum = xy_sum = 0.0
        for time, value in self.readings:
            x, y = time - origin, value - level
            x_sum += x
            xx_sum += x * x
            y_sum += y
            xy_sum += x * y
        return (count * xy_sum - x_sum * y_sum) / (count * xx_sum - x_sum * x_sum)
