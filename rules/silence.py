"""No data: judged by arrival, not by event time, and only while ingest itself can hear.

A point is alive when a reading arrives within the delay of its own event: a backlog is not life, a bad reading is.
The clock of arrival counts only time between two moments at which the broker connection stood; what remained of a
delay when it was lost remains after it is back. Due strictly before now: what arrives at the due moment is in time.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np

from domain.alarms import EventKind, Reason
from domain.batch import Int64s
from rules.condition import Change
from rules.plan import ENTERED, LEFT, NEVER, Kind, Plan

_NOTHING = float("nan")


class Silence:
    """All no-data conditions of a site. A slot is one rule at one point; each of its levels is a row of the columns."""

    def __init__(self) -> None:
        self.now: int | None = None
        self.connected = True
        self.counted = 0  # ms of connected time so far: the time base of `due`
        self.points: dict[str, int] = {}
        self.plans: list[Plan] = []
        self.slot_points: list[str] = []
        self.levels: list[int] = []  # per slot: the highest active level or -1
        self.slot = np.zeros(0, np.int64)
        self.row_point = np.zeros(0, np.int64)
        self.delay = np.zeros(0, np.int64)
        self.due = np.zeros(0, np.int64)
        self.heard = np.zeros(0, np.int64)  # arrival of the last fresh reading, or the start of watching
        self.active = np.zeros(0, np.bool_)
        self._order: Int64s | None = None  # rows by point, made when it is needed
        self._first = np.zeros(0, np.int64)  # of each point, where its rows begin in that order
        self._earliest = -NEVER  # nothing is due before it

    def add(self, watched: list[tuple[str, Plan]], now: int) -> None:
        """Watch these points from now on."""
        if not watched:
            return
        self._order, self._earliest = None, -NEVER
        rows = [
            (len(self.plans) + number, self.points.setdefault(point, len(self.points)), level.on_delay)
            for number, (point, plan) in enumerate(watched)
            for level in plan.levels
        ]
        slot, point, delay = np.array(rows, np.int64).T
        self.slot = np.concatenate((self.slot, slot))
        self.row_point = np.concatenate((self.row_point, point))
        self.delay = np.concatenate((self.delay, delay))
        self.due = np.concatenate((self.due, self.counted + delay))
        self.heard = np.concatenate((self.heard, np.full(len(rows), now, np.int64)))
        self.active = np.concatenate((self.active, np.zeros(len(rows), np.bool_)))
        self.plans += [plan for _, plan in watched]
        self.slot_points += [name for name, _ in watched]
        self.levels += [-1] * len(watched)

    def watch(self, wanted: Mapping[str, Sequence[Plan]], now: int) -> None:
        """Watch where a no-data rule among the points' plans is new."""
        watched = set(zip(self.slot_points, self.plans, strict=True))
        new = [(name, plan) for name, plans in wanted.items() for plan in plans if plan.silence]
        self.add([pair for pair in new if pair not in watched], now)

    def keep(self, slots: list[int]) -> None:
        """Forget every slot but these."""
        self._order, self._earliest = None, -NEVER
        rows = np.concatenate([np.flatnonzero(self.slot == slot) for slot in slots] or [np.zeros(0, np.int64)])
        renumber = {slot: number for number, slot in enumerate(slots)}
        self.slot = np.array([renumber[slot] for slot in self.slot[rows].tolist()], np.int64)
        self.delay, self.due, self.heard = self.delay[rows], self.due[rows], self.heard[rows]
        self.active = self.active[rows]
        self.plans = [self.plans[slot] for slot in slots]
        self.slot_points = [self.slot_points[slot] for slot in slots]
        self.levels = [self.levels[slot] for slot in slots]
        self.points = {}
        for point in self.slot_points:
            self.points.setdefault(point, len(self.points))
        self.row_point = np.array([self.points[self.slot_points[slot]] for slot in self.slot.tolist()], np.int64)

    def advance(self, now: int, connected: bool) -> list[tuple[int, Change]]:
        """Arrival time is `now`; what became due on the way, as (slot, change) in order of time."""
        if self.now is None or now > self.now:
            if self.now is not None and self.connected and connected:
                self.counted += now - self.now
            self.now = now
        self.connected = connected
        if self.counted <= self._earliest:
            return []
        overdue = np.flatnonzero(self.due < self.counted)
        changes: list[tuple[int, Change]] = []
        passed = sorted((int(self.due[row]), int(self.slot[row]), row) for row in overdue.tolist())
        for (due, slot), rows in groupby(passed, key=lambda entry: entry[:2]):
            for _, _, row in rows:
                self.due[row], self.active[row] = NEVER, True
                heard = int(self.heard[row])
            # Due moments pass only in connected time, and the present stretch of it began before this one.
            changes += self._change(slot, self.now - (self.counted - due), heard)
        # Arrivals put off what is due; what they make due anew they enter here themselves.
        self._earliest = int(self.due.min(initial=NEVER))
        return changes

    def arrive(self, received: int, points: Int64s, times: Int64s) -> list[tuple[int, Change]]:
        """Readings of these points (numbers of `self.points`, -1 = none) with these event times arrived."""
        judged = points >= 0
        numbers, place = np.unique(points[judged], return_inverse=True)
        newest = np.full(len(numbers), -NEVER, np.int64)
        np.maximum.at(newest, place, times[judged])
        rows, of = self._rows_of(numbers)
        rows = rows[received - newest[of] <= self.delay[rows]]
        self.due[rows] = self.counted + self.delay[rows]
        self.heard[rows] = received
        returned = np.sort(rows[self.active[rows]])
        self.active[rows] = False
        self._earliest = min(self._earliest, int(self.due[returned].min(initial=NEVER)))
        slots = dict.fromkeys(self.slot[returned].tolist())
        return [pair for slot in slots for pair in self._change(slot, received, received)]

    def _rows_of(self, numbers: Int64s) -> tuple[Int64s, Int64s]:
        """The rows of these points, and for each the index of its point in `numbers`."""
        if self._order is None:
            self._order = np.argsort(self.row_point, kind="stable").astype(np.int64)
            self._first = np.searchsorted(self.row_point[self._order], np.arange(len(self.points) + 1))
        first, length = self._first[numbers], self._first[numbers + 1] - self._first[numbers]
        of = np.repeat(np.arange(len(numbers)), length)
        before = np.cumsum(length) - length
        return self._order[first[of] + np.arange(len(of)) - before[of]], of

    def _change(self, slot: int, at: int, since: int) -> list[tuple[int, Change]]:
        rows = np.flatnonzero(self.slot == slot)
        before, after = self.levels[slot], max(np.flatnonzero(self.active[rows]).tolist(), default=-1)
        self.levels[slot] = after
        if before == after:
            return []
        if before < 0:
            return [(slot, self._said(slot, EventKind.RAISE, ENTERED, at, since, after))]
        if after < 0:
            return [(slot, self._said(slot, EventKind.CLEAR, LEFT, at, since, before))]
        up = after > before
        kind, reason = (EventKind.STEP_UP, Reason.STEPPED_UP) if up else (EventKind.STEP_DOWN, Reason.STEPPED_DOWN)
        return [(slot, Change(kind, reason, at, since, after, _NOTHING))]

    def _said(
        self, slot: int, kind: EventKind, words: Mapping[Kind, Reason], at: int, since: int, level: int
    ) -> Change:
        return Change(kind, words[self.plans[slot].levels[level].kind], at, since, level, _NOTHING)
