"""Defrosts, recognised by their shape in the air temperature: a steep rise out of the cold, and the fall back into it.

An electric defrost warms the air by several degrees within minutes and is over within the hour; nothing else that a
freezer does of itself looks like that (a failing compressor gains a few degrees an *hour*). A door can, so where there
is a power reading, combine with it. A hump begins when the air is `rise` above its lowest reading of the last `within`,
and ends when half of what it rose to is gone again. It takes two readings in a row each time: a single one may be a
sensor's error code (85, -127 °C), which would hide every hump after it. One shape, three questions: is it on (a mask),
how long has it lasted (an endless defrost), how long ago did the last one begin (a missed one; not said of a unit that
was never seen to defrost). In a hole of more than half of `within` one may have passed unseen: then the time since the
last one counts from its end.
"""

from collections import deque
from enum import StrEnum

import numpy as np

from domain.batch import Float64s, Int64s
from rules.signals.base import UNKNOWN_VALUE, Bools, Calm, Parameters, Running, first_of, worth
from rules.timeline import NEVER

MOST_READINGS = 512  # in the window before a hump: of faster ones the lowest of each cell of time counts


class Asked(StrEnum):
    """What of a defrost the value is."""

    ON = "on"  # 1 during a hump, else 0
    LASTS = "lasts"  # ms since the hump began, 0 outside
    SINCE = "since"  # ms since the last hump began; unknown before the first one


class Defrost(Parameters, frozen=True, array_like=True, tag=True):
    """`rise` in the point's unit, `within` in ms; `longest` is the longest time (ms) that a level asks for."""

    asked: Asked
    rise: float
    within: int
    longest: int

    @property
    def lookback(self) -> int:
        """Twice the longest time asked for: time may count from a hole, and then the hump lies before it."""
        return 2 * self.longest + self.within

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin not knowing when the last defrost was."""
        return _Defrost(self, gap, tuple(int(mark) for mark in marks))


class _Defrost(Running):
    HEEDS_BAD = False
    FIELDS = ("readings", "began", "base", "peak", "on", "seen", "last", "before")

    def __init__(self, what: Defrost, gap: int | None, marks: tuple[int, ...]) -> None:
        super().__init__(gap)
        self.what = what
        self.marks = marks
        self.cell = max(1, what.within // MOST_READINGS)
        self.readings: deque[tuple[int, float]] = deque()
        self.began = 0  # of the last hump, or the end of the last hole after it
        self.base = self.peak = 0.0
        self.on = False
        self.seen = False
        self.last = -NEVER  # the newest reading's time
        self.before = 0.0  # and its value

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        """Bad readings are left out."""
        if not bad:
            super().read(time, value, False)

    def take(self, time: int, value: float) -> None:
        """Enter a reading, and see whether a hump begins or ends with it."""
        if time - self.last > self.what.within // 2:
            self.readings.clear()
            self.on, self.began = False, time
            self.before = value
        low, high = sorted((self.before, value))  # what both of the last two readings have reached
        self.last, self.before = time, value
        while self.readings and self.readings[0][0] < time - self.what.within:
            self.readings.popleft()
        if self.on:
            self.peak = max(self.peak, low)
            if high <= (self.base + self.peak) / 2:
                self.on = False
                self.readings.clear()
        else:
            lowest = min((one for _, one in self.readings), default=high)
            if low - lowest >= self.what.rise:
                self.on, self.seen, self.began, self.base, self.peak = True, True, time, lowest, low
        if self.readings and self.readings[-1][0] // self.cell == time // self.cell:
            high = min(high, self.readings.pop()[1])
        self.readings.append((time, high))

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """Whatever comes, until the time counted from now or from before would be too long; where a hump itself is
        asked for, what is no rise."""
        if floor > -np.inf or self.last == -NEVER:
            return None
        if self.what.asked is Asked.ON:
            lowest = self._lowest()
            return None if self.on else Calm(lowest, float(np.nextafter(lowest + 0.99 * self.what.rise, -np.inf)))
        counts = self.on if self.what.asked is Asked.LASTS else self.seen
        longest = int(min(np.ceil(ceiling), self.what.longest))
        return Calm(until=(self.began if counts else self.last) + longest - 1)

    def ahead(self, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float) -> int:
        """As `calm` says; where a hump itself is asked for, until the first rise that might be one."""
        if self.what.asked is not Asked.ON or self.on or floor > -np.inf:
            return super().ahead(times, values, bad, floor, ceiling)
        good = np.flatnonzero(~bad)
        count = self._before_rise(times[good], values[good])
        return worth(int(good[count]), len(bad)) if count < len(good) else len(bad)

    def _lowest(self) -> float:
        return min((one for _, one in self.readings), default=np.inf)

    def _before_rise(self, times: Int64s, values: Float64s) -> int:
        """How many of the first readings come before any that may begin a hump, or follows a long hole."""
        lowest = np.minimum.accumulate(np.append(self._lowest(), values))[:-1]
        return first_of((values - lowest >= self.what.rise) | self._long_holes(times))

    def _long_holes(self, times: Int64s) -> Bools:
        long: Bools = np.diff(times, prepend=self.last) > self.what.within // 2
        return long

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """What time alone does changes nothing that is remembered."""
        return self.take_each(times, values)

    def end(self, at: int) -> None:
        """How long the hole was shows at its end."""

    def say(self, now: int) -> None:
        """The answer to what is asked, and when it next reaches a mark."""
        if self.what.asked is Asked.ON:
            self.value, self.due = float(self.on), self.edge
            return
        counts = self.on if self.what.asked is Asked.LASTS else True
        passed = min(now - self.began, self.what.longest) if counts else 0
        known = self.what.asked is Asked.LASTS or self.seen
        self.value = float(passed) if known else UNKNOWN_VALUE
        reached = min((now + mark - passed for mark in self.marks if mark > passed), default=NEVER) if counts else NEVER
        self.due = min(reached, self.edge)
