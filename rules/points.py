"""Every judged point in columns: what the live pre-filter needs to see that a reading changes nothing.

Every condition says which readings change nothing, until when, and for how long whatever comes
(`rules.signals.base.Calm`): of limits and states that is one band here, in which also a value as before is quiet; of
those on derived series it is another. What a reading outside of a band may lead to can be said only after the grace:
until then the point is quiet all the same. Readings that some condition has not heard and must (its signal, or a
running delay) are counted in `unseen`: the newest of the recent ones, with which the point catches up before anything
else happens to it.
"""

from collections.abc import Sequence

import numpy as np

from domain.batch import Float64s, Int64s
from rules.composite import condition_of
from rules.derived import Derived
from rules.frontier import Agent
from rules.late import Log
from rules.plan import NEVER, Bools, Plan, bad_rows
from rules.recent import Columns, Recent, join
from rules.signals.base import Calm

ANYTHING = Calm(grace=NEVER)
LEAST_KEPT, MOST_KEPT, KEPT_WITHOUT_INTERVAL = 64, 1024, 256  # readings per point


class Track:
    """One rule at one point: its condition, what was said, its place, and the deadline that is queued."""

    __slots__ = ("condition", "log", "looked", "place", "point", "queued", "wake")

    def __init__(self, plan: Plan, point: int, place: int) -> None:
        self.condition = condition_of(plan)
        self.log = Log()
        self.point = point
        self.place = place
        self.wake = self.condition.due  # when it must be looked at though no reading asks for it
        self.looked = -NEVER  # before when it was looked at so
        self.queued = NEVER


class Bands:
    """Of every point the values that some of its conditions are quiet about, and the grace (ms) after another one."""

    def __init__(self) -> None:
        self.low = np.zeros(0, np.float64)
        self.high = np.zeros(0, np.float64)
        self.bad_is_loud = np.zeros(0, np.bool_)
        self.grace = np.zeros(0, np.int64)

    def grow(self, room: int) -> None:
        """Make room for so many points; everything is quiet of new ones."""
        self.low = np.concatenate((self.low, np.full(room - len(self.low), -np.inf)))
        self.high = np.concatenate((self.high, np.full(room - len(self.high), np.inf)))
        self.bad_is_loud = np.concatenate((self.bad_is_loud, np.zeros(room - len(self.bad_is_loud), np.bool_)))
        self.grace = _grown(self.grace, room, 0)

    def put(self, point: int, calm: Calm) -> None:
        """The point's conditions say that."""
        self.low[point], self.high[point] = calm.low, calm.high
        self.bad_is_loud[point], self.grace[point] = not calm.bad, calm.grace

    def open(self, points: Int64s) -> None:
        """Whatever comes is quiet."""
        self.low[points], self.high[points], self.bad_is_loud[points] = -np.inf, np.inf, False

    def holds(self, point: Int64s, value: Float64s) -> Bools:
        """Which of these values are within their point's band."""
        found: Bools = (value >= self.low[point]) & (value <= self.high[point])
        return found


