"""How unequal the phases of one asset are loaded: one broken fuse, or all single-phase ovens on one phase.

The largest deviation from the mean of the phases, over that mean, in percent: the definition that is common practice
for three-phase machines (NEMA's way of stating it), not the negative-sequence component, which needs phase angles. It
is unknown while any input is, and while the mean is too small to divide by: without load every unbalance is noise.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from domain.batch import Float64s, Int64s
from rules.signals.base import UNKNOWN_VALUE, Bools, Calm, Parameters, Running, first_of
from rules.timeline import NEVER

_DOUBT = 16.0 * float(np.finfo(np.float64).eps)  # of the inputs' sizes, per input: more than a mean can have lost
_PART, _LEAST_ROOM = 0.99, 1e-9  # of the room that inputs have is used; what is less of their sizes is none


class Unbalance(Parameters, frozen=True, array_like=True, tag=True):
    """Percent, of those metrics of one asset, while their mean is more than `least_mean` (in their own unit).

    `sources` are the numbers of the inputs and `gaps` (ms) their gap rules, both filled in for a point
    (`rules.resolve`).
    """

    metrics: tuple[str, ...]
    least_mean: float
    sources: tuple[int, ...] = ()
    gaps: tuple[int | None, ...] = ()

    @property
    def lookback(self) -> int:
        """How long the reading of any input may count."""
        return max((gap or 0 for gap in self.gaps), default=0)

    def start(self, gap: int | None, marks: tuple[float, ...]) -> Running:
        """Begin without readings; each input has a gap rule of its own."""
        return _Unbalance(self)


class _Unbalance(Running):
    def __init__(self, what: Unbalance) -> None:
        super().__init__(None)
        self.what = what
        self.places = {source: place for place, source in enumerate(what.sources)}
        self.values = [UNKNOWN_VALUE] * len(what.sources)
        self.edges = [-NEVER] * len(what.sources)

    def read(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        """Take a reading of one input; those of one moment are all taken before anything is judged."""
        place = self.places.get(source)
        if place is not None:
            gap = self.what.gaps[place]
            self.values[place] = value
            self.edges[place] = time if bad else NEVER if gap is None else time + gap
        self.say(time)

    def fire(self) -> None:
        """An input becomes unknown."""
        self.say(self.due)

    def take(self, time: int, value: float) -> None:
        """Readings are taken by input."""

    def end(self, at: int) -> None:
        """Each input knows its own end."""

    def say(self, now: int) -> None:
        """The unbalance as of now, known while every input is."""
        self.due = min((edge for edge in self.edges if edge > now), default=NEVER)
        known = all(now < edge for edge in self.edges)
        self.value = percent(self.values, self.what.least_mean) if known else UNKNOWN_VALUE

    def calm_together(self, floor: float, ceiling: float) -> dict[int, Calm] | None:
        """While no input leaves what it is now by so much that the unbalance could reach the limit, or the mean could
        become large enough to divide by. That an input becomes unknown is no harm."""
        values, least = self.values, self.what.least_mean
        mean = sum(values) / len(values)
        if mean <= least:
            room, downwards = least - mean, np.inf
        elif self.value == self.value and floor < 0.0 and ceiling < np.inf:
            # With every input within d of its value it is at most (apart + 2 d) / (mean - d).
            share, apart = ceiling / 100.0, max(abs(value - mean) for value in values)
            room = downwards = (share * mean - apart) / (2.0 + share)
        else:
            return None
        if not room > _LEAST_ROOM * sum(map(abs, values)):
            return None
        room, downwards = _PART * room, _PART * downwards
        return {source: Calm(values[at] - downwards, values[at] + room) for source, at in self.places.items()}

    def ahead_together(
        self, sources: Int64s, times: Int64s, values: Float64s, bad: Bools, floor: float, ceiling: float
    ) -> int:
        """Until the first moment whose unbalance is beyond the bounds, or so near that the moment itself must tell.

        In between an input can but become unknown.
        """
        ends = np.flatnonzero(np.append(times[1:] != times[:-1], True))
        value, known = self._in_columns(ends, sources, times, values, bad)
        low, high = _percents(value, self.what.least_mean)
        count = first_of(known & ((low <= floor) | (high >= ceiling)))
        return int(ends[count - 1]) + 1 if count else 0

    def _in_columns(
        self, ends: Int64s, sources: Int64s, times: Int64s, values: Float64s, bad: Bools
    ) -> tuple[Float64s, Bools]:
        """What is in force of each input (a row each) behind each of the rows `ends`, and where all are known."""
        found = np.empty((len(self.values), len(ends)), np.float64)
        known = np.ones(len(ends), np.bool_)
        for place, (value, edge) in enumerate(zip(self.values, self.edges, strict=True)):
            mine = np.flatnonzero(sources == self.what.sources[place])
            if self.places[self.what.sources[place]] != place:
                mine = mine[:0]
            gap = self.what.gaps[place]
            until = np.full(len(mine), NEVER) if gap is None else times[mine] + gap
            until[bad[mine]] = times[mine][bad[mine]]
            newest = np.searchsorted(mine, ends, "right")
            found[place] = np.concatenate(([value], values[mine]))[newest]
            known &= times[ends] < np.concatenate(([edge], until))[newest]
        return found, known

    def pass_over_together(self, sources: Int64s, times: Int64s, values: Float64s, bad: Bools) -> None:
        """Only the last reading of each input is remembered."""
        for source, place in self.places.items():
            mine = np.flatnonzero(sources == source)
            if len(mine):
                gap, time = self.what.gaps[place], int(times[mine[-1]])
                self.values[place] = float(values[mine[-1]])
                self.edges[place] = time if bad[mine[-1]] else NEVER if gap is None else time + gap
        self.say(int(times[-1]))

    def state(self) -> list[Any]:
        return [self.value, self.due, list(self.values), list(self.edges)]

    def resume(self, stored: list[Any]) -> None:
        self.value, self.due = float(stored[0]), stored[1]
        self.values, self.edges = [float(value) for value in stored[2]], list(stored[3])


def percent(values: Sequence[float], least_mean: float) -> float:
    """The largest deviation from the mean over the mean, in percent; NaN where the mean is `least_mean` or less."""
    mean = sum(values) / len(values)
    if not mean > least_mean:
        return UNKNOWN_VALUE
    return 100.0 * max(abs(value - mean) for value in values) / mean


def _percents(values: Float64s, least_mean: float) -> tuple[Float64s, Float64s]:
    """Between what `percent` is of each column: NaN where it is certainly unknown, no bounds where none is sure."""
    with np.errstate(all="ignore"):
        mean = values.mean(axis=0)
        lost = _DOUBT * np.abs(values).sum(axis=0)
        apart = np.abs(values - mean).max(axis=0)
        low = 100.0 * (apart - lost) / (mean + lost) * (1.0 - _DOUBT)
        high = 100.0 * (apart + lost) / (mean - lost) * (1.0 + _DOUBT)
    unsure = ~(mean - lost > 0.0)
    low, high = np.where(unsure, -np.inf, low), np.where(unsure, np.inf, high)
    unknown = mean + lost <= least_mean
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)
