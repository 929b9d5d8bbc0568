"""Runs that are too short: a compressor that starts, trips within minutes and starts again.

Counts, within a rolling window, the runs that were seen from beginning to end and lasted less than they should. A run
with a hole in it, or one that was under way when readings began, has no known length and does not count.
"""

from collections import deque

from rules.signals.base import Parameters, Running
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

    def end(self, at: int) -> None:
        self.running = None
        self.since = NEVER

    def say(self, now: int) -> None:
        while self.ends and self.ends[0] <= now - self.what.window:
            self.ends.popleft()
        self.value = float(len(self.ends))
        self.due = min(self.ends[0] + self.what.window if self.ends else NEVER, self.edge)
