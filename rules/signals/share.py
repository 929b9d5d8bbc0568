"""Means over a rolling window: how much of the time something runs (duty), how much it draws on average (demand), and
how much of the time what arrives is of no use (unreadable): a sensor that sends errors is alive, and measures nothing.

A reading is in force until the next one, as everywhere; the mean is over known time, and is itself unknown while less
than two thirds of the window are known. It is worked out at every reading, and 24 times per window while none comes.
"""

from collections import deque

import numpy as np

from domain.batch import Float64s, Int64s
from rules.signals.base import UNKNOWN_VALUE, Bools, Calm, Parameters, Running, pieces
from rules.timeline import NEVER

MOST_STRETCHES = 4_096  # per point; older ones count as unknown
PARTS = 24
_LARGEST = 1e9  # values up to there are summed in columns
_FINE = 1_000  # sums are whole numbers of thousandths, so that they are exact however they were come by


class Duty(Parameters, frozen=True, array_like=True, tag=True):
    """The part (0 to 1) of the last `over` ms in which the value was above `on_above`."""

    over: int
    on_above: float

    @property
    def lookback(self) -> int:
        """The window."""
        return self.over

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin with nothing known."""
        return _Share(self.over, self.on_above, gap)


class Mean(Parameters, frozen=True, array_like=True, tag=True):
    """The mean over the last `over` ms, by time."""

    over: int

    of_the_point = True

    @property
    def lookback(self) -> int:
        """The window."""
        return self.over

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin with nothing known."""
        return _Share(self.over, None, gap)


