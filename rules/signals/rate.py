"""How fast a value changes: the slope of the least-squares line through the readings of the last while.

Least squares rather than last minus first: one noisy reading at either end would otherwise be the whole answer. It is
known when at least three readings span two thirds of that while without a hole; a hole begins it anew. Bad readings are
left out.
"""

from collections import deque

import numpy as np

from domain.batch import Float64s, Int64s
from rules.signals.base import UNKNOWN_VALUE, Bools, Calm, Parameters, Running, first_of, worth

MOST_READINGS = 512  # in the window: of faster ones the newest of each cell of time counts
LEAST_READINGS = 3


_AHEAD = 2_048  # readings looked at together: sums in columns lose digits with their length
_DOUBT = 4_096 * float(np.finfo(np.float64).eps)  # of a sum's absolute terms: more than it can have lost
_PART, _LEAST_ROOM = 0.99, 1e-9  # of a calm band is used; what is narrower than that of the values is none


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
        self.least_span = -(-2 * what.over // 3)
        self.half_band = half_band(self.least_span, self.cell)

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        if not bad:
            super().read(time, value, False)

    def take(self, time: int, value: float) -> None:
        if self.readings and self.readings[-1][0] // self.cell == time // self.cell:
            self.readings.pop()
        self.readings.append((time, value))
        while self.readings[0][0] < time - self.what.over:
            self.readings.popleft()

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """Values within a band so narrow that no slope in it reaches a limit, when all that the window has do; or
        whatever comes, until a slope can be known."""
        if not self.readings:
            return None
        steepest = min(ceiling, -floor) / self.what.per
        values = [value for _, value in self.readings]
        low, high = min(values), max(values)
        middle, room = (low + high) / 2.0, _PART * self.half_band * steepest
        if high - low <= 2.0 * room < np.inf and room > _LEAST_ROOM * abs(middle):
            return Calm(middle - room, middle + room)
        until = self.readings[0][0] + self.least_span - 1
        return Calm(until=until) if until >= self.readings[-1][0] else None

    def ahead(self, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float) -> int:
        """As `calm` says, or until the first slope that is beyond the bounds, or so near that one by one must tell."""
        calm = super().ahead(times, values, bad, floor, ceiling)
        return (
            calm
            if calm == len(bad)
            else max(calm, worth(self._before_steep(times, values, bad, floor, ceiling), len(bad)))
        )

    def _before_steep(self, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float) -> int:
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
        columns = np.empty((4, len(time)), np.float64)  # x, y, x², x y
        np.subtract(time, time[0], out=columns[0], casting="unsafe")
        np.subtract(value, value[0], out=columns[1])
        np.multiply(columns[0], columns[:2], out=columns[2:])
        sums = np.zeros((4, len(time) + 1), np.float64)
        np.cumsum(columns, axis=1, out=sums[:, 1:])
        x_most, y_most, xx_most, xy_most = np.abs(columns).sum(axis=1).tolist()
        x_sum, y_sum, xx_sum, xy_sum = sums[:, 1:] - sums[:, first]
        count = np.arange(1, len(time) + 1) - first
        below = count * xx_sum - x_sum * x_sum
        lost_below = _DOUBT * (count * xx_most + x_most * np.abs(x_sum))
        lost = _DOUBT * (count * xy_most + x_most * np.abs(y_sum) + y_most * np.abs(x_sum))
        sure = below > 4.0 * lost_below
        below[~sure] = 1.0
        slope = (count * xy_sum - x_sum * y_sum) / below
        doubt = (lost + 2.0 * np.abs(slope) * lost_below) / below + _DOUBT * np.abs(slope)
        doubt[~sure] = np.inf
        doubt[(count < LEAST_READINGS) | (time - time[first] < self.least_span)] = np.nan
        return (slope - doubt) * self.what.per, (slope + doubt) * self.what.per

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """Keep those of the window."""
        holes = np.flatnonzero(self.holes(times))
        before = [] if len(holes) else [time for time, _ in [*self.readings][-1:]]
        kept = slice(int(holes[-1]) if len(holes) else 0, None)
        times, values = times[kept], values[kept]
        kept = slice(int(np.searchsorted(times, times[-1] - self.what.over)), None)
        times, values = times[kept], values[kept]
        ends = np.append(np.array(before, np.int64), times) // self.cell
        if (ends[1:] == ends[:-1]).any():
            return False
        if len(holes):
            self.readings.clear()
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


def half_band(least_span: int, cell: int) -> float:
    """Half of the width of a band (in ms times a slope) that no such slope fits into, however readings lie in it.

    With d a reading's distance in time from the mean and h half of the width, the slope is s at least only where the
    sum of d h - s d² is not below 0. The first and the last reading, `least_span` S apart or more, give S h - s S² / 2
    at most; those between, each in a cell of its own, the sum over cells of what is above 0: h³ / (3 s² cell) + h² / s.
    """
    low, high = 0.0, float(least_span)
    while high - low > 1e-3 * high:
        tried = (low + high) / 2.0
        fits = tried**3 / (3.0 * cell) + tried**2 + least_span * tried < least_span**2 / 2.0
        low, high = (tried, high) if fits else (low, tried)
    return low
