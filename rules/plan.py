"""What one rule means for one point: numbers only, resolved once, compared to tell whether a definition changed.

A `Plan` has the limits, delays and priorities of a rule, the state names turned into the point's numbers and the gap
rule turned into milliseconds. Titles and advice are not in it: editing them must not disturb an alarm. It also says
how a value is read: for each level *true*, *clear*, or neither (inside the deadband).
"""

from enum import StrEnum
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from domain.alarms import Priority, Reason
from domain.batch import Bytes8, Float64s
from domain.catalogue import Point
from domain.readings import QualityCode
from rules.model import DerivedLimit, Level, Limit, NoData, Rule, StateIs
from rules.signals.cumulative import Cumulative
from rules.signals.curve import Curve
from rules.signals.cycles import ShortCycles
from rules.signals.known import Signal
from rules.signals.rate import Rate
from rules.signals.share import Duty
from rules.signals.stuck import Stuck
from rules.timeline import NEVER

__all__ = ["ENTERED", "LEFT", "NEVER", "UNKNOWN", "Bools", "Codes", "Kind", "LevelPlan", "Plan", "bad_rows", "plan_of"]

UNKNOWN = -1  # the code of a bad reading
INTERVALS_PER_GAP = 3

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]


class Kind(StrEnum):
    """How a level compares."""

    ABOVE = "above"
    BELOW = "below"
    AT_LEAST = "at_least"  # of derived series only: reached is out of order
    STATE = "state"
    NO_DATA = "no_data"


ENTERED = {
    Kind.ABOVE: Reason.ABOVE_LIMIT,
    Kind.BELOW: Reason.BELOW_LIMIT,
    Kind.AT_LEAST: Reason.ABOVE_LIMIT,
    Kind.STATE: Reason.STATE_ENTERED,
    Kind.NO_DATA: Reason.NO_DATA,
}
LEFT = {
    Kind.ABOVE: Reason.WITHIN_LIMIT,
    Kind.BELOW: Reason.WITHIN_LIMIT,
    Kind.AT_LEAST: Reason.WITHIN_LIMIT,
    Kind.STATE: Reason.STATE_LEFT,
    Kind.NO_DATA: Reason.DATA_RETURNED,
}
SIGNALLED: dict[type, Reason] = {
    Rate: Reason.CHANGING_FAST,
    Stuck: Reason.STUCK,
    Cumulative: Reason.OUT_OF_LIMIT_TOO_LONG,
    Curve: Reason.NOT_REACHED_IN_TIME,
    Duty: Reason.DUTY_BEYOND_LIMIT,
    ShortCycles: Reason.SHORT_CYCLES,
}  # a signal that is not here is called what its limit is called


class LevelPlan(msgspec.Struct, frozen=True, array_like=True):
    """One level in numbers; `clear` is the limit at which it clears, `states` the numbers for which it is true.

    For no-data `on_delay` is the whole silence that is too long.
    """

    kind: Kind
    priority: Priority
    on_delay: int
    off_delay: int
    limit: float = 0.0
    clear: float = 0.0
    states: tuple[float, ...] = ()

    def true(self, value: float) -> bool:
        """Whether the value meets the condition; strict."""
        if self.kind is Kind.ABOVE:
            return value > self.limit
        if self.kind is Kind.BELOW:
            return value < self.limit
        if self.kind is Kind.AT_LEAST:
            return value >= self.limit
        return value in self.states

    def clears(self, value: float) -> bool:
        """Whether the value is back beyond the deadband."""
        if self.kind is Kind.ABOVE:
            return value <= self.clear
        if self.kind is Kind.BELOW:
            return value >= self.clear
        if self.kind is Kind.AT_LEAST:
            return value < self.clear
        return value not in self.states

    def masks(self, values: Float64s) -> tuple[Bools, Bools]:
        """`true` and `clears` of a column."""
        if self.kind is Kind.ABOVE:
            return values > self.limit, values <= self.clear
        if self.kind is Kind.BELOW:
            return values < self.limit, values >= self.clear
        if self.kind is Kind.AT_LEAST:
            return values >= self.limit, values < self.clear
        true = np.zeros(len(values), np.bool_)
        for state in self.states:
            true |= values == state
        return true, ~true

    def quiet_band(self, active: bool) -> tuple[float, float]:
        """The values [low, high] that leave a settled level as it is; empty (inf, -inf) where no interval says it."""
        if self.kind is Kind.ABOVE:
            return (float(np.nextafter(self.clear, np.inf)), np.inf) if active else (-np.inf, self.limit)
        if self.kind is Kind.BELOW:
            return (-np.inf, float(np.nextafter(self.clear, -np.inf))) if active else (self.limit, np.inf)
        return np.inf, -np.inf


