"""Rules on several points, in columns: which of them readings can change, and how far each of them may be judged.

A site may have tens of thousands of such rules, and one costs as much as a hundred readings of a rule on one point. A
rule that was judged says which readings of its inputs leave it as it is, and until when (`rules.signals.base.Calm`). As
long as that is so it is *quiet*: its readings are counted as `unseen`, and it catches up with them, the newest of the
recent ones of their points, before anything else happens to it. Decides nothing about a rule; `rules.joint` does.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from domain.batch import Int64s
from rules.frontier import MOST_WAITING, Agent
from rules.plan import NEVER, Bools, bad_rows
from rules.points import PointTable
from rules.recent import Columns, spread
from rules.signals.base import Calm

_WHATEVER = Calm()


class JointColumns:
    """Rules by number; each has an *input* row per point that it looks at, its own point first."""

    def __init__(self, table: PointTable, sources: Sequence[Sequence[int]], stall: Sequence[int]) -> None:
        self._table = table
        lengths = np.array([len(points) for points in sources], np.int64)
        self.first = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))  # of each rule's inputs
        self.point = np.array([point for points in sources for point in points], np.int64)
        self.rule = np.repeat(np.arange(len(sources)), lengths)
        self.stall = np.array(stall, np.int64)
        self.quiet = np.zeros(len(sources), np.bool_)
        self.frontier = np.full(len(sources), -NEVER, np.int64)  # of quiet rules: how far they count as judged
        self.ends = np.full(len(sources), NEVER, np.int64)  # of quiet rules: until when they are
        self.grace = np.zeros(len(sources), np.int64)  # for how long (ms) they are whatever comes
        count = len(self.point)
        self.low, self.high = np.full(count, -np.inf), np.full(count, np.inf)
        self.bad = np.ones(count, np.bool_)
        self.unseen = np.zeros(count, np.int64)
        self._by_point = np.argsort(self.point, kind="stable")
        self._begins = np.searchsorted(self.point[self._by_point], np.arange(len(table.names) + 1))

    def inputs_at(self, points: Int64s) -> tuple[Int64s, Int64s]:
        """The input rows that are these points, and of each the place of its point among them."""
        places = np.flatnonzero(points < len(self._begins) - 1)
        points = points[places]
        begin, count = self._begins[points], self._begins[points + 1] - self._begins[points]
        return self._by_point[spread(begin, count)], np.repeat(places, count)

    def disturbed(self, rows: Columns, first: Int64s, length: Int64s, inputs: Int64s, of: Int64s) -> list[int]:
        """The quiet rules that must hear what comes: segment `of` of the rows is of that input.

        What is later than their quiet lasts need not be heard yet: it waits for the frontier, as the end of it does.
        """
        rule, bad = self.rule[inputs], bad_rows(rows.value, rows.quality)
        least = np.minimum.reduceat(np.where(bad, np.inf, rows.value), first)[of]
        most = np.maximum.reduceat(np.where(bad, -np.inf, rows.value), first)[of]
        beyond = (least < self.low[inputs]) | (most > self.high[inputs])
        beyond |= ~self.bad[inputs] & np.logical_or.reduceat(bad, first)[of]
        begins, quiet = rows.time[first][of], self.quiet[rule]
        hard = (beyond & (self.grace[rule] == 0)) | (begins < self.frontier[rule])
        hard |= self.unseen[inputs] + length[of] > self._table.recent.capacity[self.point[inputs]]
        # What may change a rule is heard after its grace; an older reading of another input may come yet. A value that
        # is back in its band undoes nothing: behind a mask a delay may go on all the same.
        bears = quiet & beyond
        np.minimum.at(self.ends, rule[bears], (begins + self.grace[rule] - 1)[bears])
        found: list[int] = np.unique(rule[quiet & hard]).tolist()
        return found

    def leave(self, inputs: Int64s, length: Int64s) -> Bools:
        """Count so many readings of the inputs as unseen where their rule is quiet; which ones that are."""
        quiet = self.quiet[self.rule[inputs]]
        self.unseen[inputs[quiet]] += length[quiet]
        return quiet

    def targets(self, rules: Int64s, agents: Sequence[Agent]) -> Int64s:
        """How far (UTC ms) each of these rules may be judged by what its inputs' agents have promised."""
        count = self.first[rules + 1] - self.first[rules]
        inputs = spread(self.first[rules], count)
        begin = np.cumsum(count) - count
        point = self.point[inputs]
        reached = np.maximum(_frontiers(self._table.owner[point], agents), self._table.floor[point])
        waited_for = np.maximum.reduceat(reached, begin) - self.stall[rules]
        reached[reached < np.repeat(waited_for, count)] = NEVER
        found: Int64s = np.minimum.reduceat(reached, begin)
        return found

    def move(self, rules: Int64s, targets: Int64s) -> tuple[list[int], list[tuple[int, int]]]:
        """These rules may be judged so far: the quiet ones that must catch up for it, and the others with how far."""
        quiet = self.quiet[rules]
        calm = rules[quiet]
        self.frontier[calm] = np.maximum(self.frontier[calm], targets[quiet])
        woken: list[int] = calm[self.frontier[calm] > self.ends[calm]].tolist()
        return woken, list(zip(rules[~quiet].tolist(), targets[~quiet].tolist(), strict=True))

    def settle(self, rule: int, calms: Mapping[int, Calm], frontier: int, waiting: Columns) -> None:
        """The rule, judged up to its frontier, is left as it is by such readings of its inputs, others do not matter:
        quiet from now on, if those that wait already are such ones, and if no more can come to wait than may."""
        inputs = slice(int(self.first[rule]), int(self.first[rule + 1]))
        room = int(self._table.recent.capacity[self.point[inputs]].sum())
        if len(waiting.time) + room > MOST_WAITING or not _all_fine(calms, waiting):
            return
        for source, place in enumerate(range(inputs.start, inputs.stop)):
            calm = calms.get(source, _WHATEVER)
            self.low[place], self.high[place], self.bad[place] = calm.low, calm.high, calm.bad
        self.quiet[rule], self.frontier[rule] = True, frontier
        self.ends[rule] = min((calm.until for calm in calms.values()), default=NEVER)
        self.grace[rule] = min((calm.grace for calm in calms.values()), default=0)

    def rouse(self, rule: int) -> Iterable[tuple[int, Columns]]:
        """It is quiet no more: by input what it has not seen."""
        self.quiet[rule] = False
        for source, place in enumerate(range(int(self.first[rule]), int(self.first[rule + 1]))):
            count, self.unseen[place] = int(self.unseen[place]), 0
            if count:
                yield source, self._table.recent.newest(int(self.point[place]), count)


def _frontiers(owner: Int64s, agents: Sequence[Agent]) -> Int64s:
    """How far the stories of these agents (-1: none) are complete."""
    known, place = np.unique(owner, return_inverse=True)
    found = np.array([agents[one].frontier if one >= 0 else -NEVER for one in known.tolist()], np.int64)
    return found[place]


def _all_fine(calms: Mapping[int, Calm], waiting: Columns) -> bool:
    """Whether the waiting readings (their point is the number of the input) are such ones."""
    if not len(waiting.time):
        return True
    bad = bad_rows(waiting.value, waiting.quality)
    for source, calm in calms.items():
        mine = np.flatnonzero(waiting.point == source)
        mine = mine[np.argsort(waiting.time[mine], kind="stable")]
        if calm.reach(waiting.time[mine], waiting.value[mine], bad[mine]) < len(mine):
            return False
    return True
