"""Readings through a condition, whichever it is: of one point along time, or of several points moment by moment.

Decides nothing: `rules.kernel` and `rules.derived` know what a reading means. It is here so that judging the past again
(`rules.late`) is the same for both. Rows of a rule with several inputs carry the number of the input as their point.
"""

import numpy as np

from domain.batch import Int64s
from rules.condition import Condition
from rules.derived import Derived
from rules.kernel import FEWEST, Emit, Lookout, Told, fire_before, run
from rules.plan import Bools, bad_rows
from rules.recent import Columns, segments


def play(condition: Condition, rows: Columns, emit: Emit, merge: bool = True) -> None:
    """Apply readings in ascending time, firing every deadline up to the last one's time."""
    if condition.plan.inputs:
        run_together(condition, rows, emit, merge)
    else:
        run(condition, Told(rows.time, rows.value, rows.quality), emit, merge)


def run_together(condition: Condition, rows: Columns, emit: Emit, merge: bool = True) -> None:
    """Apply readings of all inputs, sorted by time: those of one moment at once. Deadlines of the last one's own time
    are left: readings of that moment may follow."""
    assert isinstance(condition, Derived)
    bad = bad_rows(rows.value, rows.quality)
    begins = np.concatenate((np.flatnonzero(np.diff(rows.time, prepend=rows.time[:1] - 1)), [len(bad)]))  # of moments
    look = Lookout()
    while merge and len(begins) - 1 - look.start >= FEWEST:
        if look.stopped or not condition.idle:
            look.stopped = False
            moments = _within(begins, look.step())
            _one_by_one(condition, rows.take(moments), bad[moments], emit)
            continue
        moments = _within(begins, look.part)
        some = rows.take(moments)
        ahead = condition.ahead_together(some.point, some.time, some.value, bad[moments])
        # A moment counts with all of its readings.
        count = int(np.searchsorted(begins, moments.start + ahead, "right")) - 1 - look.start
        passes = count >= FEWEST
        moments = _within(begins, look.passed(count) if passes else look.refused())
        some = rows.take(moments)
        if passes:
            condition.pass_over_together(some.point, some.time, some.value, bad[moments])
        else:
            _one_by_one(condition, some, bad[moments], emit)
    rest = slice(int(begins[look.start]) if look.start < len(begins) else len(bad), None)
    _one_by_one(condition, rows.take(rest), bad[rest], emit)


def _within(begins: Int64s, moments: slice) -> slice:
    """The rows of those moments."""
    last = len(begins) - 1
    return slice(int(begins[min(moments.start, last)]), int(begins[min(moments.stop, last)]))


def _one_by_one(condition: Derived, rows: Columns, bad: Bools, emit: Emit) -> None:
    if not len(bad):
        return
    listed = list(zip(rows.point.tolist(), rows.value.tolist(), bad.tolist(), strict=True))
    first, length = segments(rows.time)
    for start, count in zip(first.tolist(), length.tolist(), strict=True):
        time, stop = int(rows.time[start]), start + count
        if condition.due < time:
            fire_before(condition, time, emit)
        condition.take_together(time, listed[start:stop])


def in_time(rows: Columns) -> Columns:
    """Readings of several inputs sorted by time, then input; of two at one time and input the first."""
    rows = rows.take(np.lexsort((rows.point, rows.time)))
    if len(rows.time) < 2:
        return rows
    fresh = np.concatenate(([True], (rows.time[1:] != rows.time[:-1]) | (rows.point[1:] != rows.point[:-1])))
    return rows.take(fresh)
