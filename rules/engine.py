"""The rule engine of one site: readings and promises in, alarm events out; pure, in event time, deterministic.

It decides when a condition begins, steps and ends, for the alarm log (docs/engine.md says it exactly). It holds
condition state only: what people owe is `domain.lifecycle`'s. It does no I/O except to ask the given `History` about
late data, and reads no clock: time comes with every call. `prefilter=False` judges reading by reading, to hold the
fast path to the plain meaning in tests.
"""

from heapq import heappop, heappush
from itertools import chain

import numpy as np

from domain.alarms import AlarmEvent, EventKind
from domain.batch import Int64s, ReadingBatch
from domain.catalogue import Catalogue
from domain.ports import History
from domain.records import Review, Revision
from rules.assign import OpenPlan, joined_points, open_plans, open_plans_of, plans_by_point
from rules.closing import closing_reason, forget
from rules.composite import condition_of
from rules.condition import Change, Condition
from rules.doubts import Doubts
from rules.events import event_of
from rules.frontier import MOST_WAITING, WAIT, Agent, by_point_and_time, settle_clashes
from rules.joint import Joints
from rules.joint_late import review_joints
from rules.kernel import Told, fire_before, run
from rules.late import judge_again, stretches
from rules.loading import load_revision
from rules.model import RuleSet
from rules.names import Names
from rules.plan import NEVER, Plan
from rules.points import PointTable, Track
from rules.recent import Columns, join, segments
from rules.revisit import OLDEST_JUDGED, Counters, Kept, Past
from rules.silence import Silence
from rules.snapshot import decode_into, encode
from rules.spans import parts
from rules.together import Together, judged, together


