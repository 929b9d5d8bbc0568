"""Cooling and reheating in stages: from 60 °C to 21 °C within two hours, to 8 °C within four.

The clock starts when food leaves the starting temperature and runs in real time: food ages whether or not somebody
measures it. A stage is missed when its temperature is not reached at the end of its time; at that very moment is in
time. In unknown time nothing is said: the first good reading after it shows a stage that is still not reached. It is
over when the last stage is reached, or the food is back at the start. What was before the first readings is unknown.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from domain.batch import Float64s, Int64s
from rules.signals.base import UNKNOWN_VALUE, Bools, Calm, Parameters, Running
from rules.timeline import NEVER


class Curve(Parameters, frozen=True, array_like=True, tag=True):
    """1 while a stage is missed, else 0. `stages` are (temperature, ms since the start); `start_at` tells falling from
    rising: the first stage lies below it or above it."""

    start_at: float
    stages: tuple[tuple[float, int], ...]

    @property
    def lookback(self) -> int:
        """The time of the last stage."""
        return self.stages[-1][1]

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin not knowing where the food comes from."""
        return _Curve(self, gap)


class _Phase(IntEnum):
    UNSURE = 0
    ARMED = 1  # at the start, or beyond it
    UNDER_WAY = 2
    MISSED = 3
    DONE = 4


class _Runs(NamedTuple):
    """When food is under way: from the first row to before the last, of each; whether the first one was before."""

    begin: Int64s
    stop: Int64s
    before: bool
    ends: Int64s  # rows at or beyond the start, or at the last stage's temperature


class _Curve(Running):
    FIELDS = ("phase", "began", "stage")

    def __init__(self, what: Curve, gap: int | None) -> None:
        super().__init__(gap)
        self.sign = 1.0 if what.stages[0][0] < what.start_at else -1.0
        self.at_start = self.sign * what.start_at
        self.stages = [(self.sign * target, within) for target, within in what.stages]
        self.phase = int(_Phase.UNSURE)
        self.began = 0
        self.stage = 0

    def take(self, time: int, value: float) -> None:
        level = self.sign * value
        if level >= self.at_start:
            self.phase = int(_Phase.ARMED)
        elif level <= self.stages[-1][0]:
            self.phase = int(_Phase.DONE)
        elif self.phase == _Phase.ARMED:
            self.phase, self.began, self.stage = int(_Phase.UNDER_WAY), time, 0
        if self.phase == _Phase.UNDER_WAY:
            while level <= self.stages[self.stage][0]:
                self.stage += 1
            if time > self._deadline():  # it passed in unknown time
                self.phase = int(_Phase.MISSED)

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """While it stays beyond the start, or stays off it: done, or until the time of its stage is over."""
        last = float(np.nextafter(self.at_start, -np.inf))
        bands = {
            _Phase.ARMED: (self.at_start, np.inf),
            _Phase.DONE: (-np.inf, last),
            _Phase.UNDER_WAY: (-np.inf, last),
        }
        band = bands.get(_Phase(self.phase))
        if band is None or floor >= 0.0 or ceiling <= 0.0:
            return None
        low, high = band if self.sign > 0.0 else (-band[1], -band[0])
        return Calm(low, high, self._deadline() - 1 if self.phase == _Phase.UNDER_WAY else NEVER)

    def ahead(self, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float) -> int:
        """Until the end of the time of a stage that is not reached by then."""
        if floor >= 0.0 or not 0.0 < ceiling <= 1.0 or self.phase == _Phase.MISSED:
            return 0
        good = np.flatnonzero(~bad)
        time, level = times[good], self.sign * values[good]
        runs = self._runs(level)
        began = time[np.minimum(runs.begin, len(time) - 1)] if len(time) else np.zeros(len(runs.begin), np.int64)
        if runs.before:
            began[0] = self.began
        missed = NEVER
        for stage, (target, within) in enumerate(self.stages):
            reached = np.append(np.flatnonzero(level <= target), len(level))
            met = np.minimum(runs.stop, reached[np.searchsorted(reached, runs.begin)])
            if runs.before and stage < self.stage:
                met[0] = -1
            # Neither reached nor over at the end of its time.
            late = (np.append(time, NEVER)[met] > began + within) & (met >= 0)
            missed = min(missed, int((began + within)[late].min(initial=NEVER)))
        return int(np.searchsorted(times, missed))

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """How the food stands after the last of them; of what was under way last it keeps when it began."""
        good = np.flatnonzero(~bad)
        level = self.sign * values[good]
        runs = self._runs(level)
        if len(runs.begin):
            begin, stop = int(runs.begin[-1]), int(runs.stop[-1])
            if len(runs.begin) > 1 or not runs.before:
                self.began, self.stage = int(times[good[begin]]), 0
            lowest = float(level[begin:stop].min(initial=np.inf))
            while lowest <= self.stages[self.stage][0]:
                self.stage += 1
            if stop == len(level):
                self.phase = int(_Phase.UNDER_WAY)
                return True
        if len(runs.ends):
            self.phase = int(_Phase.ARMED if level[runs.ends[-1]] >= self.at_start else _Phase.DONE)
        return True

    def _runs(self, level: Float64s) -> _Runs:
        """When the food is under way in good readings of these levels."""
        armed = level >= self.at_start
        ends = np.flatnonzero(armed | (level <= self.stages[-1][0]))
        begin = ends[armed[ends]] + 1
        before = self.phase == _Phase.UNDER_WAY
        if before or self.phase == _Phase.ARMED:
            begin = np.append(0, begin)
        stop = np.append(ends, len(level))[np.searchsorted(ends, begin)]
        some = begin < stop
        some[:1] |= before
        return _Runs(begin[some], stop[some], before, ends)

    def end(self, at: int) -> None:
        """Food ages in unknown time too."""

    def say(self, now: int) -> None:
        if self.phase == _Phase.UNDER_WAY and now >= self._deadline() and now > self.began:
            self.phase = int(_Phase.MISSED)
        self.value = UNKNOWN_VALUE if self.phase == _Phase.UNSURE else float(self.phase == _Phase.MISSED)
        self.due = min(self.edge, self._deadline() if self.phase == _Phase.UNDER_WAY else NEVER)

    def _deadline(self) -> int:
        return self.began + self.stages[self.stage][1]
