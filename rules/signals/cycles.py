"""Runs that are too short: a compressor that starts, trips within minutes and starts again.

Counts, within a rolling window, the runs that were seen from beginning to end and lasted less than they should. A run
with a hole in it, or one that was under way when readings began, has no known length and does not count.
"""

from collections import deque

import numpy as np

from domain.batch import Float64s, Int64s
from rules.signals.base import Bools, Calm, Parameters, Running
from rules.timeline import NEVER

MOST_RUNS = 1_024  # remembered per point


class ShortCycles(Parameters, frozen=True, array_like=True, tag=True):
    """How many runs (value above `on_above`) of less than `shorter_than` ms ended within the last `window` ms."""

    on_above: float
    shorter_than: int
    window: int

    @property
    def lookback(self) -> int:
        """The window, and a run that ended at its beginning."""
        return self.window + self.shorter_than

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin not knowing whether it runs."""
        return _ShortCycles(self, gap)


class _ShortCycles(Running):
    FIELDS = ("ends", "running", "since")

    def __init__(self, what: ShortCycles, gap: int | None) -> None:
        super().__init__(gap)
        self.what = what
        self.ends: deque[int] = deque()
        self.running: bool | None = None
        self.since = NEVER  # when the present run was seen to begin

    def take(self, time: int, value: float) -> None:
        runs = value > self.what.on_above
        if runs and self.running is False:
            self.since = time
        if not runs and self.running and time - self.since < self.what.shorter_than and self.since != NEVER:
            self.ends.append(time)
            if len(self.ends) > MOST_RUNS:
                self.ends.popleft()
        if not runs:
            self.since = NEVER
        self.running = runs

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """While it goes on running, or not running."""
        if floor > -np.inf or not len(self.ends) < ceiling or self.running is None:
            return None
        if self.running:
            return Calm(low=float(np.nextafter(self.what.on_above, np.inf)))
        return Calm(high=self.what.on_above)

    def ahead(self, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float) -> int:
        """Until the last short run that is too many, those of the whole window taken together."""
        left = ceiling - len(self.ends)
        if floor > -np.inf or left <= 0:
            return 0
        _, stops, short = self._runs(times, values, bad)
        ended = stops[short]
        return len(times) if len(ended) < left else int(ended[int(np.ceil(left)) - 1])

    def _runs(self, times: Int64s, values: Float64s, bad: Bools) -> tuple[Int64s, Int64s, Bools]:
        """Since when it runs at each reading (NEVER: not seen), which readings end a run, which of these too soon."""
        on, unknown = (values > self.what.on_above) & ~bad, self.holes(times) | bad
        unknown[1:] |= bad[:-1]
        unknown[0] |= self.running is None
        before = np.concatenate(([bool(self.running)], on[:-1]))
        row = np.arange(len(times))
        # The newest beginning of a run, if nothing unknown came after it.
        began = np.maximum.accumulate(np.where(on & ~before & ~unknown, row, -1))
        broken = np.maximum.accumulate(np.where(unknown, row, -1))
        since = np.where(began > broken, times[began], NEVER)
        since[(began < 0) & (broken < 0)] = self.since
        stops = np.flatnonzero(~on & before & ~unknown)
        known = np.concatenate((np.array([self.since], np.int64), since[:-1]))[stops]
        return since, stops, (known != NEVER) & (times[stops] - known < self.what.shorter_than)

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """Enter the short runs that ended, and whether it runs."""
        since, stops, short = self._runs(times, values, bad)
        self.ends.extend(times[stops[short]].tolist())
        while len(self.ends) > MOST_RUNS:
            self.ends.popleft()
        self.running = bool(values[-1] > self.what.on_above)
        self.since = int(since[-1]) if self.running else NEVER
        return True

    def end(self, at: int) -> None:
        self.running = None
        self.since = NEVER

    def say(self, now: int) -> None:
        while self.ends and self.ends[0] <= now - self.what.window:
            self.ends.popleft()
        self.value = float(len(self.ends))
        self.due = min(self.ends[0] + self.what.window if self.ends else NEVER, self.edge)
