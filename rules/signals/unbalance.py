"""How unequal the phases of one asset are loaded: one broken fuse, or all single-phase ovens on one phase.

The largest deviation from the mean of the phases, over that mean, in percent: the definition that is common practice
for three-phase machines (NEMA's way of stating it), not the negative-sequence component, which needs phase angles. It
is unknown while any input is, and while the mean is too small to divide by: without load every unbalance is noise.
"""

from collections.abc import Sequence
from typing import Any

from rules.signals.base import UNKNOWN_VALUE, Parameters, Running
from rules.timeline import NEVER


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