class Engine:
    """Meets `domain.ports.Judge`. `counters` says what it did out of the ordinary."""

    def __init__(self, site: str, history: History | None = None, *, prefilter: bool = True) -> None:
        self.site = site
        self.prefilter = prefilter
        self.counters = Counters()
        self.past = Past(site, history)
        self.table = PointTable(prefilter)
        self.doubts = Doubts()
        self.silence = Silence()
        self.agents: dict[str, Agent] = {}
        self.agents_by_number: list[Agent] = []
        self.joints = Joints(self.table, self.agents_by_number, self.kept, self.say, prefilter)
        self.open: list[OpenPlan] = []
        self.has_catalogue = False
        self.commissioned_at: int | None = None
        self.names = Names(self._find)
        self._said: list[tuple[int, int, int, Track, Change]] = []
        self._track: Track | None = None

    def feed(self, batch: ReadingBatch) -> list[AlarmEvent]:
        """Take accepted readings, and move the frontier of each span's agent to its `upto`."""
        received = batch.received
        events = self._silent(self.silence.advance(received, self.silence.connected), received)
        for name in batch.points if self.open else ():
            self.names.look_up(name, received)  # one may make another an input of its rule
        judges, watched = self.names.of(batch.points, received, len(self.table.names))
        if self.silence.points and len(batch):
            events += self._silent(self.silence.arrive(received, watched[batch.point], batch.time), received)
        number = judges[batch.point] if len(batch.points) else np.zeros(0, np.int64)
        rows = Columns(number, batch.time, batch.value, batch.quality)
        cut = parts(batch, lambda name: self._agent(name).frontier)
        pieces = [(self._agent(name), part, upto) for name, part, upto in cut]
        joint = together(pieces, rows, self.table, received)
        events += self._move_together(joint, received)
        for agent, part, upto in joint.others:
            events += self._span(agent, judged(rows.take(part)), upto, received)
        return events + self._joined(received)

    def advance(self, agent: str, until: int) -> list[AlarmEvent]:
        """Nothing of `agent` earlier than `until` (UTC ms) follows; counts as a promise of it."""
        mover = self._agent(agent)
        mover.promised = True
        detected = max(until, self.silence.now or until)
        return self._move(mover, max(mover.frontier, until), detected) + self._joined(detected)

    def clock(self, now: int, connected: bool) -> list[AlarmEvent]:
        """Ingest's time is `now`, its broker connection stands or not: judges no-data and foreign devices.

        Agents without promises are waited for 60 s, and not given up while nothing can be heard.
        """
        events = self._silent(self.silence.advance(now, connected), now)
        for agent in self.agents_by_number if connected else ():
            if not agent.promised and agent.frontier > -NEVER and now - WAIT > agent.frontier:
                events += self._move(agent, now - WAIT, now)
        return events + self._joined(now)

    def review(self, now: int, again: Review | None = None) -> tuple[Review, list[AlarmEvent]]:
        """Judge again where late readings came, and say where that was; in a replay exactly what was judged then.

        What needs a history that does not answer stays in doubt; it is tried again later.
        """
        self._settle(*self.doubts.oldest)
        names, numbers = self.table.names, self.table.numbers
        points = None if again is None else [numbers[one] for one in again.points if one in numbers]
        found = self.doubts.review(self.table, self.past, self.complete, now, self.counters, self.prefilter, points)
        for point, _ in found:
            self.table.refresh(point)
            self._queue(point)
        several = review_joints(self.joints, self.doubts, self.past, now, self.counters, again)
        said = chain.from_iterable(changes for _, changes in (*found, *several))
        events = [self._event(track.condition.plan, names[track.point], change, now) for track, change in said]
        return Review(now, tuple(names[point] for point, _ in found), tuple(key for key, _ in several)), events

    def configure(self, catalogue: Catalogue, rules: Revision | None, now: int) -> list[AlarmEvent]:
        """Catalogue and rules as of now; conditions that no longer apply close. InputError for a bad rules document."""
        return self.set_rules(catalogue, RuleSet() if rules is None else load_revision(rules), now)

    def set_rules(self, catalogue: Catalogue | None, rules: RuleSet, now: int) -> list[AlarmEvent]:
        """As `configure`, with rules at hand. Without a catalogue, rules name points or metrics, and answers are
        required of everything. ValueError for a rule that cannot be judged; then nothing was changed."""
        if catalogue is None:
            opened = open_plans(rules)
            known = dict.fromkeys([*self.table.names, *self.silence.points, *joined_points(opened)])
            wanted = {name: open_plans_of(opened, name) for name in known}
        else:
            opened, wanted = [], plans_by_point(catalogue, rules)
        self._catch_up()
        events = self._silent(self.silence.advance(now, self.silence.connected), now)
        self.has_catalogue = catalogue is not None
        self.commissioned_at = None if catalogue is None else catalogue.commissioned_at
        points = {} if catalogue is None else catalogue.by_name
        self.open = opened
        self.names.forget()
        events += self._close(wanted, set(rules.rules), None if catalogue is None else set(points), now)
        self.silence.watch(wanted, now)
        for name, plans in wanted.items():
            events += self._install(name, plans, points[name].interval if name in points else None, now)
        return events + self._begin_joints(now)

    def snapshot(self) -> bytes:
        """The whole state, for `restore`; one version of the format."""
        self._catch_up()
        return encode(self)

    def restore(self, blob: bytes) -> None:
        """Continue from a snapshot; ValueError when it is of another format (then replay the journal instead)."""
        decode_into(self, blob)
        self.names.forget()

    def requeue(self) -> None:
        """Fill the queues of deadlines from the conditions, after a restore."""
        for point in range(len(self.table.names)):
            self._queue(point, again=True)

    def _find(self, name: str, now: int) -> tuple[int, int]:
        """The judged point of that name and the watched one, or -1; a point that no catalogue describes is taken up
        when first seen."""
        if self.open and name not in self.table.numbers and name not in self.silence.points:
            plans = open_plans_of(self.open, name)
            self.silence.watch({name: plans}, now)
            self._install(name, plans, None, now)
            self._begin_joints(now)
        number = self.table.numbers.get(name, -1)
        if number >= 0 and not self.table.tracks[number] and number not in self.joints.fed:
            number = -1
        return number, self.silence.points.get(name, -1)

    def complete(self, point: int) -> int:
        """How far (UTC ms) the story of the point is complete; -NEVER before its first reading."""
        owner = int(self.table.owner[point])
        return -NEVER if owner < 0 else max(self.agents_by_number[owner].frontier, int(self.table.floor[point]))

    def _agent(self, name: str) -> Agent:
        agent = self.agents.get(name)
        if agent is None:
            agent = self.agents[name] = Agent(len(self.agents_by_number))
            self.agents_by_number.append(agent)
        return agent

    def _span(self, agent: Agent, rows: Columns, upto: int, received: int) -> list[AlarmEvent]:
        late: Columns | None = None
        if len(rows.time):
            self._attribute(agent, rows.point)
            old = rows.time < np.maximum(agent.frontier, self.table.floor[rows.point])
            if old.any():
                late, rows = rows.take(old), rows.take(~old)
            agent.waiting = join(agent.waiting, rows)
            agent.waiting, dropped = settle_clashes(agent.waiting, self.table.last_time, self.table.recent)
            self.counters.duplicates += dropped
        events = self._move(agent, agent.target(upto, received), received)
        if late is not None:
            self._take_late(agent, late, received)
        excess = len(agent.waiting.time) - MOST_WAITING
        if excess > 0:
            self.counters.forced += excess
            oldest = int(np.partition(agent.waiting.time, excess - 1)[excess - 1])
            events += self._move(agent, oldest, received)
        return events

    def _attribute(self, agent: Agent, points: Int64s) -> None:
        """The points are this agent's from now on; what a former one promised about them stands."""
        for point in self.table.give(points, agent, self.agents_by_number):
            self._queue(point, again=True)

    def _move(self, agent: Agent, target: int, detected: int) -> list[AlarmEvent]:
        """Apply what the frontier reaches, then let pass what is due before it."""
        agent.frontier = target
        self.joints.moved.add(agent.number)
        if len(agent.waiting.time):
            rows = agent.release(target)
            if len(rows.time):
                self._apply(by_point_and_time(rows))
        self._let_pass(agent, target)
        return self._delivered(detected)

    def _move_together(self, joint: Together, detected: int) -> list[AlarmEvent]:
        """As `_move` for agents that have nothing to do with each other."""
        for agent, target in joint.movers:
            agent.frontier = target
            self.joints.moved.add(agent.number)
        if len(joint.rows.time):
            self._apply(joint.rows)
        for agent, target in joint.movers:
            self._let_pass(agent, target)
        return self._delivered(detected)

    def _let_pass(self, agent: Agent, target: int) -> None:
        """Let pass what is due before the agent's new frontier."""
        while agent.deadlines and agent.deadlines[0][0] < target:
            due, point, place = heappop(agent.deadlines)
            tracks = self.table.tracks[point]
            if self.table.owner[point] != agent.number or place >= len(tracks):
                continue
            track = tracks[place]
            if track.wake == due:
                self._settle(point)
                self._track, track.looked = track, target
                fire_before(track.condition, target, self._emit)
                self.table.refresh(point)
                self._queue(point)

    def _apply(self, rows: Columns) -> None:
        """Judge readings sorted by point and time, all newer than what was applied before."""
        first, length = segments(rows.point)
        loud, startled = self.table.loud(rows, first, length) if self.prefilter else (np.arange(len(first)), [])
        for point in startled:
            self._queue(point)
        points = rows.point[first[loud]].tolist()
        missed = {point: self.table.catch_up(point) for point in points if self.table.unseen[point]}
        self.joints.hear(rows, first, length)
        self.table.note(rows, first, length)
        stop = first + length
        for point, start, end in zip(points, first[loud].tolist(), stop[loud].tolist(), strict=True):
            heard = rows.take(slice(start, end))
            self._judge(point, join(missed[point], heard) if point in missed else heard)
            self.table.refresh(point)
            self._queue(point)

    def _judge(self, point: int, rows: Columns, until: int = -NEVER) -> None:
        told = Told(rows.time, rows.value, rows.quality)
        for track in self.table.alone(point):
            self._track = track
            run(track.condition, told, self._emit, self.prefilter)
            fire_before(track.condition, until, self._emit)

    def _settle(self, *points: int, live: bool = False) -> None:
        """Let the points' conditions catch up with the readings that changed nothing (decision 137), or live on too."""
        for point in points:
            if live or self.table.unseen[point]:
                self._judge(point, self.table.catch_up(point), self.complete(point) if live else -NEVER)
                self.table.refresh(point)
                self._queue(point)

    def _catch_up(self) -> None:
        """Let all conditions hear and live through everything: when they were looked at does not matter any more."""
        self._settle(*self.table.behind(), live=True)
        self.joints.catch_up(range(len(self.joints.all)))

    def _queue(self, point: int, again: bool = False) -> None:
        """Put the point's deadlines into its agent's queue."""
        owner = int(self.table.owner[point])
        if owner < 0:
            return
        for track in self.table.alone(point):
            due = track.wake
            if due != NEVER and (again or due != track.queued):
                heappush(self.agents_by_number[owner].deadlines, (due, point, track.place))
            track.queued = due

    def _take_late(self, agent: Agent, rows: Columns, received: int) -> None:
        """Put the readings where they belong; their points are in doubt until the next review."""
        too_old = rows.time < agent.frontier - OLDEST_JUDGED
        self.counters.unjudged += int(too_old.sum())
        rows = rows.take(~too_old)
        for point in dict.fromkeys(rows.point.tolist()):
            mine = rows.take(rows.point == point)
            self._settle(point)
            self.joints.catch_up_at(point)
            ahead, placed = self.doubts.enter(self.table, mine, self.complete(point), received, self.counters)
            agent.waiting = join(agent.waiting, ahead)
            if len(placed.time):
                self.joints.hear(placed, *segments(placed.point))
            self.table.refresh(point)

    def _close(
        self, wanted: dict[str, list[Plan]], rules: set[str], points: set[str] | None, now: int
    ) -> list[AlarmEvent]:
        """End what is active under a definition that no longer stands."""
        gone = list(forget(self.table, self.silence, wanted))
        reasons = [closing_reason(plan.rule in rules, points is None or name in points) for plan, name, _ in gone]
        closed = [
            Change(EventKind.CLOSE, why, now, now, one[2], np.nan) for one, why in zip(gone, reasons, strict=True)
        ]
        return [self._event(*one[:2], change, now) for one, change in zip(gone, closed, strict=True)]

    def _install(self, name: str, plans: list[Plan], interval: int | None, now: int) -> list[AlarmEvent]:
        """Judge the point by these plans; a new one begins with the state that the recent readings give it."""
        valued = [plan for plan in plans if not plan.silence]
        if not valued:
            if name in self.table.numbers:
                self.table.set_plans(self.table.numbers[name], [], None)
            return []
        point = self.table.add(name)
        before = set(map(id, self.table.tracks[point]))
        self.table.set_plans(point, valued, interval)
        fresh = [one for one in self.table.tracks[point] if id(one) not in before and not one.condition.plan.inputs]
        events = [event for track in fresh for event in self._seed(track, name, now)]
        self.table.refresh(point)
        self._queue(point, again=True)
        return events

    def _seed(self, track: Track, name: str, now: int) -> list[AlarmEvent]:
        owner = int(self.table.owner[track.point])
        if owner < 0:
            return []
        plan = track.condition.plan
        frontier = self.complete(track.point)
        known = self.past.stretch(self.kept(track.point), name, frontier - plan.memory, NEVER)
        if known is None or not known[1]:
            return []
        track.condition, changes = judge_again(condition_of(plan), -NEVER, known[0], frontier, -1, self.prefilter)
        return self._begun(track, frontier, changes, now)

    def _begun(self, track: Track, frontier: int, changes: list[Change], now: int) -> list[AlarmEvent]:
        """What a new definition says when it is active from the start."""
        fresh = track.condition
        if fresh.level < 0 or not changes:
            return []
        first = stretches(changes, seeded=False)[-1].first
        assert first is not None
        # The new definition holds from the moment to which the readings are known, not from before it was made.
        change = first._replace(at=frontier, level=fresh.level, value=fresh.value)
        track.log.take(change)
        return [self._event(fresh.plan, self.table.names[track.point], change, now)]

    def _begin_joints(self, now: int) -> list[AlarmEvent]:
        """Begin rules with several inputs that are new, as `_seed` does others."""
        new = self.joints.install()
        if new:
            self.names.forget()
        begun = [(one.track, *self.joints.begin(one, self.past)) for one in new]
        return [event for track, frontier, changes in begun for event in self._begun(track, frontier, changes, now)]

    def _joined(self, detected: int) -> list[AlarmEvent]:
        """Judge rules with several inputs as far as all of these are known."""
        self.joints.judge()
        return self._delivered(detected)

    def kept(self, point: int) -> Kept:
        """Everything of the point that is in memory."""
        return self.doubts.kept(self.table, point)

    def _emit(self, condition: Condition, change: Change) -> None:
        assert self._track is not None
        self.say(self._track, change)

    def say(self, track: Track, change: Change) -> None:
        """A condition of the track says that; it is told at the end of the step."""
        track.log.take(change)
        self._said.append((change.at, track.point, track.place, track, change))

    def _delivered(self, detected: int) -> list[AlarmEvent]:
        if not self._said:
            return []
        said, self._said = self._said, []
        said.sort(key=lambda one: one[:3])
        told = ((track.condition.plan, self.table.names[point], change) for _, point, _, track, change in said)
        return [self._event(*one, detected) for one in told]

    def _silent(self, changes: list[tuple[int, Change]], detected: int) -> list[AlarmEvent]:
        plans, names = self.silence.plans, self.silence.slot_points
        return [self._event(plans[slot], names[slot], change, detected) for slot, change in changes]

    def _event(self, plan: Plan, point: str, change: Change, detected: int) -> AlarmEvent:
        answer = not self.has_catalogue or (self.commissioned_at is not None and change.at >= self.commissioned_at)
        return event_of(plan, point, change, detected, answer)
