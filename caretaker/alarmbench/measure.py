"""Alarms against the truth: which fault each alarm found, which alarms were false, and the figures of it.

It decides by the truth alone, never by what a rule is called. Each fault is credited with at most one alarm and each
alarm with at most one fault. What belongs to no fault is false unless the food truly was beyond its limit, or people
had told the system that the unit is out of use. Pure; docs/alarmbench.md explains every choice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

from caretaker.alarmbench.truth import FaultTruth, Truth, within
from domain.times import DAY, MINUTE
from simulators.faults import FaultKind

MONTH = 30 * DAY
# Nothing cools any more: the faults of which the minutes left are asked. Slower ones have days, and stop on the way.
NO_COOLING = frozenset({FaultKind.COMPRESSOR_FAILURE, FaultKind.POWER_CUT})
WARM_BEFORE = 30 * MINUTE  # an alarm is about warm food when the food was too warm so shortly before it


@dataclass(frozen=True, slots=True)
class Raised:
    """One alarm as it was raised: `at` when its delay was over, `detected_at` when the system knew (UTC ms)."""

    rule: str
    point: str
    at: int
    detected_at: int

    @property
    def asset(self) -> str:
        """The asset that the point belongs to."""
        return self.point.partition("/")[0]


class Verdict(StrEnum):
    """What an alarm was."""

    DETECTION = "detection"  # the first of its fault
    FURTHER = "further"  # of a fault that is detected already, or while it is over and settling
    FOOD = "food"  # the food truly was too warm, without a fault
    TOLD = "told"  # the unit was out of use and the system had been told: suppressed
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Advice:
    """What was said beside an alarm: the `cause` as a kind of fault (None: not sure), minutes left (None: not said)."""

    cause: str | None
    minutes_left: float | None


@dataclass(frozen=True)
class Judged:
    """The outcome of one rule set: verdicts in the alarms' order, `found` fault id -> its detection, `normal` ms of
    normal life summed over the assets, `advice` fault id -> what was said at its detection (empty: nobody says it)."""

    truth: Truth
    alarms: tuple[Raised, ...]
    verdicts: tuple[Verdict, ...]
    found: Mapping[str, Raised]
    normal: int
    advice: Mapping[str, Advice] = field(default_factory=dict)

    def false(self) -> list[Raised]:
        """The false alarms."""
        return [one for one, verdict in zip(self.alarms, self.verdicts, strict=True) if verdict is Verdict.FALSE]


def judge(truth: Truth, alarms: Iterable[Raised]) -> Judged:
    """Credit alarms to faults and call the rest by name. Alarms may come in any order."""
    ordered = tuple(sorted(alarms, key=lambda one: (one.detected_at, one.at, one.rule, one.point)))
    found: dict[str, Raised] = {}
    verdicts: list[Verdict] = []
    for alarm in ordered:
        # The fault whose time runs out first: no other choice credits more faults.
        open_faults = [
            fault for fault in truth.faults if fault.id not in found and fault.detects(alarm.point, alarm.detected_at)
        ]
        told = within(truth.told.get(alarm.asset, ()), alarm.at)
        if open_faults and not told:
            found[min(open_faults, key=lambda fault: (fault.until, fault.id)).id] = alarm
            verdicts.append(Verdict.DETECTION)
        else:
            verdicts.append(Verdict.TOLD if told else _other(truth, alarm))
    return Judged(truth, ordered, tuple(verdicts), found, normal_time(truth))


def _other(truth: Truth, alarm: Raised) -> Verdict:
    if any(fault.explains(alarm.asset, alarm.detected_at) for fault in truth.faults):
        return Verdict.FURTHER
    if within(truth.warm.get(alarm.asset, ()), alarm.detected_at, WARM_BEFORE):
        return Verdict.FOOD
    return Verdict.FALSE


def normal_time(truth: Truth) -> int:
    """Milliseconds of normal life, summed over the assets: outside faults, their settling, and told stops."""
    total = 0
    for asset in truth.assets:
        taken = [(fault.start, fault.settled) for fault in truth.faults if asset in fault.assets]
        taken += truth.told.get(asset, ())
        total += truth.end - truth.start - _covered(taken, truth.start, truth.end)
    return total


def _covered(spans: Sequence[tuple[int, int]], first: int, last: int) -> int:
    covered, reached = 0, first
    for start, end in sorted(spans):
        begin, stop = max(start, reached), min(end, last)
        if stop > begin:
            covered, reached = covered + stop - begin, stop
    return covered


@dataclass(frozen=True, slots=True)
class KindFigures:
    """Of one kind of fault: how many, how many found, minutes to detection, minutes from it to the food limit.

    `low` and `high` are the Wilson interval of the recall (95 %). `median_lead` counts a fault whose food never passed
    its limit as at least the time from detection to the fault's end (Kaplan-Meier); None where the median lies beyond
    all that was seen. `reached`: faults whose food passed its limit.
    """

    n: int
    found: int
    low: float
    high: float
    median_detect: float | None
    median_lead: float | None
    reached: int

    @property
    def recall(self) -> float:
        """Share of the faults that were found in time."""
        return self.found / self.n


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one rule set. `right`, `not_sure`, `left_error` are None where nothing says them; `left_error`
    is the median of |said - true| / true over the `NO_COOLING` faults for which minutes were said at the detection and
    whose food passed its limit later, `left_said` how many these are, `left_error_all` the same over every kind."""

    kinds: Mapping[str, KindFigures]
    false_alarms: int
    asset_months: float
    right: float | None
    not_sure: float | None
    left_error: float | None
    food: int
    left_said: int = 0
    left_error_all: float | None = None

    @property
    def false_per_month(self) -> float:
        """False alarms per asset-month of normal life."""
        return self.false_alarms / self.asset_months if self.asset_months else 0.0


