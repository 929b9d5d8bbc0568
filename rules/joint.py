"""Rules that need several points: they are judged as far as the stories of all of their inputs are complete.

The joint frontier is the least frontier of the inputs' agents, of those that are worth waiting for: an agent that has
fallen silent must not silence the rules that look at it among others. Who is further behind the foremost than
`STALL_GAPS` gaps of event time (or `STALL` without a gap rule), and who was never heard, is not waited for: that point
is unknown there, as its gap rule says. What it brings later is late data: the stretch is in doubt and is judged again
(`rules.joint_late`).

Readings of the inputs wait here until the joint frontier passes them. Readings of one moment are judged together.
What a rule says cannot matter for is not told to it at once (`rules.joint_columns`).
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from domain.batch import Int64s
from domain.times import MINUTE
from rules.composite import condition_of
from rules.condition import Change, Condition
from rules.derived import Derived
from rules.frontier import MOST_WAITING, Agent
from rules.joint_columns import JointColumns
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
    """One rule with several inputs at one point. In `waiting` the column `point` is the number of the input.

    Of a quiet rule `frontier` and `waiting` are of the time when it became so.
    """

    __slots__ = ("doubt", "frontier", "number", "sources", "stall", "track", "waiting")

    def __init__(self, track: Track, sources: list[int]) -> None:
        self.track = track
        self.number = -1  # among all rules with several inputs
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
        self,
        table: PointTable,
        agents: Sequence[Agent],
        kept_of: Callable[[int], Kept],
        say: Say,
        merge: bool = True,
    ) -> None:
        self.table = table
        self.merge = merge  # False: judge reading by reading
        self.agents = agents  # by number: how far their stories are complete
        self.kept_of = kept_of  # what memory has of a point
        self.doubtful: set[Joint] = set()
        self.moved: set[int] = set()  # agents, by number, whose frontier moved since rules were judged
        self.all: list[Joint] = []
        self.fed: set[int] = set()  # the points that are inputs
        self.columns = JointColumns(table, [], [])
        self._say = say
        self._inputs = self._owners = np.zeros(0, np.int64)  # the points of `fed`, and whose they are
        self._of_agent: dict[int, dict[int, None]] = {}

    def install(self) -> list[Joint]:
        """Follow the plans that the table holds now; what stays keeps its state. The new ones are returned."""
        self.catch_up(range(len(self.all)))
        kept = {id(one.track): one for one in self.all}
        self.all = []
        new: list[Joint] = []
        for point in range(len(self.table.names)):
            for track in self.table.tracks[point]:
                if track.condition.plan.inputs:
                    joint = kept.get(id(track)) or Joint(track, self._sources(point, track.condition.plan))
                    joint.number = len(self.all)
                    self.all.append(joint)
                    if id(track) not in kept:
                        new.append(joint)
        self.doubtful &= set(self.all)
        self.columns = JointColumns(self.table, [one.sources for one in self.all], [one.stall for one in self.all])
        self._inputs = np.unique(self.columns.point)
        self.fed = set(self._inputs.tolist())
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

    def hear(self, rows: Columns, first: Int64s, length: Int64s) -> None:
        """Readings that are about to be applied, or were late, sorted by point and time: segment i is `length[i]` rows
        of one point from row `first[i]`. What they are to be the newest of is not among the recent ones yet."""
        inputs, of = self.columns.inputs_at(rows.point[first])
        if not len(inputs):
            return
        self.catch_up(self.columns.disturbed(rows, first, length, inputs, of))
        heard = ~self.columns.leave(inputs, length[of])
        inputs, of = inputs[heard], of[heard]
        source = inputs - self.columns.first[self.columns.rule[inputs]]
        told = zip(
            self.columns.rule[inputs].tolist(), source.tolist(), first[of].tolist(), length[of].tolist(), strict=True
        )
        for number, place, start, count in told:
            joint = self.all[number]
            joint.take(place, rows.take(slice(start, start + count)))
            if joint.doubt != NEVER:
                self.doubtful.add(joint)

    def catch_up(self, rules: Iterable[int]) -> None:
        """Let these rules hear what they have not seen, as far as they count as judged."""
        for number in rules:
            if not self.columns.quiet[number]:
                continue
            joint = self.all[number]
            joint.frontier = int(self.columns.frontier[number])
            for source, rows in self.columns.rouse(number):
                joint.waiting = join(joint.waiting, rows._replace(point=np.full(len(rows.time), source, np.int64)))
            self._go_on(joint, joint.frontier)

    def catch_up_at(self, point: int) -> None:
        """Those that look at that point."""
        inputs, _ = self.columns.inputs_at(np.array([point], np.int64))
        self.catch_up(self.columns.rule[inputs].tolist())

    def doubt(self, joint: Joint, oldest: int) -> None:
        """The rule is in doubt from that time on, or (NEVER) no more."""
        joint.doubt = oldest
        if oldest == NEVER:
            self.doubtful.discard(joint)
        else:
            self.doubtful.add(joint)

    def target(self, joint: Joint, reached: int | None = None) -> int:
        """How far the rule may be judged now; `reached`: what the promises say of it, if that is known."""
        if reached is None:
            reached = int(self.columns.targets(np.array([joint.number], np.int64), self.agents)[0])
        excess = len(joint.waiting.time) - MOST_WAITING
        return reached if excess <= 0 else max(reached, int(np.partition(joint.waiting.time, excess)[excess]))

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

    def judge(self) -> None:
        """Judge those whose inputs' stories have grown, as far as all of them are known."""
        rules = self._concerned()
        if not len(rules):
            return
        woken, others = self.columns.move(rules, self.columns.targets(rules, self.agents))
        self.catch_up(woken)
        for number in woken:
            self._leave_alone(self.all[number])
        for number, reached in others:
            joint = self.all[number]
            target = self.target(joint, reached)
            if target > joint.frontier:
                self._go_on(joint, target)
                self._leave_alone(joint)

    def _go_on(self, joint: Joint, target: int) -> None:
        def tell(_: Condition, change: Change) -> None:
            self._say(joint.track, change)

        condition = joint.track.condition
        run_together(condition, joint.release(target), tell, self.merge)
        fire_before(condition, target, tell)
        joint.frontier = target

    def _leave_alone(self, joint: Joint) -> None:
        """If the rule says which readings leave it as it is, it hears the others only."""
        condition = joint.track.condition
        if self.merge and joint.doubt == NEVER and isinstance(condition, Derived):
            calms = condition.calm_together()
            if calms is not None:
                self.columns.settle(joint.number, calms, joint.frontier, joint.waiting)

    def _concerned(self) -> Int64s:
        """The rules with an input whose agent moved, or whose agent is another one now. Others cannot go on: a site
        may have tens of thousands, and a batch is of a few agents."""
        owners = self.table.owner[self._inputs]
        found: dict[int, None] = {}
        changed = np.flatnonzero(owners != self._owners)
        if len(changed):
            inputs, of = self.columns.inputs_at(self._inputs[changed])
            rules = self.columns.rule[inputs].tolist()
            for owner, rule in zip(owners[changed][of].tolist(), rules, strict=True):
                self._of_agent.setdefault(owner, {})[rule] = found[rule] = None
        self._owners = owners
        for agent in self.moved:
            found.update(self._of_agent.get(agent, {}))
        self.moved.clear()
        return np.array(list(found), np.int64)

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
