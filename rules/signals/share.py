"""Means over a rolling window: how much of the time something runs (duty), how much it draws on average (demand), and
how much of the time what arrives is of no use (unreadable): a sensor that sends errors is alive, and measures nothing.

A reading is in force until the next one, as everywhere; the mean is over known time, and is itself unknown while less
than two thirds of the window are known. It is worked out at every reading, and 24 times per window while none comes.
"""

from collections import deque

from rules.signals.base import UNKNOWN_VALUE, Parameters, Running

MOST_STRETCHES = 4_096  # per point; older ones count as unknown
PARTS = 24
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
            start, end, weight = self.stretches.popleft()
            self.total -= weight * (end - start)
            self.known -= end - start


class _Bad(_Share):
    """Of quality instead of value: a bad reading is as known as a good one."""

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        super().read(time, float(bad), False)