def figures(parts: Sequence[Judged], cause_of: Mapping[str, str]) -> Figures:
    """The figures of all parts of a fleet; `cause_of` kind of fault -> the cause that names it rightly."""
    kinds: dict[str, list[tuple[FaultTruth, Raised | None]]] = {}
    for part in parts:
        for fault in part.truth.faults:
            kinds.setdefault(fault.kind, []).append((fault, part.found.get(fault.id)))
    kind_of = {fault.id: fault.kind for part in parts for fault in part.truth.faults}
    said = [
        (advice.cause, cause_of[kind_of[name]])
        for part in parts
        for name, advice in part.advice.items()
        if kind_of[name] in cause_of
    ]
    left = _left_errors(parts)
    failed = [error for kind, error in left if kind in NO_COOLING]
    sure = [(cause, true) for cause, true in said if cause is not None]
    return Figures(
        {kind: _of_kind(found) for kind, found in sorted(kinds.items())},
        sum(len(part.false()) for part in parts),
        sum(part.normal for part in parts) / MONTH,
        sum(cause == true for cause, true in sure) / len(sure) if sure else None,
        1.0 - len(sure) / len(said) if said else None,
        median(failed) if failed else None,
        sum(verdict is Verdict.FOOD for part in parts for verdict in part.verdicts),
        len(failed),
        median(error for _, error in left) if left else None,
    )


def _of_kind(faults: Sequence[tuple[FaultTruth, Raised | None]]) -> KindFigures:
    found = [(fault, alarm) for fault, alarm in faults if alarm is not None]
    low, high = wilson(len(found), len(faults))
    leads = [
        ((fault.limit_at if fault.limit_at is not None else fault.end) - alarm.detected_at, fault.limit_at is not None)
        for fault, alarm in found
    ]
    detect = [(alarm.detected_at - fault.start) / MINUTE for fault, alarm in found]
    lead = kaplan_meier_median(leads)
    return KindFigures(
        len(faults),
        len(found),
        low,
        high,
        median(detect) if detect else None,
        None if lead is None else lead / MINUTE,
        sum(fault.limit_at is not None for fault, _ in faults),
    )


def _left_errors(parts: Sequence[Judged]) -> list[tuple[str, float]]:
    """(kind of fault, |said - true| / true) wherever minutes were said and the limit was passed later."""
    errors = []
    for part in parts:
        for fault in part.truth.faults:
            advice, alarm = part.advice.get(fault.id), part.found.get(fault.id)
            if fault.limit_at is None or alarm is None or advice is None or advice.minutes_left is None:
                continue
            true = (fault.limit_at - alarm.detected_at) / MINUTE
            if true > 0:
                errors.append((fault.kind, abs(advice.minutes_left - true) / true))
    return errors


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of hits/n (95 % by default); (0, 1) for n = 0."""
    if not n:
        return 0.0, 1.0
    share, square = hits / n, z * z / n
    middle = share + square / 2.0
    half = z * ((share * (1.0 - share) + square / 4.0) / n) ** 0.5
    return max(0.0, (middle - half) / (1.0 + square)), min(1.0, (middle + half) / (1.0 + square))


def kaplan_meier_median(spans: Sequence[tuple[float, bool]]) -> float | None:
    """The median of durations of which some (False) are only known to be longer; None when it lies beyond them."""
    alive, surviving = len(spans), 1.0
    for span, ended in sorted(spans, key=lambda one: (one[0], not one[1])):
        if ended:
            surviving *= (alive - 1) / alive
            if surviving <= 0.5:
                return span
        alive -= 1
    return None
