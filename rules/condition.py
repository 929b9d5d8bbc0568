"""The meaning of a condition: the state of one rule at one point, moved by one reading or one deadline at a time.

This is the only place where "true for the whole delay", deadband, levels and unknown time are decided; everything that
is fast (`rules.kernel`, the quiet bands) only leaves out steps that would change nothing here. It reads no clock and
knows neither agents nor alarms' lifecycle.

Known time: a good reading is in force from its own time to the next one, for at most `max_gap`; `edge` is the end of
what is known. A deadline is valid when it is not after `edge`. Unknown time adds nothing to any delay.
"""

import math
from enum import IntEnum
from typing import NamedTuple

from domain.alarms import EventKind, Reason
from rules.plan import NEVER, UNKNOWN, Plan
from rules.signals.base import Calm


class Phase(IntEnum):
    """Where one level stands. The last two count as active."""

    IDLE = 0
    PENDING_ON = 1
    ACTIVE = 2
    PENDING_OFF = 3


_IDLE, _PENDING_ON, _ACTIVE, _PENDING_OFF = (int(phase) for phase in Phase)


class Change(NamedTuple):
    """What a condition says: times in UTC ms; `level` is the highest active one (for CLEAR: the one that was)."""

    kind: EventKind
    reason: Reason
    at: int
    since: int
    level: int
    value: float


class LevelState:
    """One level: `since` when true (or clear) began, `accrued` ms known until `mark`."""

    __slots__ = ("accrued", "mark", "phase", "since")

    def __init__(self, phase: int = _IDLE, since: int = 0, accrued: int = 0, mark: int = 0) -> None:
        self.phase = phase
        self.since = since
        self.accrued = accrued
        self.mark = mark

    def begin(self, phase: int, at: int) -> None:
        """Start a delay at that time."""
        self.phase = phase
        self.since = self.mark = at
        self.accrued = 0


def as_stored(state: LevelState) -> tuple[int, int, int, int]:
    """Phase, since, accrued and mark, in the form that does not depend on how often it was read."""
    if state.phase == _IDLE or state.phase == _ACTIVE:
        return state.phase, 0, 0, 0
    return state.phase, state.since, 0, state.mark - state.accrued


