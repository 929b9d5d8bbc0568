"""Rules made into plans: names of states and metrics turned into numbers and points, the gap rule into milliseconds.

What a site lacks is decided here: a mask on a metric that the asset does not have is left out, since an unknown mask
never masks; a condition that needs such a metric judges nothing there. `rules.matching` tells the person.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from domain.alarms import Priority
from domain.catalogue import Catalogue, Point
from domain.units import Quantity
from rules.model import Combined, Condition, DerivedLimit, Level, Limit, Mask, NoData, Part, Rule, StateIs, Within
from rules.plan import Composite, Kind, LevelPlan, Masked, MaskPlan, Member, Plan
from rules.signals.baseline import Baseline
from rules.signals.known import Signal
from rules.signals.metered import Metered
from rules.signals.out_of_hours import OutOfHours
from rules.signals.schedule import InSchedule
from rules.signals.unbalance import Unbalance

INTERVALS_PER_GAP = 3

Lookup = Callable[[str], Point | None]  # "metric" of the rule's asset, or "asset/metric"


class MissingInputError(ValueError):
    """A condition needs a point that the site does not have; `reference` says which."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"there is no point {reference}")
        self.reference = reference


def plan_of(rule: Rule, point: Point | None, lookup: Lookup | None = None, site: Catalogue | None = None) -> Plan:
    """The rule for that point; None = not described by a catalogue.

    `lookup` finds other points; None = whatever is named is believed to exist. `site` has the schedules. ValueError
    when it cannot be judged, MissingInputError when a point or schedule is missing.
    """
    if not rule.levels:
        raise ValueError(f"rule {rule.id!r} has no level")
    silent = [isinstance(level.condition, NoData) for level in rule.levels]
    if any(silent) and not all(silent):
        raise ValueError(f"rule {rule.id!r} mixes no_data with other conditions: write two rules")
    judged = {_judged(level.condition) for level in rule.levels}
    if len(judged) > 1:
        raise ValueError(f"rule {rule.id!r} judges different things in its levels: write two rules")
    inputs = _Inputs(point, rule.max_gap, lookup, site)
    what = judged.pop()
    signal = inputs.composite(what) if isinstance(what, Combined) else inputs.bound(what, point)
    masks = tuple(plan for mask in rule.masks if (plan := inputs.mask(mask)) is not None)
    levels = tuple(_level(level, point) for level in rule.levels)
    whole = Masked(signal, masks) if masks else signal
    return Plan(rule.id, levels, gap_of(rule.max_gap, point), rule.latching, whole, tuple(inputs.names))


def looks_elsewhere(rule: Rule) -> bool:
    """Whether the rule needs other points than the one that it judges."""
    parts = [mask.part for mask in rule.masks]
    parts += [part for level in rule.levels if isinstance(level.condition, Combined) for part in level.condition.parts]
    needed = [level.condition for level in rule.levels] + [part.condition for part in with_parts(parts)]
    return any(part.metric or part.point for part in with_parts(parts)) or any(map(metrics_of, needed))


def metrics_of(condition: Condition) -> tuple[str, ...]:
    """The metrics of the asset that the condition needs together, whatever point it stands at."""
    if isinstance(condition, DerivedLimit) and isinstance(condition.signal, Unbalance):
        return condition.signal.metrics
    return ()


def with_parts(parts: Iterable[Part]) -> Iterator[Part]:
    """The parts that are no combination, however deep they stand."""
    for part in parts:
        if isinstance(part.condition, Combined):
            yield from with_parts(part.condition.parts)
        else:
            yield part


def gap_of(own: int | None, point: Point | None) -> int | None:
    """How long (ms) a reading counts: the rule's own word, or three intervals of the catalogue."""
    if own is None and point is not None and point.interval is not None:
        return INTERVALS_PER_GAP * point.interval
    return own


def schedule_of(signal: object) -> str:
    """The schedule of the site that the signal needs, or nothing."""
    if isinstance(signal, Baseline):
        return signal.like
    return signal.hours if isinstance(signal, OutOfHours) else ""


