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
from domain.readings import QualityCode
from rules.model import Mode
from rules.signals.base import Bools, Calm, Parameters
from rules.signals.base_load import BaseLoad
from rules.signals.baseline import Baseline
from rules.signals.cumulative import Cumulative
from rules.signals.curve import Curve
from rules.signals.cycles import ShortCycles
from rules.signals.defrost import Defrost
from rules.signals.known import Signal
from rules.signals.out_of_hours import OutOfHours
from rules.signals.rate import Rate
from rules.signals.share import Duty, Unreadable
from rules.signals.stuck import Stuck
from rules.signals.unbalance import Unbalance
from rules.timeline import NEVER

__all__ = ["ENTERED", "LEFT", "NEVER", "UNKNOWN", "Bools", "Codes", "Kind", "LevelPlan", "Plan", "bad_rows"]

UNKNOWN = -1  # the code of a bad reading
_BAD = int(QualityCode.BAD)

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
    Unreadable: Reason.UNREADABLE,
    Defrost: Reason.DEFROST_WRONG,
    Unbalance: Reason.UNBALANCED,
    Baseline: Reason.MORE_ENERGY,
    OutOfHours: Reason.MORE_ENERGY,
    BaseLoad: Reason.MORE_ENERGY,
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

    def quiet_band(self, active: bool, value: float = np.nan) -> tuple[float, float]:
        """The values [low, high] that leave a settled level as it is; empty (inf, -inf) where no interval says it.

        Of states, those about the `value` in force.
        """
        if self.kind is Kind.ABOVE:
            return (float(np.nextafter(self.clear, np.inf)), np.inf) if active else (-np.inf, self.limit)
        if self.kind is Kind.BELOW:
            return (-np.inf, float(np.nextafter(self.clear, -np.inf))) if active else (self.limit, np.inf)
        if self.kind is not Kind.STATE or (value in self.states) != active:
            return np.inf, -np.inf
        if active:
            return value, value
        below = max((one for one in self.states if one < value), default=-np.inf)
        above = min((one for one in self.states if not one < value), default=np.inf)
        return float(np.nextafter(below, np.inf)), float(np.nextafter(above, -np.inf))


class Member(msgspec.Struct, frozen=True, array_like=True):
    """One condition among several: `source` is the number of its input (0: the rule's own point; -1: of none)."""

    source: int
    plan: "Plan"


class Composite(Parameters, frozen=True, array_like=True, tag=True):
    """1 when all (any, not the one) of the members hold, 0 when not, unknown where what is unknown decides."""

    mode: Mode
    members: tuple[Member, ...]

    @property
    def lookback(self) -> int:
        """The longest of the members'."""
        return max(member.plan.lookback for member in self.members)

    @property
    def memory(self) -> int:
        """The longest of the members'."""
        return max(member.plan.memory for member in self.members)


class MaskPlan(msgspec.Struct, frozen=True, array_like=True):
    """A mask in numbers, see `rules.model.Mask`."""

    member: Member
    at_most: int | None
    tail: int


class Masked(Parameters, frozen=True, array_like=True, tag=True):
    """What `inner` says (None: the reading itself), unknown while any of the masks is on."""

    inner: "Signal | Composite | None"
    masks: tuple[MaskPlan, ...]

    @property
    def lookback(self) -> int:
        """The inner one's, and how far back a mask can have begun."""
        spans = [mask.member.plan.lookback + (mask.at_most or 0) + mask.tail for mask in self.masks]
        return max(0 if self.inner is None else self.inner.lookback, *spans)

    @property
    def memory(self) -> int:
        """The longest of the inner one's and the masks'."""
        inner = 0 if self.inner is None else self.inner.memory
        return max(inner, self.lookback, *(mask.member.plan.memory for mask in self.masks))


class Plan(msgspec.Struct, frozen=True, dict=True):
    """A rule for a point. Two plans are equal exactly when they judge alike. `max_gap` None: no gap rule.

    With a `signal` the levels compare what it makes of the readings, and the gap rule is its. `inputs` are the other
    points that it needs: a metric of the same asset, or `asset/metric`.
    """

    rule: str
    levels: tuple[LevelPlan, ...]
    max_gap: int | None
    latching: bool
    signal: Signal | Composite | Masked | None = None
    inputs: tuple[str, ...] = ()

    @property
    def silence(self) -> bool:
        """Whether it judges arrival (no-data) rather than values."""
        return self.levels[0].kind is Kind.NO_DATA

    @cached_property
    def lookback(self) -> int:
        """How far back (ms) a reading can matter to a condition: its delays and one gap."""
        delays = max(level.on_delay for level in self.levels) + max(level.off_delay for level in self.levels)
        return delays + (self.max_gap or 0) + (0 if self.signal is None else self.signal.lookback)

    @property
    def memory(self) -> int:
        """How far back (ms) the history is told to it when it begins: a signal may remember more than its lookback."""
        beyond = 0 if self.signal is None else self.signal.memory - self.signal.lookback
        return self.lookback + beyond

    @property
    def judged(self) -> "Signal | Composite | None":
        """The signal without its masks."""
        return self.signal.inner if isinstance(self.signal, Masked) else self.signal

    def entered(self, level: int) -> Reason:
        """Why that level begins."""
        return SIGNALLED.get(type(self.judged), ENTERED[self.levels[level].kind])

    def left(self, level: int) -> Reason:
        """Why that level ends."""
        return Reason.CONDITION_OVER if type(self.judged) in SIGNALLED else LEFT[self.levels[level].kind]

    @cached_property
    def single(self) -> LevelPlan | None:
        """The only level, when there is one."""
        return self.levels[0] if len(self.levels) == 1 else None

    @cached_property
    def at_rest(self) -> Calm | None:
        """What is quiet about a condition without a signal that stands idle; None: that depends on its value."""
        if any(level.kind is Kind.STATE for level in self.levels):
            return None
        bands = [level.quiet_band(False) for level in self.levels]
        grace = min(level.on_delay for level in self.levels)
        return Calm(max(low for low, _ in bands), min(high for _, high in bands), grace=grace)

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
    bad: Bools = (qualities == _BAD) | np.isnan(values)
    return bad


SIGNALLED[Composite] = Reason.CONDITIONS_MET
