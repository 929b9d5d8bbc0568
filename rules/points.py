"""Every judged point in columns: what the live pre-filter needs to see that a reading changes nothing.

`low` to `high` is the band of values that leaves every condition of a settled point as it is; a point with a running
delay is not settled, and all its readings are judged. A condition on a derived series says itself which readings leave
it as it is, and until when (`rules.signals.base.Calm`); its signal has not heard them. They are counted in `unseen` and
are the newest of the recent ones: before anything else happens to the point it catches up with them.
"""

from collections.abc import Sequence

import numpy as np

from domain.batch import Int64s
from rules.composite import condition_of
from rules.derived import Derived
from rules.frontier import Agent
from rules.late import Log
from rules.plan import NEVER, Bools, Plan, bad_rows
from rules.recent import Columns, Recent, join

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
        self.low = np.zeros(0, np.float64)
        self.high = np.zeros(0, np.float64)
        self.settled = np.zeros(0, np.bool_)
        self.until = np.zeros(0, np.int64)
        self.deaf = np.zeros(0, np.bool_)  # it does not hear what is quiet
        self.bad_is_loud = np.zeros(0, np.bool_)
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
        self.low = np.concatenate((self.low, np.full(room - len(self.low), -np.inf)))
        self.high = np.concatenate((self.high, np.full(room - len(self.high), np.inf)))
        self.settled = np.concatenate((self.settled, np.ones(room - len(self.settled), np.bool_)))
        self.until = _grown(self.until, room, NEVER)
        self.deaf = np.concatenate((self.deaf, np.zeros(room - len(self.deaf), np.bool_)))
        self.bad_is_loud = np.concatenate((self.bad_is_loud, np.zeros(room - len(self.bad_is_loud), np.bool_)))
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
        """Work out the quiet band again, after a condition of the point moved."""
        low, high, until, bad, calms = -np.inf, np.inf, NEVER, True, 0
        tracks = self.alone(point)
        for track in tracks:
            track.wake = track.condition.due
        self.deaf[point] = self.settled[point] = False
        for track in tracks:
            condition = track.condition
            if isinstance(condition, Derived):
                calm = condition.calm() if self.passing else None
                if calm is None:
                    return
                low, high, until, bad = max(low, calm.low), min(high, calm.high), min(until, calm.until), bad & calm.bad
                calms += 1
                continue
            if not condition.settled:
                return
            for level, state in zip(condition.plan.levels, condition.levels, strict=True):
                band = level.quiet_band(state.phase != 0)
                low, high = max(low, band[0]), min(high, band[1])
        self.low[point], self.high[point], self.settled[point] = low, high, True
        self.until[point], self.deaf[point], self.bad_is_loud[point] = until, calms > 0, not bad
        for track in tracks if calms else ():
            if until + 1 >= track.looked:  # else time alone tells
                track.wake = min(until + 1, NEVER)

    def loud(self, rows: Columns, first: Int64s, length: Int64s) -> Int64s:
        """Which segments must be judged; of the others, those who do not hear them count them."""
        loud = ~np.logical_and.reduceat(self.quiet(rows), first)
        point = rows.point[first]
        deaf = self.deaf[point]
        if deaf.any():
            loud |= deaf & (self.unseen[point] + length > self.recent.capacity[point])
            missed = deaf & ~loud
            self.unseen[point[missed]] += length[missed]
        return np.flatnonzero(loud)

    def quiet(self, rows: Columns) -> Bools:
        """Which readings change nothing, if all of their point's are quiet: value in the band, as before, or bad."""
        point, value = rows.point, rows.value
        in_band = (value >= self.low[point]) & (value <= self.high[point])
        same, bad = value == self.last_value[point], bad_rows(value, rows.quality)
        quiet: Bools = self.settled[point] & (in_band | same | bad)
        deaf = self.deaf[point]
        if deaf.any():
            heard = bad & self.bad_is_loud[point] | ~(in_band | bad) | (rows.time > self.until[point])
            quiet &= ~(deaf & heard)
        return quiet

    def behind(self) -> list[int]:
        """The points with readings that their conditions have not heard."""
        found: list[int] = np.flatnonzero(self.unseen).tolist()
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
