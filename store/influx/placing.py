"""Which millisecond each reading of one point gets, beside what is stored there: the port's collision rule, in memory.

InfluxDB overwrites a row of the same series and time without a word, so the decision is made before writing. Same rule
as the SQLite store: the first to arrive keeps its millisecond; the same value and quality is a duplicate; another one
goes to the next free millisecond and remembers the time (`asked`) and quality (`was`) with which it came.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from domain.readings import QualityCode

MARGIN = 1_000  # ms behind the last reading of a stretch that are looked at in one go


@dataclass(frozen=True, slots=True)
class Held:
    """A stored row: `asked` and `was` only for one that was moved."""

    time: int
    value: float
    quality: int
    asked: int | None = None
    was: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reading to be stored: `row` is its index in the batch."""

    row: int
    time: int
    value: float
    quality: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a reading goes; `asked` is None when that is its own time."""

    row: int
    time: int
    quality: int
    asked: int | None = None


class Shelf:
    """What the milliseconds from the first reading of a stretch up to `end` hold; `more` fetches what lies beyond."""

    def __init__(self, held: Iterable[Held], end: int, more: Callable[[int, int], Iterable[Held]]) -> None:
        self._taken: dict[int, Held] = {}
        self._moved: dict[tuple[int, int, float | None], int] = {}
        self._last_moved: dict[int, int] = {}
        self._end, self._more = end, more
        for row in held:
            self._put(row)

    def place(self, wanted: Sequence[Wanted]) -> list[Placed]:
        """The readings that are not stored yet, with their places. `wanted` is in order of time, then of arrival."""
        placed, conflicts = [], []
        for one in wanted:
            there = self._taken.get(one.time)
            if there is None:
                self._put(Held(one.time, one.value, one.quality))
                placed.append(Placed(one.row, one.time, one.quality))
            elif there.asked is not None or _identity(there.value, there.quality) != _identity(one.value, one.quality):
                conflicts.append(one)
        for one in conflicts:
            if (one.time, *_identity(one.value, one.quality)) in self._moved:
                continue
            free = self._next_free(self._last_moved.get(one.time, one.time))
            marked = QualityCode.BAD if one.quality == QualityCode.BAD else QualityCode.UNCERTAIN
            self._put(Held(free, one.value, int(marked), one.time, one.quality))
            placed.append(Placed(one.row, free, int(marked), one.time))
        return placed

    def _put(self, row: Held) -> None:
        self._taken[row.time] = row
        if row.asked is not None:
            self._moved[(row.asked, *_identity(row.value, row.was))] = row.time
            self._last_moved[row.asked] = max(row.time, self._last_moved.get(row.asked, row.time))

    def _next_free(self, begin: int) -> int:
        time = begin + 1
        while time in self._taken or time >= self._end:
            if time < self._end:
                time += 1
                continue
            found = list(self._more(self._end, self._end + MARGIN))
            self._end += MARGIN
            for row in found:
                self._put(row)
        return time


def _identity(value: float, quality: int) -> tuple[int, float | None]:
    return quality, None if math.isnan(value) else value
