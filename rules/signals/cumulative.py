"""Minutes out of a limit within a rolling window: two hours above 8 °C in a day spoil food, in one piece or in ten.

Only known time counts; unknown time counts as neither. While the present is unknown the sum is unknown too, so that an
alarm is not cleared by hours that nobody saw. The sum moves by time alone: into the window at its one end, out of it at
the other, and every moment at which a level's mark is reached is met exactly.
"""

from collections import deque

from rules.signals.base import Parameters, Running
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
