"""The readings themselves as a signal: what a rule without any other signal gives its masks to pass on or hold back."""

import numpy as np

from domain.batch import Float64s, Int64s
from rules.signals.base import Bools, Calm, Running


class Plain(Running):
    """Says each reading, for as long as the gap rule lets it count."""

    FIELDS = ("reading",)

    def __init__(self, gap: int | None) -> None:
        super().__init__(gap)
        self.reading = 0.0

    def take(self, time: int, value: float) -> None:
        """Keep it."""
        self.reading = value

    def say(self, now: int) -> None:
        """It, until its known time ends."""
        self.value = self.reading
        self.due = self.edge

    def calm(self, floor: float, ceiling: float) -> Calm | None:
        """What lies between the bounds, if what is in force does: behind a mask it may not."""
        if self.value <= floor or self.value >= ceiling:
            return None
        return Calm(float(np.nextafter(floor, np.inf)), float(np.nextafter(ceiling, -np.inf)))

    def absorb(self, times: Int64s, values: Float64s, bad: Bools) -> bool:
        """The last one is in force."""
        self.reading = float(values[-1])
        return True

    def end(self, at: int) -> None:
        """Nothing is held beyond it."""
