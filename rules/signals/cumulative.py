"""Minutes out of a limit within a rolling window: two hours above 8 °C in a day spoil food, in one piece or in ten.

Only known time counts; unknown time counts as neither. While the present is unknown the sum is unknown too, so that an
alarm is not cleared by hours that nobody saw. The sum moves by time alone: into the window at its one end, out of it at
the other, and every moment at which a level's mark is reached is met exactly.
"""

from collections import deque

import numpy as np

from domain.batch import Float64s, Int64s
from rules.signals.base import Bools, Calm, Parameters, Running, first_of, pieces
from rules.timeline import NEVER

MOST_SPANS = 4_096  # per point; then the two oldest become one, counted as out of limit in between


class Cumulative(Parameters, frozen=True, array_like=True, tag=True):
    """Milliseconds strictly above `above`, or below `below`, within the last `window` ms."""

    window: int
    above: float | None = None
    below: float | None = None

    @property
    def lookback(self) -> int:
        """The window."""
        return self.window

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin with an empty window."""
        return _Cumulative(self, gap, tuple(int(mark) for mark in marks))

    def out(self, value: float) -> bool:
        """Whether the value is out of the limit."""
        return (self.above is not None and value > self.above) or (self.below is not None and value < self.below)

    def outs(self, values: Float64s) -> Bools:
        """`out` of a column."""
        out = np.zeros(len(values), np.bool_)
        if self.above is not None:
            out |= values > self.above
        if self.below is not None:
            out |= values < self.below
        return out


class _Cumulative(Running):
    FIELDS = ("spans", "since")

    def __init__(self, what: Cumulative, gap: int | None, marks: tuple[int, ...]) -> None:
        super().__init__(gap)
        self.what = what
        self.marks = marks
        self.spans: deque[tuple[int, int]] = deque()  # out of limit, ended
        self.since = NEVER  # when the present one began

    def take(self, time: int, value: float) -> None:
        if not self.what.out(value):
            self.end(time)
        elif self.since == NEVER:
            self.since = time

    def end(self, at: int) -> None:
        if self.since < at:
            self.spans.append((self.since, at))
        self.since = NEVER
        if len(self.spans) > MOST_SPANS:
            first, second = self.spans.popleft(), self.spans.popleft()
            self.spans.appendleft((first[0], second[1]))

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """Whatever is within the limit; out of it, whatever comes while there is some of the time left."""
        before = sum(end - start for start, end in self.spans)
        if floor > -np.inf or not before < ceiling < np.inf:
            return None
        if self.since != NEVER:
            return Calm(until=self.since + int(np.ceil(ceiling)) - 1 - before)
        low = -np.inf if self.what.below is None else self.what.below
        high = np.inf if self.what.above is None else self.what.above
        return Calm(low, high, grace=int(np.ceil(ceiling)) - before)

    def ahead(self, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float) -> int:
        """As many as can be out of the limit before it is too long, the whole window taken together."""
        before = sum(end - start for start, end in self.spans)
        if floor > -np.inf or not before < ceiling < np.inf:
            return 0
        out = self.what.outs(values) & ~bad
        if self.since == NEVER and not out.any():
            return len(times)
        start, end = self._pieces(times, bad)
        length = (end - start) * np.concatenate(([self.since != NEVER], out[:-1]))
        return first_of(before + np.cumsum(length) >= ceiling)

    def _pieces(self, times: Int64s, bad: Bools) -> tuple[Int64s, Int64s]:
        return pieces(times, bad, int(times[0]) if self.since == NEVER else self.since, self.edge, self.gap)

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """Enter the spans out of the limit that end before the last one."""
        out = self.what.outs(values) & ~bad
        if self.since == NEVER and not out.any():
            return True
        start, end = self._pieces(times, bad)
        start, end = np.append(start, times[-1]), np.append(end, times[-1])  # the last one's has not passed yet
        outside = np.concatenate(([self.since != NEVER], out))
        joined = outside[:-1] & outside[1:] & (end[:-1] == start[1:])
        first = np.flatnonzero(outside & ~np.concatenate(([False], joined)))
        last = np.flatnonzero(outside & ~np.append(joined, False))
        spans = list(zip(start[first].tolist(), end[last].tolist(), strict=True))
        if len(self.spans) + len(spans) > MOST_SPANS:
            return False
        self.since = spans.pop()[0] if outside[-1] else NEVER
        self.spans.extend(span for span in spans if span[0] < span[1])
        return True

    def say(self, now: int) -> None:
        left = now - self.what.window
        while self.spans and self.spans[0][1] <= left:
            self.spans.popleft()
        total = sum(end - max(start, left) for start, end in self.spans)
        if self.since != NEVER:
            total += now - max(self.since, left)
        self.value = float(total)
        start, end = self.spans[0] if self.spans else (self.since, NEVER)
        leaving = start <= left
        turn = end if leaving else start  # what the window's beginning reaches next
        pace = (self.since != NEVER) - leaving
        cross = NEVER
        if pace > 0:
            cross = min((now + mark - total for mark in self.marks if mark > total), default=NEVER)
        elif pace < 0:
            cross = min((now + total - mark + 1 for mark in self.marks if mark <= total), default=NEVER)
        self.due = min(turn + self.what.window, cross, self.edge)
