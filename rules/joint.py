"""Rules that need several points: they are judged as far as the stories of all of their inputs are complete.

The joint frontier is the least frontier of the inputs' agents. An agent that has fallen silent must not silence the
rules that look at it among others: it stalls them by at most `STALL_GAPS` gaps of event time (or `STALL` without a gap
rule), then its point is unknown there, as its gap rule says. What it delivers later is judged as late data is: the
stretch is judged again, and only what the alarm's log lacks is said.

Readings of the inputs wait here until the joint frontier passes them. Readings of one moment are judged together.
"""

from collections.abc import Callable

import numpy as np

from domain.times import MINUTE
from rules.composite import again as renewed
from rules.composite import condition_of
from rules.condition import Change, Condition
from rules.derived import Derived
from rules.frontier import MOST_WAITING
from rules.kernel import Emit, fire_before
from rules.late import past_excursions, present_change, stretches
from rules.plan import NEVER, Plan, bad_rows
from rules.points import PointTable, Track, segments
from rules.recent import Columns, join, no_columns
from rules.revisit import OLDEST_JUDGED, Counters, Kept, Past

Say = Callable[[Track, Change], None]

STALL_GAPS = 2
STALL = 10 * MINUTE


class Joint:
    """One rule with several inputs at one point. In `waiting` the column `point` is the number of the input."""

    __slots__ = ("doubt", "frontier", "sources", "stall", "track", "waiting")

    def __init__(self, track: Track, sources: list[int]) -> None:
        self.track = track
        self.sources = sources  # points by number, the rule's own first
        gap = track.condition.plan.max_gap
        self.stall = STALL if gap is None else STALL_GAPS * gap
        self.frontier = -NEVER
        self.waiting = no_columns()
        self.doubt = NEVER  # the oldest reading that came for a time that was judged already

    def take(self, source: int, rows: Columns) -> None:
        """Readings of an input, as they are applied there."""
        old = rows.time < self.frontier
        if old.any():
            self.doubt = min(self.doubt, int(rows.time[old].min()))
            rows = rows.take(~old)
        self.waiting = join(self.waiting, rows._replace(point=np.full(len(rows.time), source, np.int64)))

    def release(self, until: int) -> Columns:
        """Take out what lies before `until`, in order of time; readings of one moment in order of the inputs."""
        ready = self.waiting.time < until
        rows, self.waiting = self.waiting.take(ready), self.waiting.take(~ready)
        return in_time(rows)


def in_time(rows: Columns) -> Columns:
    """Sorted by time, then input; of two at one time and input the first."""
    rows = rows.take(np.lexsort((rows.point, rows.time)))
    if len(rows.time) < 2:
        return rows
    fresh = np.concatenate(([True], (rows.time[1:] != rows.time[:-1]) | (rows.point[1:] != rows.point[:-1])))
    return rows.take(fresh)


def run_together(condition: Condition, rows: Columns, emit: Emit) -> None:
    """Apply readings of all inputs, sorted by time: those of one moment at once."""
    assert isinstance(condition, Derived)
    bad = bad_rows(rows.value, rows.quality)
    listed = list(zip(rows.point.tolist(), rows.value.tolist(), bad.tolist(), strict=True))
    first, length = segments(rows.time) if listed else (rows.time, rows.time)
    for start, count in zip(first.tolist(), length.tolist(), strict=True):
        time, stop = int(rows.time[start]), start + count
        if condition.due < time:
            fire_before(condition, time, emit)
        condition.take_together(time, listed[start:stop])


