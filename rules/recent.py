"""The newest readings of each judged point, for late data: a ring per point in shared columns, bounded.

Each ring keeps its newest `capacity` readings in ascending time; when full it drops the oldest and remembers that it
did (`complete` is False), so that the caller knows to ask the history for more.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from domain.batch import Bytes8, Float64s, Int64s
from rules.plan import NEVER

POINTS_AT_ONCE = 4_096  # whose readings are gathered in one go: what that needs besides is bounded


class Columns(NamedTuple):
    """Readings in columns of equal length: point index, event time, value, quality."""

    point: Int64s
    time: Int64s
    value: Float64s
    quality: Bytes8

    def take(self, rows: "Int64s | slice | np.ndarray[tuple[int], np.dtype[np.bool_]]") -> "Columns":
        """These rows, in that order."""
        return Columns(self.point[rows], self.time[rows], self.value[rows], self.quality[rows])


def no_columns() -> Columns:
    """No readings."""
    return Columns(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.uint8))


def join(first: Columns, second: Columns) -> Columns:
    """Both, one after the other."""
    if not len(second.time):
        return first
    if not len(first.time):
        return second
    return Columns(
        np.concatenate((first.point, second.point)),
        np.concatenate((first.time, second.time)),
        np.concatenate((first.value, second.value)),
        np.concatenate((first.quality, second.quality)),
    )


def segments(point: Int64s) -> tuple[Int64s, Int64s]:
    """First row and length of each point's stretch in sorted rows (at least one row)."""
    first = np.flatnonzero(np.concatenate(([True], point[1:] != point[:-1])))
    return first, np.diff(np.append(first, len(point)))


class Rings(NamedTuple):
    """All rings side by side: a row per point, and its `kept` readings one point after the other in ascending time."""

    capacity: Int64s
    complete: npt.NDArray[np.bool_]
    kept: Int64s
    time: Int64s
    value: Float64s
    quality: Bytes8