class Condition:
    """One rule at one point. `level` is the highest active level or -1; `due` the next valid deadline or NEVER."""

    __slots__ = ("code", "due", "edge", "gap", "level", "levels", "plan", "value")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.gap = plan.max_gap
        self.levels = [LevelState() for _ in plan.levels]
        self.edge = -NEVER
        self.value = float("nan")
        self.code = 0
        self.level = -1
        self.due = NEVER

    @property
    def idle(self) -> bool:
        """Whether no level is active and no delay is running."""
        return self.level < 0 and all(state.phase == _IDLE for state in self.levels)

    def calm(self) -> Calm | None:
        """Which readings change nothing that could be said: those about which no level may change its mind, anything
        before a running delay has run, and for as long as the delay of a level that does change its mind."""
        if self.plan.at_rest is not None and self.idle:
            return self.plan.at_rest
        low, high, until, grace = -math.inf, math.inf, NEVER, NEVER
        for number, (level, state) in enumerate(zip(self.plan.levels, self.levels, strict=True)):
            if state.phase == _PENDING_ON or state.phase == _PENDING_OFF:
                until = min(until, self._due_of(number) - 1)
                continue
            active = state.phase == _ACTIVE
            band = level.quiet_band(active, self.value)
            low, high = max(low, band[0]), min(high, band[1])
            grace = min(grace, level.off_delay if active else level.on_delay)
        return Calm(low, high, until, True, 0 if grace == NEVER else grace)

    def seed(self, level: int) -> None:
        """Begin with that level and the ones below it active, as the log says of the time before."""
        self.level = level
        for state in self.levels[: level + 1]:
            state.phase = _ACTIVE

    def pending_since(self) -> int:
        """When the oldest running delay began, or NEVER."""
        running = (_PENDING_ON, _PENDING_OFF)
        return min((state.since for state in self.levels if state.phase in running), default=NEVER)

    def read(self, time: int, code: int, value: float, last: int) -> None:
        """Apply a reading at `time`; deadlines due before `time` must have been fired.

        `code` is `Plan.code` of its value or UNKNOWN. The readings after it until `last` say the same, without a gap.
        """
        known = time if time < self.edge else self.edge
        if code == UNKNOWN:
            for state in self.levels:
                if state.phase == _PENDING_ON or state.phase == _PENDING_OFF:
                    state.accrued += known - state.mark
                    state.mark = known
            self.edge = known
        else:
            true, clear = code, code >> len(self.levels)
            for state in self.levels:
                self._read_level(state, time, known, true & 1, clear & 1)
                true, clear = true >> 1, clear >> 1
            self.code = code
            self.value = value
            self.edge = NEVER if self.gap is None else last + self.gap
        self.due = self._next_due()

    def _read_level(self, state: LevelState, time: int, known: int, true: int, clear: int) -> None:
        phase = state.phase
        if phase == _IDLE:
            if true:
                state.begin(_PENDING_ON, time)
        elif phase == _ACTIVE:
            if clear:
                state.begin(_PENDING_OFF, time)
        elif true if phase == _PENDING_ON else clear:
            state.accrued += known - state.mark
            state.mark = time
        else:
            state.phase = _IDLE if phase == _PENDING_ON else _ACTIVE

    def _next_due(self) -> int:
        """The earliest deadline within known time; a level that a higher one holds has none."""
        best, held = NEVER, False
        for number in range(len(self.levels) - 1, -1, -1):
            state = self.levels[number]
            phase = state.phase
            if phase == _ACTIVE:
                held = True
            elif phase != _IDLE:
                if phase == _PENDING_ON or not held:
                    best = min(best, self._due_of(number))
                held = held or phase == _PENDING_OFF
        return best if best <= self.edge else NEVER

    def _due_of(self, number: int) -> int:
        state, level = self.levels[number], self.plan.levels[number]
        delay = level.on_delay if state.phase == _PENDING_ON else level.off_delay
        return state.mark + delay - state.accrued

    def fire(self) -> Change | None:
        """Let the deadline `due` pass, with every level that is due at that instant; None when nothing shows."""
        at, before = self.due, self.level
        began: list[int] = []
        ended: list[int] = []
        after, higher = -1, False
        for number in range(len(self.levels) - 1, -1, -1):
            state = self.levels[number]
            self._fire_level(number, at, higher, began, ended)
            if state.phase >= _ACTIVE:
                after = max(after, number)
                higher = True
        self.level = after
        self.due = self._next_due()
        return self._change(before, after, at, began, ended)

    def _fire_level(self, number: int, at: int, higher: bool, began: list[int], ended: list[int]) -> None:
        state = self.levels[number]
        phase = state.phase
        if phase == _PENDING_ON and (higher or self._due_of(number) <= at):
            state.phase = _ACTIVE
            began.append(state.since)
            if higher:
                self._hold(number, at)
        elif phase == _IDLE and higher:
            self._hold(number, at)
        elif phase == _PENDING_OFF and not higher and self._due_of(number) <= at:
            state.phase = _IDLE
            ended.append(state.since)

    def _hold(self, number: int, at: int) -> None:
        """Make a level active because a higher one is; when its own value is in order it begins to clear at once."""
        state = self.levels[number]
        if self.code >> (len(self.levels) + number) & 1:
            state.begin(_PENDING_OFF, at)
        else:
            state.phase = _ACTIVE

    def _change(self, before: int, after: int, at: int, began: list[int], ended: list[int]) -> Change | None:
        if after == before:
            return None
        if before < 0:
            reason = self.plan.entered(after)
            return Change(EventKind.RAISE, reason, at, min(began), after, self.value)
        if after < 0:
            reason = self.plan.left(before)
            return Change(EventKind.CLEAR, reason, at, max(ended), before, self.value)
        if after > before:
            return Change(EventKind.STEP_UP, Reason.STEPPED_UP, at, began[0], after, self.value)
        return Change(EventKind.STEP_DOWN, Reason.STEPPED_DOWN, at, ended[0], after, self.value)
