"""How long to wait before the next attempt: doubling, with jitter, so that many clients do not come back at once."""

import random
from collections.abc import Callable


class Backoff:
    """Delays in ms from `first`, doubling up to `last`; each is a random half to the whole of its step."""

    def __init__(self, first: int, last: int, chance: Callable[[], float] = random.random) -> None:
        self._first, self._last, self._chance = first, last, chance
        self._step = first

    def reset(self) -> None:
        """It worked: the next failure begins with `first` again."""
        self._step = self._first

    def next(self) -> int:
        """The delay before the next attempt, in ms."""
        delay = self._step * (0.5 + 0.5 * self._chance())
        self._step = min(2 * self._step, self._last)
        return round(delay)
