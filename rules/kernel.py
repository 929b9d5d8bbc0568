"""Readings of one point along time through one condition: the same meaning as reading by reading, at speed.

A run is a stretch of readings that say the same to every level, without a gap beyond `max_gap`; only its first reading
can start or stop a delay, and a deadline inside it fires at its own due time. So a year at one minute costs as many
steps as the truth changes. A signal in front of the condition says itself how many readings change nothing.
`merge=False` takes every reading as its own run: the plain meaning, for the tests.
"""

from collections.abc import Callable

import numpy as np

from domain.batch import Bytes8, Float64s, Int64s
from rules.condition import Change, Condition
from rules.derived import Derived
from rules.plan import UNKNOWN, bad_rows

FEWEST = 6  # readings that are worth passing over together
_AT_FIRST, _AHEAD = 64, 4_096  # readings that a signal looks at together: more as long as all are passed over
_MOST_PATIENT = 192  # readings taken one by one before it is asked again
_WORTH_IT = 24  # readings passed over that pay for having looked: after fewer one does not look any sooner
_SHORT = 12  # below this, plain Python is faster than setting up columns
_ALL = slice(None)

Emit = Callable[[Condition, Change], None]


class Told:
    """Readings of one point in ascending time, to be told to one condition after the other; few are listed once."""

    __slots__ = ("_listed", "bad", "times", "values")

    def __init__(self, times: Int64s, values: Float64s, qualities: Bytes8) -> None:
        self.times, self.values = times, values
        self.bad = bad_rows(values, qualities)
        self._listed: list[tuple[int, float, bool]] | None = None

    def listed(self, part: slice = _ALL) -> list[tuple[int, float, bool]]:
        """Time, value, and whether it says nothing, row by row."""
        if self._listed is not None:
            return self._listed[part]
        columns = (self.times[part].tolist(), self.values[part].tolist(), self.bad[part].tolist())
        rows = list(zip(*columns, strict=True))
        if part is _ALL and len(rows) < _SHORT:
            self._listed = rows
        return rows


def run(condition: Condition, told: Told, emit: Emit, merge: bool = True) -> None:
    """Apply the readings, firing every deadline up to the last one's time."""
    if isinstance(condition, Derived):
        _run_derived(condition, told, emit, merge)
    elif len(told.times) < _SHORT or not merge:
        code = condition.plan.code
        for time, value, unknown in told.listed():
            if condition.due < time:
                fire_before(condition, time, emit)
            condition.read(time, UNKNOWN if unknown else code(value), value, time)
            if condition.due <= time:
                fire_before(condition, time + 1, emit)
    else:
        codes = condition.plan.codes(told.values, told.bad)
        _run_merged(condition, told.times, told.values, codes, emit)


def _run_derived(condition: Derived, told: Told, emit: Emit, merge: bool) -> None:
    """Reading by reading where something may change; what comes between is passed over together."""
    if not merge or len(told.times) < FEWEST:
        _one_by_one(condition, told.listed(), emit)
        return
    look = Lookout()
    while len(told.times) - look.start >= FEWEST:
        if not condition.idle:
            some = told.listed(slice(look.start, look.start + _AT_FIRST))
            look.start += _while_busy(condition, some, emit)
            continue
        part = look.part
        count = condition.ahead(told.times[part], told.values[part], told.bad[part])
        if count >= FEWEST:
            part = look.passed(count)
            condition.pass_over(told.times[part], told.values[part], told.bad[part])
            if look.stopped:
                _one_by_one(condition, told.listed(look.step()), emit)
        else:
            _one_by_one(condition, told.listed(look.refused()), emit)
    if look.start < len(told.times):
        _one_by_one(condition, told.listed(slice(look.start, None)), emit)


class Lookout:
    """How far along a stretch one is, how far to look ahead, and for how long not to."""

    def __init__(self) -> None:
        self.start = 0
        self.stopped = False  # what comes next was seen, and is to be heard
        self._sight, self._patience = _AT_FIRST, FEWEST

    @property
    def part(self) -> slice:
        """What to look at next."""
        return slice(self.start, self.start + self._sight)

    def passed(self, count: int) -> slice:
        """So many of it are passed over: one looks further, if all were, and again soon, if they were worth it."""
        part = slice(self.start, self.start + count)
        self.stopped = _WORTH_IT <= count < self._sight
        self._sight = (
            min(4 * self._sight, _AHEAD) if count == self._sight else max(2 * count, self._sight // 2, _AT_FIRST)
        )
        self.start = part.stop
        if count >= _WORTH_IT:
            self._patience = FEWEST
        return part

    def step(self) -> slice:
        """The next one alone."""
        self.start += 1
        return slice(self.start - 1, self.start)

    def refused(self) -> slice:
        """What is taken one by one before one looks again: the more, the longer it goes on."""
        part = slice(self.start, self.start + self._patience)
        self.start, self._sight, self._patience = part.stop, _AT_FIRST, min(2 * self._patience, _MOST_PATIENT)
        return part


def _one_by_one(condition: Derived, rows: list[tuple[int, float, bool]], emit: Emit) -> None:
    for time, value, unknown in rows:
        if condition.due < time:
            fire_before(condition, time, emit)
        condition.take(time, value, unknown)
        if condition.due <= time:
            fire_before(condition, time + 1, emit)


def _while_busy(condition: Derived, rows: list[tuple[int, float, bool]], emit: Emit) -> int:
    """One by one until the condition stands idle again, or all of them: how many."""
    for number, row in enumerate(rows):
        _one_by_one(condition, [row], emit)
        if condition.idle:
            return number + 1
    return len(rows)


def fire_before(condition: Condition, time: int, emit: Emit) -> None:
    """Fire every deadline that is due before `time`."""
    while condition.due < time:
        change = condition.fire()
        if change is not None:
            emit(condition, change)


def _run_merged(condition: Condition, times: Int64s, values: Float64s, codes: Int64s, emit: Emit) -> None:
    breaks = codes[1:] != codes[:-1]
    if condition.plan.max_gap is not None:
        breaks |= np.diff(times) > condition.plan.max_gap
    starts = np.concatenate(([0], np.flatnonzero(breaks) + 1))
    stops = np.append(starts[1:], len(times))
    columns = (starts, stops, times[starts], times[stops - 1], values[starts], values[stops - 1], codes[starts])
    for start, stop, first, last, value, last_value, code in zip(*(c.tolist() for c in columns), strict=True):
        if condition.due < first:
            fire_before(condition, first, emit)
        condition.read(first, code, value, last)
        while condition.due <= last:
            if code != UNKNOWN:
                in_force = start + int(np.searchsorted(times[start:stop], condition.due, "right")) - 1
                condition.value = float(values[in_force])
            change = condition.fire()
            if change is not None:
                emit(condition, change)
        if code != UNKNOWN:
            condition.value = last_value