class Unreadable(Parameters, frozen=True, array_like=True, tag=True):
    """The part (0 to 1) of the last `over` ms in which the newest reading was bad, with or without a value.

    Silence is neither good nor bad: beyond the gap rule it counts as unknown, and is for `no_data` to judge.
    """

    over: int

    @property
    def lookback(self) -> int:
        """The window."""
        return self.over

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin with nothing known."""
        return _Bad(self.over, 0.0, gap)


class _Share(Running):
    FIELDS = ("stretches", "since", "weight", "total", "known")

    def __init__(self, over: int, on_above: float | None, gap: int | None) -> None:
        super().__init__(gap)
        self.over = over
        self.on_above = on_above
        self.step = max(1, over // PARTS)
        self.stretches: deque[tuple[int, int, int]] = deque()  # from, to, weight
        self.since = -1  # of the present reading, as far as it is not in the stretches yet
        self.weight: int = 0
        self.total = 0  # weight x ms over all stretches
        self.known = 0  # ms of all stretches

    def take(self, time: int, value: float) -> None:
        self.end(time)
        self.since = time
        self.weight = round(value * _FINE) if self.on_above is None else _FINE * int(value > self.on_above)

    def end(self, at: int) -> None:
        self._enter(at)
        self.since = -1

    def say(self, now: int) -> None:
        self._enter(now)
        left = now - self.over
        while self.stretches and self.stretches[0][0] < left:
            start, end, weight = self.stretches.popleft()
            cut = min(end, left)
            self.total -= weight * (cut - start)
            self.known -= cut - start
            if end > left:
                self.stretches.appendleft((left, end, weight))
        enough = 3 * self.known >= 2 * self.over
        self.value = self.total / (self.known * _FINE) if enough else UNKNOWN_VALUE
        self.due = min(self.edge, now + self.step)

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """Whatever comes, while enough of the time that the window still has to keep says the contrary; of a mean,
        whatever lies between the bounds, when all that the window has does."""
        if self.on_above is not None:
            until = min(self._outweighs(_FINE, floor), self._outweighs(0, 1.0 - ceiling))
            return None if until == -NEVER else Calm(until=until)
        low, high = max(floor, -_LARGEST) + 2.0 / _FINE, min(ceiling, _LARGEST) - 2.0 / _FINE
        weights = [weight for _, _, weight in self.stretches]
        if self.since >= 0:
            weights.append(self.weight)
        inside = all(low * _FINE <= weight <= high * _FINE for weight in weights)
        return Calm(low, high) if inside else None

    def _outweighs(self, weight: int, part: float) -> int:
        """Until when what the window has of that weight is more than that part of it, whatever comes."""
        if part < 0.0:
            return NEVER
        needed, found = int(part * self.over * (1.0 + 1e-9)) + 2, 0
        for start, end, known in reversed(self.stretches):
            if known == weight:
                found += end - start
                if found >= needed:
                    return start + found - needed + self.over
        return -NEVER

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """Enter what was in force before each of them, pieces of the same weight together."""
        if self.on_above is None:
            values = np.where(bad, 0.0, values)
            if np.abs(values).max() > _LARGEST or abs(self.weight) > _LARGEST * _FINE:
                return False
            weights = np.rint(values * _FINE).astype(np.int64)
        else:
            weights = (values > self.on_above) * _FINE
        start, end = pieces(times, bad, self.since if self.since >= 0 else int(times[0]), self.edge, self.gap)
        weight = np.concatenate((np.array([self.weight], np.int64), weights[:-1]))
        length = end - start
        if float(np.abs(weight).max()) * float(length.sum()) >= NEVER:
            return False
        self.total += int((weight * length).sum())
        self.known += int(length.sum())
        self._append(start, end, weight)
        self.since, self.weight = int(times[-1]), int(weights[-1])
        while len(self.stretches) > MOST_STRETCHES:
            self._drop()
        return True

    def _append(self, start: Int64s, end: Int64s, weight: Int64s) -> None:
        full = end > start
        start, end, weight = start[full], end[full], weight[full]
        if not len(start):
            return
        first = np.flatnonzero(np.concatenate(([True], (start[1:] != end[:-1]) | (weight[1:] != weight[:-1]))))
        last = np.append(first[1:] - 1, len(start) - 1)
        fresh = list(zip(start[first].tolist(), end[last].tolist(), weight[first].tolist(), strict=True))
        if self.stretches and self.stretches[-1][1:] == (fresh[0][0], fresh[0][2]):
            fresh[0] = (self.stretches.pop()[0], *fresh[0][1:])
        self.stretches.extend(fresh)

    def _drop(self) -> None:
        start, end, weight = self.stretches.popleft()
        self.total -= weight * (end - start)
        self.known -= end - start

    def _enter(self, until: int) -> None:
        """Count what was in force until then."""
        if not 0 <= self.since < until:
            return
        start = self.since
        self.total += self.weight * (until - start)
        self.known += until - start
        if self.stretches and self.stretches[-1][1:] == (start, self.weight):
            start = self.stretches.pop()[0]
        self.stretches.append((start, until, self.weight))
        self.since = until
        if len(self.stretches) > MOST_STRETCHES:
            self._drop()


class _Bad(_Share):
    """Of quality instead of value: a bad reading is as known as a good one."""

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        super().read(time, float(bad), False)

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """Good readings without end, when none of the window is bad."""
        if floor < 0.0 < ceiling and self.total == 0 and self.weight == 0:
            # A share is known with two thirds of the window: so much of that must be bad.
            return Calm(bad=False, grace=max(0, int(min(ceiling, 1.0) * self.over * 2 / 3) - 1))
        return super().calm(floor, ceiling)

    def ahead(self, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float) -> int:
        """As long as all are good, or whatever comes, whichever is more."""
        calm = super().calm(floor, ceiling)
        whatever = 0 if calm is None else calm.reach(times, values, bad)
        return max(whatever, super().ahead(times, values, bad, floor, ceiling))

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """All of them are known."""
        return super().absorb(times, bad.astype(np.float64), np.zeros(len(bad), np.bool_))

    def pass_over(self, times: Int64s, values: Float64s, bad: Bools) -> None:
        """The last one may be bad: that is known too."""
        self._absorb(times, values, bad)