class Plan(msgspec.Struct, frozen=True, dict=True):
    """A rule for a point. Two plans are equal exactly when they judge alike. `max_gap` None: no gap rule.

    With a `signal` the levels compare what it makes of the readings, and the gap rule is its.
    """

    rule: str
    levels: tuple[LevelPlan, ...]
    max_gap: int | None
    latching: bool
    signal: Signal | None = None

    @property
    def silence(self) -> bool:
        """Whether it judges arrival (no-data) rather than values."""
        return self.levels[0].kind is Kind.NO_DATA

    @cached_property
    def lookback(self) -> int:
        """How far back (ms) a reading can matter to a condition: its delays and one gap."""
        delays = max(level.on_delay for level in self.levels) + max(level.off_delay for level in self.levels)
        return delays + (self.max_gap or 0) + (0 if self.signal is None else self.signal.lookback)

    def entered(self, level: int) -> Reason:
        """Why that level begins."""
        return SIGNALLED.get(type(self.signal), ENTERED[self.levels[level].kind])

    def left(self, level: int) -> Reason:
        """Why that level ends."""
        return Reason.CONDITION_OVER if type(self.signal) in SIGNALLED else LEFT[self.levels[level].kind]

    @cached_property
    def single(self) -> LevelPlan | None:
        """The only level, when there is one."""
        return self.levels[0] if len(self.levels) == 1 else None

    def code(self, value: float) -> int:
        """What the value says to all levels: bit k = true for level k, bit n + k = clear for level k."""
        if self.single is not None:
            return (1 if self.single.true(value) else 0) | (2 if self.single.clears(value) else 0)
        count, code = len(self.levels), 0
        for number, level in enumerate(self.levels):
            if level.true(value):
                code |= 1 << number
            if level.clears(value):
                code |= 1 << (count + number)
        return code

    def codes(self, values: Float64s, bad: Bools) -> Codes:
        """`code` of a column, UNKNOWN where the reading is bad."""
        count = len(self.levels)
        codes = np.zeros(len(values), np.int64)
        for number, level in enumerate(self.levels):
            true, clear = level.masks(values)
            codes |= (true.astype(np.int64) << number) | (clear.astype(np.int64) << (count + number))
        codes[bad] = UNKNOWN
        return codes


def bad_rows(values: Float64s, qualities: Bytes8) -> Bools:
    """Which readings say nothing: bad ones, and those without a value."""
    bad: Bools = (qualities == QualityCode.BAD) | np.isnan(values)
    return bad


def plan_of(rule: Rule, point: Point | None) -> Plan:
    """The rule for that point; None = not described by a catalogue. ValueError when it cannot be judged."""
    if not rule.levels:
        raise ValueError(f"rule {rule.id!r} has no level")
    silent = [isinstance(level.condition, NoData) for level in rule.levels]
    if any(silent) and not all(silent):
        raise ValueError(f"rule {rule.id!r} mixes no_data with other conditions: write two rules")
    signals = {level.condition.signal if isinstance(level.condition, DerivedLimit) else None for level in rule.levels}
    if len(signals) > 1:
        raise ValueError(f"rule {rule.id!r} judges different things in its levels: write two rules")
    gap = rule.max_gap
    if gap is None and point is not None and point.interval is not None:
        gap = INTERVALS_PER_GAP * point.interval
    return Plan(rule.id, tuple(_level(level, point) for level in rule.levels), gap, rule.latching, signals.pop())


def _level(level: Level, point: Point | None) -> LevelPlan:
    condition = level.condition
    if isinstance(condition, NoData):
        return LevelPlan(Kind.NO_DATA, level.priority, condition.delay + level.on_delay, 0)
    if isinstance(condition, StateIs):
        numbers = tuple(sorted(_numbers(condition, point)))
        return LevelPlan(Kind.STATE, level.priority, level.on_delay, level.off_delay, states=numbers)
    if isinstance(condition, DerivedLimit) and condition.at_least is not None:
        at = float(condition.at_least)
        return LevelPlan(Kind.AT_LEAST, level.priority, level.on_delay, level.off_delay, at, at)
    return _limit(condition, level)


def _limit(limit: Limit | DerivedLimit, level: Level) -> LevelPlan:
    if limit.above is not None:
        kind, at, clear = Kind.ABOVE, limit.above, limit.above - limit.deadband
    elif limit.below is not None:
        kind, at, clear = Kind.BELOW, limit.below, limit.below + limit.deadband
    else:
        raise ValueError("a limit needs above or below")
    return LevelPlan(kind, level.priority, level.on_delay, level.off_delay, float(at), float(clear))


def _numbers(condition: StateIs, point: Point | None) -> set[float]:
    names = {} if point is None else point.states
    found = {names.get(state) if isinstance(state, str) else state for state in condition.states}
    return {float(number) for number in found if number is not None}
