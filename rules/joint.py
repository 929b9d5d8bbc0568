"""Rules that need several points: they are judged as far as the stories of all of their inputs are complete.

The joint frontier is the least frontier of the inputs' agents, of those that are worth waiting for: an agent that has
fallen silent must not silence the rules that look at it among others. Who is further behind the foremost than
`STALL_GAPS` gaps of event time (or `STALL` without a gap rule), and who was never heard, is not waited for: that point
is unknown there, as its gap rule says. What it brings later is late data: the stretch is in doubt and is judged again
(`rules.joint_late`).

Readings of the inputs wait here until the joint frontier passes them. Readings of one moment are judged together.
"""

from collections.abc import Callable, Iterable

import numpy as np

from domain.times import MINUTE
from rules.composite import condition_of
from rules.condition import Change, Condition
from rules.frontier import MOST_WAITING
from rules.kernel import fire_before
from rules.late import judge_again
from rules.plan import NEVER, Plan
from rules.playing import in_time, run_together
from rules.points import PointTable, Track
from rules.recent import Columns, join, no_columns
from rules.revisit import Kept, Past

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
        """Readings of an input, as they are applied there, or late there."""
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


class Joints:
    """All rules with several inputs of a site."""

    def __init__(
        self, table: PointTable, frontier_of: Callable[[int], int], kept_of: Callable[[int], Kept], merge: bool = True
    ) -> None:
        self.table = table
        self.merge = merge  # False: judge reading by reading
        self.frontier_of = frontier_of  # how far the story of a point is complete, or -NEVER
        self.kept_of = kept_of  # what memory has of a point
        self.doubtful: set[Joint] = set()
        self.moved: set[int] = set()  # agents, by number, whose frontier moved since rules were judged
        self.all: list[Joint] = []
        self.fed: dict[int, list[tuple[Joint, int]]] = {}  # by point: which rules it is an input of, and as which
        self.feeding = np.zeros(0, np.bool_)
        self._inputs = self._owners = np.zeros(0, np.int64)  # the points of `fed`, and whose they are
        self._of_agent: dict[int, dict[Joint, None]] = {}

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
        self.doubtful &= set(self.all)
        self.feeding = np.zeros(len(self.table.owner), np.bool_)
        self.feeding[list(self.fed)] = True
        self._inputs = np.array(list(self.fed), np.int64)
        self._owners = np.full(len(self._inputs), -1, np.int64)
        self._of_agent = {}
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
        """Readings that were just applied, or were late, sorted by point."""
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
                if joint.doubt != NEVER:
                    self.doubtful.add(joint)

    def doubt(self, joint: Joint, oldest: int) -> None:
        """The rule is in doubt from that time on, or (NEVER) no more."""
        joint.doubt = oldest
        if oldest == NEVER:
            self.doubtful.discard(joint)
        else:
            self.doubtful.add(joint)

    def target(self, joint: Joint) -> int:
        """How far the rule may be judged now."""
        reached = [self.frontier_of(point) for point in joint.sources]
        waited_for = max(reached) - joint.stall
        target = min(one for one in reached if one >= waited_for)
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
        start = joint.frontier - plan.memory
        found = self.stretch(joint, past, start)
        if found is None or found[1] is not None:
            return joint.frontier, []
        fresh, changes = judge_again(condition_of(plan), start, found[0], joint.frontier, -1, self.merge)
        joint.track.condition = fresh
        return joint.frontier, changes

    def judge(self, say: Say) -> None:
        """Judge those whose inputs' stories have grown, as far as all of them are known."""
        for joint in self._concerned():

            def tell(_: Condition, change: Change, track: Track = joint.track) -> None:
                say(track, change)

            target = self.target(joint)
            if target > joint.frontier:
                condition = joint.track.condition
                run_together(condition, joint.release(target), tell)
                fire_before(condition, target, tell)
                joint.frontier = target

    def _concerned(self) -> Iterable[Joint]:
        """The rules with an input whose agent moved, or whose agent is another one now. Others cannot go on: a site
        may have tens of thousands, and a batch is of a few agents."""
        owners = self.table.owner[self._inputs]
        found: dict[Joint, None] = {}
        for place in np.flatnonzero(owners != self._owners).tolist():
            of_agent = self._of_agent.setdefault(int(owners[place]), {})
            for joint, _ in self.fed[int(self._inputs[place])]:
                of_agent[joint] = found[joint] = None
        self._owners = owners
        for agent in self.moved:
            found.update(self._of_agent.get(agent, {}))
        self.moved.clear()
        return found

    def stretch(self, joint: Joint, past: Past, start: int, ask: bool = True) -> tuple[Columns, int | None] | None:
        """Readings of all inputs from `start`, each with the one before, to before the joint frontier, and up to which
        time (None: all of them): None when they are not known, or `ask` is False and the history must be asked."""
        rows, until = no_columns(), NEVER
        for source, point in enumerate(joint.sources):
            known = past.stretch(self.kept_of(point), self.table.names[point], start, start, ask)
            if known is None:
                return None
            mine = known[0].take(known[0].time < joint.frontier)
            if not known[1] and len(mine.time):
                until = min(until, int(mine.time[-1]))
            rows = join(rows, mine._replace(point=np.full(len(mine.time), source, np.int64)))
        rows = in_time(rows)
        return (rows, None) if until == NEVER else (rows.take(rows.time <= until), until)
