"""How fast a value changes: the slope of the least-squares line through the readings of the last while.

Least squares rather than last minus first: one noisy reading at either end would otherwise be the whole answer. It is
known when at least three readings span two thirds of that while without a hole; a hole begins it anew. Bad readings are
left out.
"""

from collections import deque

from rules.signals.base import UNKNOWN_VALUE, Parameters, Running

MOST_READINGS = 512  # in the window: of faster ones the newest of each cell of time counts
LEAST_READINGS = 3


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