class _Inputs:
    """The points that a plan needs beside its own, numbered from 1 in the order in which they are met."""

    def __init__(self, point: Point | None, max_gap: int | None, lookup: Lookup | None, site: Catalogue | None) -> None:
        self.point = point
        self.max_gap = max_gap
        self.lookup = lookup
        self.site = site
        self.names: list[str] = []

    def composite(self, combined: Combined) -> Composite:
        """The combined condition with its members bound to inputs."""
        return Composite(combined.mode, tuple(self.member(part) for part in combined.parts))

    def mask(self, mask: Mask) -> MaskPlan | None:
        """The mask, or None when what it looks at is not there."""
        known = list(self.names)
        try:
            return MaskPlan(self.member(mask.part), mask.at_most, mask.tail)
        except MissingInputError:
            self.names = known
            return None

    def member(self, part: Part) -> Member:
        """The part as a plan of its own on one input."""
        source, point = self._source(part)
        level = _level(Level(part.condition, Priority.LOW, part.on_delay, part.off_delay), point)
        if isinstance(part.condition, Within):
            return Member(-1, Plan("", (level,), None, False, self._schedule(part.condition)))
        if isinstance(part.condition, Combined):
            return Member(-1, Plan("", (level,), None, False, self.composite(part.condition)))
        what = _judged(part.condition)
        signal = None if isinstance(what, Combined) else self.bound(what, point)
        gap = gap_of(self.max_gap if source == 0 else None, point)
        return Member(-1 if isinstance(signal, Unbalance) else source, Plan("", (level,), gap, False, signal))

    def bound(self, signal: Signal | None, at: Point | None) -> Signal | None:
        """The signal with what the site and the point say of it."""
        if isinstance(signal, Metered):
            zone = "UTC" if self.site is None else self.site.timezone
            counter = at is not None and at.unit.quantity is Quantity.ENERGY
            bound: Signal = msgspec.structs.replace(signal, zone=zone, counter=counter)
            name = schedule_of(signal)
            # Without a site there is no school calendar either: all days are ordinary.
            if not name or (self.site is None and isinstance(signal, Baseline)):
                return bound
            return msgspec.structs.replace(bound, schedule=self._schedule(Within(name)).schedule)
        if not isinstance(signal, Unbalance):
            return signal
        found = [self._input(metric) for metric in signal.metrics]
        gaps = tuple(gap_of(self.max_gap, point) for _, point in found)
        return msgspec.structs.replace(signal, sources=tuple(source for source, _ in found), gaps=gaps)

    def _schedule(self, within: Within) -> InSchedule:
        known = {} if self.site is None else self.site.schedules
        if self.site is None or within.schedule not in known:
            raise MissingInputError(within.schedule)
        return InSchedule(self.site.timezone, known[within.schedule])

    def _source(self, part: Part) -> tuple[int, Point | None]:
        name = part.point or part.metric
        return self._input(name) if name else (0, self.point)

    def _input(self, name: str) -> tuple[int, Point | None]:
        point = None
        if self.lookup is not None:
            point = self.lookup(name)
            if point is None:
                raise MissingInputError(name)
        if point is not None and self.point is not None and point.name == self.point.name:
            return 0, self.point
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name) + 1, point


def _judged(condition: Condition) -> Signal | Combined | None:
    """What the levels compare, when it is not the reading itself."""
    if isinstance(condition, DerivedLimit):
        return condition.signal
    return condition if isinstance(condition, Combined) else None


def _level(level: Level, point: Point | None) -> LevelPlan:
    condition = level.condition
    if isinstance(condition, NoData):
        return LevelPlan(Kind.NO_DATA, level.priority, condition.delay + level.on_delay, 0)
    if isinstance(condition, StateIs):
        numbers = tuple(sorted(_numbers(condition, point)))
        return LevelPlan(Kind.STATE, level.priority, level.on_delay, level.off_delay, states=numbers)
    if isinstance(condition, Combined | Within):
        return LevelPlan(Kind.AT_LEAST, level.priority, level.on_delay, level.off_delay, 1.0, 1.0)
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