class Joints:
    """All rules with several inputs of a site."""

    def __init__(self, table: PointTable, frontier_of: Callable[[int], int]) -> None:
        self.table = table
        self.frontier_of = frontier_of  # how far the story of a point is complete, or -NEVER
        self.all: list[Joint] = []
        self.fed: dict[int, list[tuple[Joint, int]]] = {}  # by point: which rules it is an input of, and as which
        self.feeding = np.zeros(0, np.bool_)

    def install(self) -> list[Joint]:
        """Follow the plans that the table holds now; what stays keeps its state. The new ones are returned."""
        kept = {id(one.track): one for one in self.all}
        self.all, self.fed = [], {}
        new: list[Joint] = []
        for point in range(len(self.table.names)):
            for track in self.table.tracks[point]:
                if track.condition.plan.inputs:
                    joint = kept.get(id(track)) or Joint(track, self._sources(point, track.condition.plan))
                    self.all.append(joint)
                    if id(track) not in kept:
                        new.append(joint)
        for joint in self.all:
            for source, point in enumerate(joint.sources):
                self.fed.setdefault(point, []).append((joint, source))
        self.feeding = np.zeros(len(self.table.owner), np.bool_)
        self.feeding[list(self.fed)] = True
        return new

    def _sources(self, point: int, plan: Plan) -> list[int]:
        asset = self.table.names[point].partition("/")[0]
        numbers = [point]
        for name in plan.inputs:
            number = self.table.add(name if "/" in name else f"{asset}/{name}")
            self.table.keep_for(number)
            numbers.append(number)
        return numbers

    def take(self, rows: Columns) -> None:
        """Readings that were just applied, sorted by point and time."""
        if not self.all:
            return
        feeding = self.feeding[rows.point]
        if not feeding.any():
            return
        rows = rows.take(feeding)
        for point in dict.fromkeys(rows.point.tolist()):
            mine = rows.take(rows.point == point)
            for joint, source in self.fed[point]:
                joint.take(source, mine)

    def take_late(self, point: int, oldest: int) -> None:
        """Late readings of the point were entered into its recent ones, none older than `oldest`."""
        for joint, source in self.fed.get(point, ()):
            if oldest < joint.frontier:
                joint.doubt = min(joint.doubt, oldest)
            recent = self.table.recent.read(point)
            rows = recent.take(recent.time >= max(oldest, joint.frontier))
            if len(rows.time):
                joint.take(source, rows)
                joint.waiting = in_time(joint.waiting)

    def target(self, joint: Joint) -> int:
        """How far the rule may be judged now."""
        reached = [self.frontier_of(point) for point in joint.sources]
        target = max(min(reached), max(reached) - joint.stall)
        excess = len(joint.waiting.time) - MOST_WAITING
        if excess > 0:
            target = max(target, int(np.partition(joint.waiting.time, excess)[excess]))
        return target

    def begin(self, joint: Joint, past: Past) -> tuple[int, list[Change]]:
        """Give a new rule the state that the recent readings give it; how far that is, and what it says of it."""
        joint.frontier = self.target(joint)
        if joint.frontier == -NEVER:
            return joint.frontier, []
        for source, point in enumerate(joint.sources):
            recent = self.table.recent.read(point)
            joint.take(source, recent.take(recent.time >= joint.frontier))
        plan = joint.track.condition.plan
        known = self.stretch(joint, past, joint.frontier - plan.memory, joint.frontier)
        if known is None:
            return joint.frontier, []
        joint.track.condition, changes = judged(condition_of(plan), known, joint.frontier, -1)
        return joint.frontier, changes

    def judge(self, past: Past, say: Say, counters: Counters) -> list[tuple[Track, Change]]:
        """Judge all as far as their inputs are known, and again where late data came; what that adds to the past."""
        added: list[tuple[Track, Change]] = []
        for joint in self.all:
            if joint.doubt != NEVER:
                changes = self.again(joint, past)
                if changes is None:
                    counters.unjudged += 1
                added += [(joint.track, change) for change in changes or ()]

            def tell(_: Condition, change: Change, track: Track = joint.track) -> None:
                say(track, change)

            self.pass_on(joint, tell)
        return added

    def pass_on(self, joint: Joint, emit: Emit) -> None:
        """Judge what the joint frontier has passed."""
        target = self.target(joint)
        if target > joint.frontier:
            condition = joint.track.condition
            run_together(condition, joint.release(target), emit)
            fire_before(condition, target, emit)
            joint.frontier = target

    def again(self, joint: Joint, past: Past) -> list[Change] | None:
        """Judge again from the doubtful time on; what the log lacks, or None when nobody knows what was before."""
        live, track = joint.track.condition, joint.track
        doubt, joint.doubt = joint.doubt, NEVER
        oldest = max(doubt, joint.frontier - OLDEST_JUDGED)
        start = min(oldest - live.plan.lookback, live.pending_since())
        known = self.stretch(joint, past, start, joint.frontier)
        if known is None:
            return None
        begin = int(known.time[0]) if len(known.time) else start
        level = track.log.level_at(begin)
        fresh, changes = judged(renewed(live, begin), known, joint.frontier, level)
        found = stretches(changes, level >= 0)
        added = past_excursions(found, track.log, live.level >= 0)
        if fresh.level < live.level:
            return added
        present = present_change(found, track.log, live.level, fresh)
        if present is not None:
            track.log.take(present)
            added.append(present)
        track.condition = fresh
        return added

    def stretch(self, joint: Joint, past: Past, start: int, end: int) -> Columns | None:
        """Readings of all inputs from `start`, each with the one before, to before `end`; None when not known."""
        rows = no_columns()
        for source, point in enumerate(joint.sources):
            recent = self.table.recent.read(point)
            since = -NEVER if self.table.recent.complete(point) else self.table.recent.oldest(point)
            known = past.stretch(Kept(point, recent, since), self.table.names[point], start, start)
            if known is None or not known[1]:
                return None
            mine = known[0].take(known[0].time < end)
            rows = join(rows, mine._replace(point=np.full(len(mine.time), source, np.int64)))
        return in_time(rows)


def judged(fresh: Condition, rows: Columns, frontier: int, level: int) -> tuple[Condition, list[Change]]:
    """The condition (at its beginning) at the frontier and its changes from those readings of all inputs."""
    fresh.seed(level)
    changes: list[Change] = []

    def keep(_: Condition, change: Change) -> None:
        changes.append(change)

    run_together(fresh, rows, keep)
    fire_before(fresh, frontier, keep)
    return fresh, changes