class PointTable:
    """Points by number; columns have room for more points than there are."""

    def __init__(self, passing: bool = True) -> None:
        self.passing = passing  # False: conditions on derived series hear every reading at once
        self.names: list[str] = []
        self.numbers: dict[str, int] = {}
        self.tracks: list[list[Track]] = []
        self.joint: list[bool] = []  # whether any of its rules looks at other points too
        self.recent = Recent()
        self.owner = np.zeros(0, np.int64)
        self.floor = np.zeros(0, np.int64)
        self.last_time = np.zeros(0, np.int64)
        self.last_value = np.zeros(0, np.float64)
        self.plain = Bands()
        self.derived = Bands()
        self.known = np.zeros(0, np.bool_)  # whether it says what is quiet
        self.until = np.zeros(0, np.int64)
        self.deaf = np.zeros(0, np.bool_)  # what is quiet is to be heard some time
        self.signals = np.zeros(0, np.bool_)  # any of its conditions is on a derived series
        self.steady = np.zeros(0, np.bool_)  # no limit or state has a delay that is running
        self.away = np.zeros(0, np.bool_)  # steady until it went beyond the plain band, and not back yet
        self.at_rest = np.zeros(0, np.int64)  # the same as `until`, if it were not away
        self.unseen = np.zeros(0, np.int64)

    def add(self, name: str) -> int:
        """The number of the point, new or not."""
        number = self.numbers.get(name)
        if number is not None:
            return number
        number = len(self.names)
        self.names.append(name)
        self.numbers[name] = number
        self.tracks.append([])
        self.joint.append(False)
        if number >= len(self.owner):
            self._grow(max(64, 2 * number))
        return number

    def _grow(self, room: int) -> None:
        self.owner = _grown(self.owner, room, -1)
        self.floor = _grown(self.floor, room, -NEVER)
        self.last_time = _grown(self.last_time, room, -NEVER)
        self.last_value = np.concatenate((self.last_value, np.full(room - len(self.last_value), np.nan)))
        self.plain.grow(room)
        self.derived.grow(room)
        self.known = np.concatenate((self.known, np.ones(room - len(self.known), np.bool_)))
        self.until = _grown(self.until, room, NEVER)
        self.deaf = np.concatenate((self.deaf, np.zeros(room - len(self.deaf), np.bool_)))
        self.signals = np.concatenate((self.signals, np.zeros(room - len(self.signals), np.bool_)))
        self.steady = np.concatenate((self.steady, np.zeros(room - len(self.steady), np.bool_)))
        self.away = np.concatenate((self.away, np.zeros(room - len(self.away), np.bool_)))
        self.at_rest = _grown(self.at_rest, room, NEVER)
        self.unseen = _grown(self.unseen, room, 0)

    def set_plans(self, point: int, plans: list[Plan], interval: int | None) -> None:
        """Judge the point by these plans from now on, keeping the tracks of those that are not new."""
        kept = {track.condition.plan: track for track in self.tracks[point]}
        self.tracks[point] = [kept.get(plan) or Track(plan, point, 0) for plan in plans]
        for place, track in enumerate(self.tracks[point]):
            track.place = place
            track.queued = NEVER
        self.joint[point] = any(plan.inputs for plan in plans)
        if plans:
            lookback = max(plan.lookback for plan in plans)
            wanted = KEPT_WITHOUT_INTERVAL if not interval else lookback * 3 // (2 * interval) + 16
            self.recent.ensure(point, min(MOST_KEPT, max(LEAST_KEPT, wanted)))
        self.last_value[point] = np.nan
        self.refresh(point)

    def alone(self, point: int) -> list[Track]:
        """The point's rules that look at it alone; the others are judged together with their other inputs."""
        tracks = self.tracks[point]
        return [track for track in tracks if not track.condition.plan.inputs] if self.joint[point] else tracks

    def keep_for(self, point: int) -> None:
        """Keep recent readings of a point that a rule elsewhere needs."""
        self.recent.ensure(point, KEPT_WITHOUT_INTERVAL)

    def refresh(self, point: int) -> None:
        """Ask the point's conditions again what is quiet, after one of them moved."""
        tracks = self.alone(point)
        for track in tracks:
            track.wake = track.condition.due
        self.deaf[point] = self.known[point] = self.away[point] = False
        if not self.passing:
            return
        plain = derived = ANYTHING
        signals = self.signals[point] = False
        for track in tracks:
            calm = track.condition.calm()
            if calm is None:
                return
            if isinstance(track.condition, Derived):
                derived, signals = calm if derived is ANYTHING else calm.also(derived), True
            else:
                plain = calm if plain is ANYTHING else calm.also(plain)
        until = min(plain.until, derived.until)
        self.plain.put(point, plain)
        self.derived.put(point, derived)
        self.known[point], self.signals[point], self.steady[point] = True, signals, plain.until == NEVER
        self.until[point] = self.at_rest[point] = until
        self.deaf[point] = signals or until != NEVER
        for track in tracks:
            if until + 1 >= track.looked:  # else time alone tells
                track.wake = min(until + 1, NEVER)

    def loud(self, rows: Columns, first: Int64s, length: Int64s) -> tuple[Int64s, list[int]]:
        """Which segments must be judged now, and which other points have a moment from now on at which they must be.

        A limit or state that was beyond its band for less than its delay, and is back, is what it was before. So a
        point is at rest (quiet until `at_rest`), or away (beyond its band: quiet until `until`, the earlier one of that
        and what its delays allow). Back from there it is at rest again; but where a delay ran before (not steady) it
        stays away until it is heard.
        """
        point, begin, last = rows.point[first], rows.time[first], first + length - 1
        plain, derived, inside = self._beyond(rows, first)
        back = self.steady[point] & inside[last]
        rest = np.where(
            derived, np.minimum(self.at_rest[point], begin + self.derived.grace[point] - 1), self.at_rest[point]
        )
        until = np.where(self.away[point], np.minimum(self.until[point], rest), rest)
        until = np.where(plain & ~self.away[point], np.minimum(until, begin + self.plain.grace[point] - 1), until)
        loud: Bools = ~self.known[point] | (rows.time[last] > until)
        away = (self.away[point] | plain) & ~back
        deaf = self.signals[point] | away | (rest != NEVER)
        loud |= deaf & (self.unseen[point] + length > self.recent.capacity[point])
        self.unseen[point] = np.where(loud, self.unseen[point], np.where(deaf, self.unseen[point] + length, 0))
        changed = np.flatnonzero((plain | derived | self.away[point]) & ~loud)
        if not len(changed):
            return np.flatnonzero(loud), []
        until = np.where(back, rest, until)[changed]
        self._change(point[changed], away[changed], rest[changed], until)
        self.derived.open(point[changed[derived[changed]]])
        self.plain.open(point[changed[(plain & ~self.steady[point])[changed]]])
        return np.flatnonzero(loud), point[changed].tolist()

    def _beyond(self, rows: Columns, first: Int64s) -> tuple[Bools, Bools, Bools]:
        """Which segments have a reading outside of the plain band, or of the other; which rows are in the plain one."""
        point, value = rows.point, rows.value
        bad = bad_rows(value, rows.quality)
        inside = self.plain.holds(point, value)
        if not inside.all():
            inside |= (value == self.last_value[point]) & ~self.away[point]
        inside &= ~bad
        beyond = np.logical_or.reduceat(~(bad | inside), first)
        if not self.signals[point[first]].any():
            return beyond, np.zeros(len(first), np.bool_), inside
        derived = np.where(bad, self.derived.bad_is_loud[point], ~self.derived.holds(point, value))
        return beyond, np.logical_or.reduceat(derived, first), inside

    def _change(self, point: Int64s, away: Bools, rest: Int64s, until: Int64s) -> None:
        """These points are away or not, and quiet until then."""
        self.away[point], self.at_rest[point], self.until[point] = away, rest, until
        self.deaf[point] = self.signals[point] | away | (rest != NEVER)
        for one, time in zip(point.tolist(), until.tolist(), strict=True):
            for track in self.alone(one)[:1]:  # one that wakes the point is enough: all of it catches up then
                track.wake = min(time + 1, NEVER)

    def behind(self) -> list[int]:
        """The points whose conditions may not have heard or lived through everything."""
        found: list[int] = np.flatnonzero(self.deaf | (self.unseen > 0)).tolist()
        return found

    def catch_up(self, point: int) -> Columns:
        """Those readings of the point, which count as heard now."""
        count, self.unseen[point] = int(self.unseen[point]), 0
        return self.recent.newest(point, count)

    def give(self, points: Int64s, agent: Agent, agents: Sequence[Agent]) -> list[int]:
        """The points are this agent's from now on; what a former one promised about them stands. Those that had one."""
        owner = self.owner[points]
        moved = []
        for point in [] if (owner == agent.number).all() else np.unique(points[owner != agent.number]).tolist():
            former = int(self.owner[point])
            self.owner[point] = agent.number
            if former < 0:
                continue
            before = agents[former]
            self.floor[point] = max(int(self.floor[point]), before.frontier)
            mine = before.waiting.point == point
            agent.waiting = join(agent.waiting, before.waiting.take(mine))
            before.waiting = before.waiting.take(~mine)
            moved.append(point)
        return moved

    def note(self, rows: Columns, first: Int64s, length: Int64s) -> None:
        """Enter applied readings, sorted by point and time: newest time, last good value, recent ones."""
        self.recent.append(rows, first, length)
        last = first + length - 1
        self.last_time[rows.point[last]] = rows.time[last]
        good = ~bad_rows(rows.value, rows.quality)
        if good[last].all():
            self.last_value[rows.point[last]] = rows.value[last]
            return
        point, value = rows.point[good], rows.value[good]
        ends = np.flatnonzero(np.append(point[1:] != point[:-1], True)) if len(point) else first[:0]
        self.last_value[point[ends]] = value[ends]


def _grown(column: Int64s, room: int, blank: int) -> Int64s:
    return np.concatenate((column, np.full(room - len(column), blank, np.int64)))
