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

    __slots__ = ("ceiling", "floor", "own_due", "reading", "running")

    def __init__(self, plan: Plan, running: Running) -> None:
        super().__init__(plan)
        self.gap = None
        self.running = running
        # Between these no level is met; levels of another kind have no such bounds.
        limits = [(level.kind, level.limit) for level in plan.levels]
        self.floor = max((limit for kind, limit in limits if kind is Kind.BELOW), default=-np.inf)
        self.ceiling = min((limit for kind, limit in limits if kind is not Kind.BELOW), default=np.inf)
        if any(level.kind is Kind.STATE for level in plan.levels):
            self.floor, self.ceiling = np.inf, -np.inf
        self.own_due = NEVER
        self.reading = float("nan")  # the point's own value in force

    @property
    def settled(self) -> bool:
        """Never: every reading may move the signal."""
        return False

    def take(self, time: int, value: float, bad: bool, source: int = 0) -> None:
        """Apply a reading of that input; deadlines due before `time` must have been fired."""
        self._hear(time, value, bad, source)
        self._judge(time)

    @property
    def idle(self) -> bool:
        """Whether no level is active and no delay is running."""
        return self.level < 0 and all(state.phase == Phase.IDLE for state in self.levels)

    def calm(self) -> Calm | None:
        """Which readings change nothing that could be said; None when nothing can be told beforehand."""
        return self.running.calm(self.floor, self.ceiling) if self.idle and self.floor < self.ceiling else None

    def ahead(self, times: Int64s, values: Float64s, bad: Bools) -> int:
        """How many of the first of these readings change nothing that could be said."""
        if not self.idle or not self.floor < self.ceiling:
            return 0
        return self.running.ahead(times, values, bad, self.floor, self.ceiling)

    def pass_over(self, times: Int64s, values: Float64s, bad: Bools) -> None:
        """Take readings (one at least) that `calm` or `ahead` spoke of."""
        self.running.pass_over(times, values, bad)
        good = np.flatnonzero(~bad)
        if len(good):
            self.reading = float(values[good[-1]])
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
