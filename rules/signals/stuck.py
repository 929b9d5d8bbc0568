"""A value that does not move although life does: a dead probe, a frozen gateway, a hand-set number.

Says for how long all readings have lain within `within` of each other. Bad readings are left out, and in a hole longer
than the gap rule nothing is said; one of more than an eighth of the longest time asked for begins anew, while a shorter
one counts: a probe that shows the very same afterwards has not moved. It is not known how long a value has stood before
the first readings: until it moves once, or has stood for as long as a level asks, nothing is said. For states, which
may rightly stand still, it is refused (`rules.matching`).
"""

from collections import deque

import numpy as np

from domain.batch import Float64s, Int64s
from rules.signals.base import UNKNOWN_VALUE, Bools, Calm, Parameters, Running
from rules.timeline import NEVER

LEAST_READINGS = 5  # fewer may agree by chance
HOLE_SHARE = 8
MOST_ENTRIES = 2_048  # values remembered; older ones count as not standing


class Stuck(Parameters, frozen=True, array_like=True, tag=True):
    """Milliseconds for which readings have differed by at most `within`; no more than `longest`."""

    within: float
    longest: int

    @property
    def lookback(self) -> int:
        """The longest time that a level asks for."""
        return self.longest

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin without readings."""
        return _Stuck(self, gap, tuple(int(mark) for mark in marks))


class _Stuck(Running):
    HEEDS_BAD = False
    FIELDS = ("entries", "count", "low", "high", "moved", "last")

    def __init__(self, what: Stuck, gap: int | None, marks: tuple[int, ...]) -> None:
        super().__init__(gap)
        self.what = what
        self.marks = marks
        self.entries: deque[tuple[int, float, int]] = deque()  # since, value, readings
        self.count = 0
        self.low = self.high = 0.0
        self.moved = False
        self.bridged = NEVER if gap is None else max(gap, what.longest // HOLE_SHARE)
        self.last = -NEVER  # the newest reading's time

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        if not bad:
            super().read(time, value, False)

    def take(self, time: int, value: float) -> None:
        if time - self.last > self.bridged:
            self.entries.clear()
            self.count, self.moved = 0, False
        self.last = time
        self.count += 1
        if self.entries and self.entries[-1][1] == value:
            since, _, readings = self.entries.pop()
            self.entries.append((since, value, readings + 1))
        else:
            self.entries.append((time, value, 1))
            self._forget(time)
            self.low, self.high = min(self.low, value), max(self.high, value)
            if len(self.entries) == 1:
                self.low = self.high = value
            while self.high - self.low > self.what.within:
                self._drop()
                self.moved = True

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """Whatever comes, until what stands now has stood for too long."""
        if floor > -np.inf or not self.entries:
            return None
        return Calm(until=self.entries[0][0] + int(min(np.ceil(ceiling), self.what.longest)) - 1)

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """What time alone does changes nothing that is remembered."""
        return self.take_each(times, values)

    def end(self, at: int) -> None:
        """How long the hole was shows at its end."""

    def _forget(self, now: int) -> None:
        """What lies before the longest time does not matter; one entry is in force at its beginning."""
        while len(self.entries) > 1 and self.entries[1][0] <= now - self.what.longest:
            self._drop()
        while len(self.entries) > MOST_ENTRIES:
            self._drop()

    def _drop(self) -> None:
        self.count -= self.entries.popleft()[2]
        if self.entries:
            self.low = min(value for _, value, _ in self.entries)
            self.high = max(value for _, value, _ in self.entries)

    def say(self, now: int) -> None:
        stood = min(now - self.entries[0][0], self.what.longest)
        if self.count < LEAST_READINGS:
            stood = min(stood, self.marks[0] - 1)
        known = self.moved or stood >= self.marks[0]
        self.value = float(stood) if known else UNKNOWN_VALUE
        reached = NEVER
        if self.count >= LEAST_READINGS:
            reached = min((now + mark - stood for mark in self.marks if mark > stood), default=NEVER)
        self.due = min(reached, self.edge)
