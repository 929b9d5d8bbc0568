"""Readings of several inputs past masks and combined conditions, while nothing that they say could be heard.

Decides which of the readings those must hear: where what a reading says to one of their limits changes, and each
input's last; all of an input whose signal remembers more than that. In between only time passes, and every moment due
is lived through. Holes longer than the gap rule are left to those who take readings one by one.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from domain.batch import Float64s, Int64s
from rules.condition import Condition
from rules.plan import UNKNOWN
from rules.signals.base import Bools, first_of


class Rows(NamedTuple):
    """Readings in columns, sorted by time: number of the input, time, value, whether it says nothing."""

    source: Int64s
    time: Int64s
    value: Float64s
    bad: Bools

    def of(self, source: int) -> Int64s:
        """The rows of that input."""
        return np.flatnonzero(self.source == source)

    def until(self, rows: Int64s, count: int) -> int:
        """How many rows there are up to the moment of the last of the first `count` of these rows."""
        return int(np.searchsorted(self.time, self.time[rows[count - 1]], "right")) if count else 0


Plain = tuple[int, Condition]  # a limit or state on an input


def before_hole(rows: Rows, plain: Iterable[Plain]) -> int:
    """How many of the first rows have no hole that a gap rule knows between two of them."""
    count = len(rows.time)
    for source, condition in plain:
        if condition.gap is not None:
            mine = rows.of(source)
            hole = first_of(np.diff(rows.time[mine]) > condition.gap) + 1
            count = min(count, int(mine[hole])) if hole < len(mine) else count
    return count


def before_true(rows: Rows, source: int, condition: Condition) -> int:
    """How many of the first rows leave an idle limit or state idle."""
    mine = rows.of(source)
    codes = condition.plan.codes(rows.value[mine], rows.bad[mine])
    true = (codes != UNKNOWN) & (codes & ((1 << len(condition.levels)) - 1) != 0)
    first = first_of(true)
    return int(mine[first]) if first < len(mine) else len(rows.time)


def play_thinned(
    rows: Rows,
    plain: list[Plain],
    whole: Iterable[int],
    now: int,
    *,
    due: Callable[[int], int],
    read: Callable[[int, float, bool, int], None],
    step: Callable[[int], None],
) -> None:
    """Let `read` have what must be heard, and `step` live through each of its moments and each that is `due` between.

    `whole` are the inputs of which everything is heard, `now` (UTC ms) the moment up to which all was lived through.
    """
    kept = np.isin(rows.source, list(whole))
    last: dict[int, list[tuple[Condition, int | None]]] = {}
    for source, condition in plain:
        mine = rows.of(source)
        if not len(mine):
            continue
        codes = condition.plan.codes(rows.value[mine], rows.bad[mine])
        kept[mine[0]] = kept[mine[-1]] = True
        kept[mine[1:][codes[1:] != codes[:-1]]] = True
        # Without a hole nothing becomes unknown before the last one.
        last.setdefault(int(mine[-1]), []).append((condition, condition.gap))
        condition.gap = None
    heard = np.flatnonzero(kept)
    columns = (heard, rows.time[heard], rows.value[heard], rows.bad[heard], rows.source[heard])
    for row, time, value, bad, source in zip(*(column.tolist() for column in columns), strict=True):
        while (next_due := due(now)) < time:
            now = next_due
            step(now)
        for condition, gap in last.get(row, ()):
            condition.gap = gap
        if row and rows.time[row - 1] == time:
            step(time)  # as after the other reading of that moment, which may not have been one to hear
        read(time, value, bad, source)
        now = time
        step(now)
    while (next_due := due(now)) < int(rows.time[-1]):
        now = next_due
        step(now)
