"""What the names in a batch stand for: the number of the judged point, and the one of the point watched for silence.

Every batch names its points, and a site has a hundred thousand: each name is looked up once and remembered, those that
stand for nothing too. Decides nothing; bounded: when too many are remembered, all are forgotten.
"""

from collections.abc import Callable, Sequence

import numpy as np

from domain.batch import Int64s

MOST_STRANGERS = 65_536  # names that are remembered beyond twice as many as there are judged points

Find = Callable[[str, int], tuple[int, int]]  # name, arrival time (UTC ms) -> both numbers, -1: none


class Names:
    """Both numbers of every name seen. `find` may make `forget` be called."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._rows: dict[str, int] = {}
        self._judged = np.zeros(0, np.int64)
        self._silent = np.zeros(0, np.int64)

    def look_up(self, name: str, now: int) -> int:
        """Remember a name, seen at that time (UTC ms); its row among those remembered."""
        found = self._rows.get(name)
        if found is not None:
            return found
        judged, silent = self._find(name, now)
        row = len(self._rows)
        if row >= len(self._judged):
            room = np.full(max(64, row), -1, np.int64)
            self._judged = np.concatenate((self._judged, room))
            self._silent = np.concatenate((self._silent, room))
        self._judged[row], self._silent[row] = judged, silent
        self._rows[name] = row
        return row

    def of(self, names: Sequence[str], now: int, points: int) -> tuple[Int64s, Int64s]:
        """The judged numbers and those watched for silence, -1: none; there are so many judged `points`."""
        known = self._rows
        if len(known) > MOST_STRANGERS + 2 * points:
            self.forget()  # before the rows of this batch are taken, not among them
        rows = np.array([known[name] if name in known else self.look_up(name, now) for name in names], np.int64)
        return self._judged[rows], self._silent[rows]

    def forget(self) -> None:
        """What they stand for may have changed."""
        self._rows.clear()
