"""What must be said of late readings, the plain way: everything is kept, every stretch is judged reading by reading.

It follows docs/engine.md ("Time and order", "Late readings") and shares only the meaning of one reading and one
deadline (`rules.condition`), of a definition (`rules.plan`) and of two values at one time (`free_place`) with the
engine: no rings, no history, no columns, no queues, no fast path. One agent, one rule at one point.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.alarms import Alarm, AlarmEvent, AlarmKey, EventKind, Reason, Transition
from domain.lifecycle import apply
from domain.times import DAY
from rules.condition import Change, Condition
from rules.frontier import free_place
from rules.plan import ENTERED, NEVER, UNKNOWN, Plan

BAD = 2
MOST_REMEMBERED = 64  # excursions of an alarm

Row = tuple[int, float, int]  # event time, value, quality as its code


@dataclass
class Said:
    """An excursion that was said: true since, raised, ended (NEVER: not yet), highest level."""

    since: int
    at: int
    end: int
    level: int


@dataclass
class Oracle:
    """One rule at one point of an agent with promises."""

    plan: Plan
    frontier: int = -NEVER
    known: dict[int, tuple[float, int]] = field(default_factory=dict)  # everything that came, by its time
    waiting: list[int] = field(default_factory=list)
    doubtful: int = NEVER
    said: list[Said] = field(default_factory=list)
    last: int = -NEVER
    floor: int = -NEVER  # end of the newest excursion that is remembered no more

    def __post_init__(self) -> None:
        self.live = Condition(self.plan)

    def pack(self, rows: Iterable[Row], upto: int) -> list[Change]:
        """Readings in order of arrival, and the promise behind them; what is said at once."""
        before, late = self.frontier, []
        for time, value, quality in rows:
            if time < before:
                late.append((time, value, quality))
            elif place := free_place(self.known, time, value, quality):
                self.waiting.append(place[0])
        self.frontier = max(before, upto)
        changes = self._release()
        for time, value, quality in late:
            place = free_place(self.known, time, value, quality)
            if place and place[0] <= self.frontier:
                self.doubtful = min(self.doubtful, place[0])
            elif place:
                self.waiting.append(place[0])
        return changes

    def _release(self) -> list[Change]:
        ready = sorted(time for time in self.waiting if time <= self.frontier)
        self.waiting = [time for time in self.waiting if time > self.frontier]
        changes = judged(self.live, ready, self.known, self.frontier)
        for change in changes:
            self._note(change)
        return changes

    def review(self) -> list[Change]:
        """Judge the past again, if something came late; what is said then."""
        if self.doubtful == NEVER:
            return []
        start = min(self.doubtful - self.plan.lookback, self.live.pending_since())
        self.doubtful = NEVER
        times = sorted(time for time in self.known if time <= self.frontier)
        in_force = [time for time in times if start - DAY <= time < start][-1:]
        times = in_force + [time for time in times if time >= start]
        begin, moment = times[0], max([self.last, self.floor, *(one.end for one in self.said if one.end < NEVER)])
        level = max((one.level for one in self.said if one.at <= begin < one.end), default=-1)
        level = self.live.level if begin >= moment else level
        again = Condition(self.plan)
        again.seed(level)
        truth = judged(again, times, self.known, self.frontier)
        added = self._past(truth, level, moment)
        present = self._present(again, truth, level, moment, times)
        for change in present:
            self._note(change)
        return added + present

    def _past(self, truth: list[Change], level: int, moment: int) -> list[Change]:
        """Whole excursions before the last word that nothing which was said overlaps."""
        added: list[Change] = []
        active = self.live.level >= 0
        first: Change | None = None
        peak: Change | None = None
        for change in truth:
            if change.kind is EventKind.RAISE:
                first = peak = change
            elif change.kind is EventKind.STEP_UP and peak is not None and change.level > peak.level:
                peak = change
            elif change.kind is EventKind.CLEAR:
                if first and peak and change.at <= moment and not self._overlaps(first.since, change.at):
                    kinds = (EventKind.PAST_RAISE, EventKind.PAST_CLEAR) if active else (first.kind, change.kind)
                    added.append(first._replace(kind=kinds[0], level=peak.level, value=peak.value))
                    added.append(change._replace(kind=kinds[1], level=peak.level))
                    self._remember(Said(first.since, first.at, change.at, peak.level))
                first = peak = None
        return added

    def _overlaps(self, since: int, end: int) -> bool:
        return since < self.floor or any(since < one.end and one.since < end for one in self.said)

    def _remember(self, said: Said) -> None:
        self.said = sorted([*self.said, said], key=lambda one: (one.end, one.at))
        if len(self.said) > MOST_REMEMBERED:
            self.floor = max(self.floor, self.said.pop(0).end)

    def _present(
        self, again: Condition, truth: list[Change], level: int, moment: int, times: list[int]
    ) -> list[Change]:
        """What happens after the last word."""
        for change in truth:
            if change.at <= moment:
                level = -1 if change.kind is EventKind.CLEAR else change.level
        after = [change for change in truth if change.at > moment]
        was = self.live.level
        if level < was:
            self.live = Condition(self.plan)
            self.live.seed(was)
            in_force = [time for time in times if time <= moment][-1:]
            gap = self.plan.max_gap
            if in_force and (gap is None or in_force[0] + gap >= moment):
                value, quality = self.known[in_force[0]]
                if quality != BAD and value == value:
                    self.live.read(moment, self.plan.code(value), value, in_force[0])
            return judged(self.live, [time for time in times if time > moment], self.known, self.frontier)
        self.live = again
        if level == was:
            return after
        reason = Reason.STEPPED_UP if was >= 0 else ENTERED[self.plan.levels[level].kind]
        kind = EventKind.STEP_UP if was >= 0 else EventKind.RAISE
        return [Change(kind, reason, moment, moment, level, float("nan")), *after]

    def _note(self, change: Change) -> None:
        self.last = change.at
        if change.kind is EventKind.RAISE:
            self._remember(Said(change.since, change.at, NEVER, change.level))
            return
        for one in self.said:
            if one.end == NEVER and change.kind is EventKind.CLEAR:
                one.end = change.at
            elif one.end == NEVER and change.kind is EventKind.STEP_UP:
                one.level = change.level


def judged(condition: Condition, times: list[int], known: dict[int, tuple[float, int]], frontier: int) -> list[Change]:
    """Those readings through the condition one by one, and every deadline before the frontier."""
    changes: list[Change] = []

    def fire_before(moment: int) -> None:
        while condition.due < moment:
            change = condition.fire()
            if change is not None:
                changes.append(change)

    for time in times:
        value, quality = known[time]
        fire_before(time)
        condition.read(time, UNKNOWN if quality == BAD or value != value else condition.plan.code(value), value, time)
        fire_before(time + 1)
    fire_before(frontier)
    return changes


def lived(site: str, key: AlarmKey, plan: Plan, changes: Iterable[Change]) -> list[Transition]:
    """The changes through the alarm's lifecycle, with nobody answering."""
    alarm, found = Alarm(site, key), []
    for change in changes:
        event = AlarmEvent(
            change.kind, key, change.reason, change.at, change.at, priority=plan.levels[change.level].priority,
            level=change.level, latching=plan.latching, answer_required=True,
        )  # fmt: skip
        alarm, transition = apply(alarm, event)
        found.append(transition)
    return found