class Recent:
    """Rings of all points; a point without a ring keeps nothing."""

    def __init__(self) -> None:
        self.start = np.zeros(0, np.int64)
        self.capacity = np.zeros(0, np.int64)
        self.total = np.zeros(0, np.int64)
        self._time = np.zeros(0, np.int64)
        self._value = np.zeros(0, np.float64)
        self._quality = np.zeros(0, np.uint8)
        self._dropped: set[int] = set()
        self._held = 0  # slots given to rings so far, those of rings that moved included

    def ensure(self, point: int, capacity: int) -> None:
        """Give the point room for at least that many readings; what it has is kept."""
        if point >= len(self.start):
            room = max(64, 2 * len(self.start), point + 1) - len(self.start)
            blank = np.zeros(room, np.int64)
            self.start = np.concatenate((self.start, blank))
            self.capacity = np.concatenate((self.capacity, blank))
            self.total = np.concatenate((self.total, blank))
        if capacity <= int(self.capacity[point]):
            return
        kept = self.read(point)
        if not self.complete(point):
            self.forget(point)
        held = self._held
        self._reserve(held + capacity)
        self.start[point], self.capacity[point] = held, capacity
        self._held = held + capacity
        self.replace(point, kept)

    def _reserve(self, size: int) -> None:
        if size <= len(self._time):
            return
        room = max(size, 2 * len(self._time)) - len(self._time)
        self._time = np.concatenate((self._time, np.zeros(room, np.int64)))
        self._value = np.concatenate((self._value, np.zeros(room, np.float64)))
        self._quality = np.concatenate((self._quality, np.zeros(room, np.uint8)))

    def append(self, rows: Columns, first: Int64s, length: Int64s) -> None:
        """Take rows sorted by point and time, newer than what the rings hold; segment i is `length[i]` rows of one
        point from row `first[i]`."""
        owner = rows.point
        if len(first) == len(owner):
            slots = self.start[owner] + self.total[owner] % self.capacity[owner]
            taken = rows
        else:
            rank = np.arange(len(owner)) - np.repeat(first, length)
            kept = rank >= np.repeat(length, length) - self.capacity[owner]
            taken = rows.take(kept)
            slots = self.start[taken.point] + (self.total[taken.point] + rank[kept]) % self.capacity[taken.point]
        self._time[slots] = taken.time
        self._value[slots] = taken.value
        self._quality[slots] = taken.quality
        self.total[owner[first]] += length

    def read(self, point: int) -> Columns:
        """The point's readings in ascending time."""
        slots = self._slots(point)
        owner = np.full(len(slots), point, np.int64)
        return Columns(owner, self._time[slots], self._value[slots], self._quality[slots])

    def newest(self, point: int, count: int) -> Columns:
        """The newest `count` of them, no more than it keeps, in ascending time."""
        total = int(self.total[point])
        slots = self.start[point] + np.arange(total - count, total) % int(self.capacity[point])
        return Columns(np.full(count, point, np.int64), self._time[slots], self._value[slots], self._quality[slots])

    def oldest(self, point: int) -> int:
        """The time of the oldest reading that is kept (UTC ms); NEVER when there is none."""
        capacity, total = int(self.capacity[point]), int(self.total[point])
        if not total:
            return NEVER
        return int(self._time[self.start[point] + max(0, total - capacity) % capacity])

    def replace(self, point: int, rows: Columns) -> None:
        """Keep the newest of these rows (ascending time) instead of what the ring holds."""
        capacity = int(self.capacity[point])
        if not self.complete(point) or len(rows.time) > capacity:
            self._dropped.add(point)
        kept = rows.take(slice(max(0, len(rows.time) - capacity), None))
        self.total[point] = len(kept.time)
        slots = self._slots(point)
        self._time[slots], self._value[slots], self._quality[slots] = kept.time, kept.value, kept.quality

    def all_of(self, count: int) -> Rings:
        """What the rings of the first `count` points hold."""
        start, capacity, total = (_padded(column, count) for column in (self.start, self.capacity, self.total))
        kept = np.minimum(total, capacity)
        complete = total <= capacity
        complete[[point for point in self._dropped if point < count]] = False
        rings = Rings(
            capacity,
            complete,
            kept,
            np.empty(int(kept.sum()), np.int64),
            np.empty(int(kept.sum()), np.float64),
            np.empty(int(kept.sum()), np.uint8),
        )
        end = 0
        for first in range(0, count, POINTS_AT_ONCE):
            some = slice(first, first + POINTS_AT_ONCE)
            lengths = kept[some]
            slots = _ranks(lengths)
            slots += np.repeat((total - kept)[some], lengths)
            slots %= np.repeat(np.maximum(capacity[some], 1), lengths)
            slots += np.repeat(start[some], lengths)
            begin, end = end, end + len(slots)
            rings.time[begin:end] = self._time[slots]
            rings.value[begin:end] = self._value[slots]
            rings.quality[begin:end] = self._quality[slots]
        return rings

    @classmethod
    def of(cls, rings: Rings) -> "Recent":
        """Rings that hold this."""
        made = cls()
        made.capacity, made.total = rings.capacity.copy(), rings.kept.copy()
        made.start = np.cumsum(rings.capacity) - rings.capacity
        made._held = int(rings.capacity.sum())
        made._reserve(made._held)
        slots = np.repeat(made.start, rings.kept) + _ranks(rings.kept)
        made._time[slots], made._value[slots], made._quality[slots] = rings.time, rings.value, rings.quality
        made._dropped = set(np.flatnonzero(~rings.complete).tolist())
        return made

    def complete(self, point: int) -> bool:
        """Whether nothing of the point was dropped yet."""
        if point >= len(self.capacity):
            return True
        return point not in self._dropped and bool(self.total[point] <= self.capacity[point])

    def room(self, point: int) -> int:
        """How many readings of the point it keeps."""
        return int(self.capacity[point]) if point < len(self.capacity) else 0

    def forget(self, point: int) -> None:
        """Take note that the point had readings which are not here."""
        self._dropped.add(point)

    def _slots(self, point: int) -> Int64s:
        capacity, total = int(self.capacity[point]), int(self.total[point])
        slots: Int64s = self.start[point] + np.arange(max(0, total - capacity), total) % max(1, capacity)
        return slots


def spread(begin: Int64s, count: Int64s) -> Int64s:
    """begin, begin + 1, … so many of each, one after the other."""
    rows: Int64s = np.repeat(begin - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
    return rows


def _ranks(lengths: Int64s) -> Int64s:
    """0, 1, … for each length, one after the other."""
    ranks: Int64s = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return ranks


def _padded(column: Int64s, count: int) -> Int64s:
    """The first `count` of a column, zeros where it is shorter."""
    found = np.zeros(count, np.int64)
    found[: min(count, len(column))] = column[:count]
    return found
