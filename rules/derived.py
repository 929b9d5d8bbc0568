"""A condition on a derived series: a signal in front of an ordinary condition, in step in event time.

What the signal says from a moment on is a reading of the condition; what it says of itself, because time passed, comes
before a deadline of the condition due at the same moment, as a reading would. The gap rule is the signal's: to the
condition the derived series is known until the signal says that it is not.

An idle condition (no level active, no delay running) cannot tell unknown from in order: what the signal says of itself
between all its limits changes nothing, and is passed over.
"""

from typing import Any

import numpy as np

from domain.batch import Float64s, Int64s
from rules.condition import Change, Condition, LevelState, Phase
from rules.plan import NEVER, UNKNOWN, Bools, Kind, Plan
from rules.signals.base import Calm, Running


class Derived(Condition):
    """One rule with a signal at one point; `due` is the next moment of the signal or of the condition."""

    __slots__ = ("between", "own_due", "reading", "running")

    def __init__(self, plan: Plan, running: Running) -> None:
        super().__init__(plan)
        self.gap = None
        self.running = running
        self.between = _between(plan)
        self.own_due = NEVER
        self.reading = float("nan")  # the point's own value in force

    def take(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        """Apply a reading of that input; deadlines due before `time` must have been fired."""
        self._hear(time, value, bad, source)
        self._judge(time)

    def calm(self) -> Calm | None:
        """Which readings change nothing that could be said; None when nothing can be told beforehand."""
        if not self.idle:
            return self._waiting()
        found = (self.running.calm(*bounds) for bounds in self.between)
        return next((calm.delayed(self._delay()) for calm in found if calm is not None), None)

    def calm_together(self) -> dict[int, Calm] | None:
        """`calm` of several inputs, by their numbers: of those that are not named nothing matters."""
        if not self.idle:
            waiting = self._waiting()
            return None if waiting is None else {0: waiting}
        found = (self.running.calm_together(*bounds) for bounds in self.between)
        delay = self._delay()
        named = next((calms for calms in found if calms is not None), None)
        return None if named is None else {source: calm.delayed(delay) for source, calm in named.items()}

    def _waiting(self) -> Calm | None:
        """Whatever comes, while every level's delay is still running and none is active."""
        return super().calm() if all(state.phase == Phase.PENDING_ON for state in self.levels) else None

    def _delay(self) -> int:
        return min(level.on_delay for level in self.plan.levels)

    def ahead(self, times: Int64s, values: Float64s, bad: Bools) -> int:
        """How many of the first of these readings (there may be none) change nothing that could be said."""
        if not self.idle or not len(times):
            return 0
        return max((self.running.ahead(times, values, bad, *bounds) for bounds in self.between), default=0)

    def pass_over(self, times: Int64s, values: Float64s, bad: Bools) -> None:
        """Take readings (one at least) that `calm` or `ahead` spoke of."""
        self.running.pass_over(times, values, bad)
        good = np.flatnonzero(~bad)
        if len(good):
            self.reading = float(values[good[-1]])
        self._judge(int(times[-1]))

    def ahead_together(self, sources: Int64s, times: Int64s, values: Float64s, bad: Bools) -> int:
        """`ahead` for readings of several inputs, sorted by time."""
        if not self.idle:
            return 0
        ask = self.running.ahead_together
        return max((ask(sources, times, values, bad, *bounds) for bounds in self.between), default=0)

    def pass_over_together(self, sources: Int64s, times: Int64s, values: Float64s, bad: Bools) -> None:
        """Take those (one at least, all of the last moment) that `ahead_together` spoke of."""
        self.running.pass_over_together(sources, times, values, bad)
        own = np.flatnonzero((sources == 0) & ~bad)
        if len(own):
            self.reading = float(values[own[-1]])
        self._judge(int(times[-1]))

    def take_together(self, time: int, rows: list[tuple[int, float, bool]]) -> None:
        """Apply the readings (input, value, bad) of one moment, and judge once."""
        for source, value, bad in rows:
            self._hear(time, value, bad, source)
        self._judge(time)

    def _hear(self, time: int, value: float, bad: bool, source: int) -> None:
        """Let the signal have a reading, without judging yet."""
        self.running.read(time, value, bad, source)
        if not bad and source == 0:
            self.reading = value

    def fire(self) -> Change | None:
        """Let the deadline `due` pass, the signal's first."""
        at = self.running.due
        if at > self.own_due:
            return super().fire()
        self.running.fire()
        self._judge(at)
        return None

    def stand(self, level: int, at: int) -> None:
        """That level is active at that moment, whatever led there; the signal stays as it is."""
        self.levels = [LevelState() for _ in self.levels]
        self.seed(level)
        self._judge(at)

    def pending_since(self) -> int:
        """Whence readings are needed to see again that a delay is running, or NEVER."""
        since = super().pending_since()
        return since if since == NEVER or self.plan.signal is None else since - self.plan.signal.lookback

    def state(self) -> list[Any]:
        """What it holds beside a plain condition."""
        return [self.own_due, self.reading, self.running.state()]

    def resume(self, stored: list[Any]) -> None:
        """Go on from a `state`."""
        self.own_due, self.reading = stored[0], float(stored[1])
        self.running.resume(stored[2])

    def _judge(self, at: int) -> None:
        derived = self.running.value
        code = UNKNOWN if derived != derived else self.plan.code(derived)
        judged = self.plan.judged
        shown = derived if judged is None or judged.of_the_point else self.reading
        self.read(at, code, shown, at)

    def _next_due(self) -> int:
        self.own_due = super()._next_due()
        return min(self.own_due, self.running.due)


def _between(plan: Plan) -> list[tuple[float, float]]:
    """Bounds between which no level is met: of states, below all and above all of them."""
    limits = [(level.kind, level.limit) for level in plan.levels if level.kind is not Kind.STATE]
    floor = max((limit for kind, limit in limits if kind is Kind.BELOW), default=-np.inf)
    ceiling = min((limit for kind, limit in limits if kind is not Kind.BELOW), default=np.inf)
    states = [state for level in plan.levels if level.kind is Kind.STATE for state in level.states]
    found = [(floor, ceiling)]
    if states:
        found = [(floor, min(ceiling, *states)), (max(floor, *states), ceiling)]
    return [(low, high) for low, high in found if low < high]


def calm_of(condition: Condition, truth: bool) -> Calm | None:
    """The readings that leave a limit or state untrue, or true, as it is now; None when it is not."""
    return condition.calm() if truth == (condition.level >= 0) else None
