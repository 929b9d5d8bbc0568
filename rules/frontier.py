"""How far each agent's story is complete, and the readings that wait for it.

A reading newer than its agent's frontier waits in a bounded buffer until the frontier reaches it, so that readings are
judged in the order of their event times. When an agent's buffer is full, the frontier is forced forward to the oldest
waiting reading (counted); what then comes older is late, and judged as late.
"""

import numpy as np

from domain.batch import Int64s
from rules.plan import NEVER
from rules.recent import Columns, Recent, join, no_columns

WAIT = 60_000  # ms that an agent without promises is waited for
MOST_WAITING = 20_000  # readings per agent

_BAD, _UNCERTAIN = 2, 1


class Agent:
    """One agent: `frontier` in UTC ms (-NEVER before its first word), whether it ever promised, and who waits."""

    __slots__ = ("deadlines", "frontier", "number", "promised", "waiting")

    def __init__(self, number: int) -> None:
        self.number = number
        self.frontier = -NEVER
        self.promised = False
        self.waiting = no_columns()
        self.deadlines: list[tuple[int, int, int]] = []  # heap of (due, point, place among the point's conditions)

    def target(self, upto: int, received: int) -> int:
        """Where the frontier goes with a pack of that promise; once an agent promised, only promises move it."""
        if upto > 0:
            self.promised = True
            return max(self.frontier, upto)
        return self.frontier if self.promised else max(self.frontier, received - WAIT)

    def release(self, target: int) -> Columns:
        """Take out the readings that the frontier reaches when it moves to `target`; the order is that of arrival."""
        ready = self.waiting.time <= target
        if ready.all():
            rows, self.waiting = self.waiting, no_columns()
        else:
            rows, self.waiting = self.waiting.take(ready), self.waiting.take(~ready)
        return rows


def by_point_and_time(rows: Columns) -> Columns:
    """Sorted by point, then time; equal ones stay in order of arrival."""
    if len(rows.time) < 2:
        return rows
    point, time = rows.point, rows.time
    step = point[1:] - point[:-1]
    if ((step > 0) | ((step == 0) & (time[1:] >= time[:-1]))).all():
        return rows
    return rows.take(np.lexsort((time, point)))


def settle_clashes(waiting: Columns, last_time: Int64s, recent: Recent) -> tuple[Columns, int]:
    """Readings in order of arrival with no two of one point at one time; and how many duplicates were dropped.

    The same point, time and value as one that waits or was applied last is a duplicate; another value goes to the next
    free millisecond as uncertain, as the series store keeps it.
    """
    clashing = _clashing_points(waiting, last_time)
    if not len(clashing):
        return waiting, 0
    time, quality = waiting.time.copy(), waiting.quality.copy()
    kept = np.ones(len(time), np.bool_)
    for point in clashing.tolist():
        taken = _taken(recent.read(point), int(last_time[point]))
        for row in np.flatnonzero(waiting.point == point).tolist():
            place = free_place(taken, int(time[row]), float(waiting.value[row]), int(quality[row]))
            if place is None:
                kept[row] = False
            else:
                time[row], quality[row] = place
    rows = Columns(waiting.point, time, waiting.value, quality)
    return rows.take(kept), int((~kept).sum())


def free_place(taken: dict[int, tuple[float, int]], time: int, value: float, quality: int) -> tuple[int, int] | None:
    """Time and quality at which a reading is kept, entered into `taken`; None when it is a duplicate."""
    place = time
    while place in taken:
        other_value, other_quality = taken[place]
        same_value = other_value == value or (other_value != other_value and value != value)
        # One that was moved here is uncertain now, whatever it was sent as.
        if same_value and (other_quality == quality or (place > time and other_quality == _UNCERTAIN)):
            return None
        place += 1
    kept = quality if place == time or quality == _BAD else _UNCERTAIN
    taken[place] = (value, kept)
    return place, kept


def _clashing_points(waiting: Columns, last_time: Int64s) -> Int64s:
    rows = by_point_and_time(waiting)
    same = (rows.point[1:] == rows.point[:-1]) & (rows.time[1:] == rows.time[:-1])
    again = rows.time <= last_time[rows.point]
    if not same.any() and not again.any():
        return np.empty(0, np.int64)
    return np.unique(np.concatenate((rows.point[1:][same], rows.point[again])))


def _taken(rows: Columns, since: int) -> dict[int, tuple[float, int]]:
    near = rows.take(rows.time >= since)
    pairs = zip(near.value.tolist(), near.quality.tolist(), strict=True)
    return dict(zip(near.time.tolist(), pairs, strict=True))


def merged(first: Columns, second: Columns) -> Columns:
    """Readings of one point in ascending time; where both have a time, the first one's reading stays."""
    rows = join(first, second)
    rows = rows.take(np.argsort(rows.time, kind="stable"))
    if len(rows.time) < 2:
        return rows
    fresh = np.concatenate(([True], rows.time[1:] != rows.time[:-1]))
    return rows.take(fresh)
