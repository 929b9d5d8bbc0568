"""Whether a set of rules makes sense for a site: what a person should know before the rules are applied.

It decides nothing and changes nothing; which points a rule judges is decided in `rules.assign`.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from domain.catalogue import Catalogue, Point
from domain.errors import Place
from domain.units import Quantity
from rules.assign import find, selects
from rules.condition_file import kind_of
from rules.model import Combined, Condition, DerivedLimit, Limit, Rule, RuleSet, StateIs, Within
from rules.resolve import metrics_of, schedule_of, with_parts
from rules.signals.metered import Metered


class Weight(StrEnum):
    """An error makes the rule useless for that site; a warning may be meant."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or odd about a rule at a site; printed as `file:line: weight: message`."""

    weight: Weight
    rule: str
    message: str
    remedy: str = ""
    place: Place | None = None

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        remedy = f"\n  remedy: {self.remedy}" if self.remedy else ""
        return f"{where}{self.weight}: rule {self.rule!r}: {self.message}{remedy}"


def select(rule: Rule, catalogue: Catalogue) -> list[Point]:
    """The points of the catalogue that the rule judges, in its order."""
    return [
        point
        for asset in catalogue.assets
        for point in asset.points
        if selects(rule.applies_to, point.name, point.metric, asset.type)
    ]


def check_against(ruleset: RuleSet, catalogue: Catalogue) -> list[Finding]:
    """What is wrong or odd about the rules at that site: a point or state that is not there, a limit on a state."""
    findings: list[Finding] = []
    for rule in ruleset.rules.values():
        place = ruleset.places.get(rule.id)
        points = select(rule, catalogue)
        if not points:
            findings.append(_nothing_matches(rule, catalogue, place))
        for point in points:
            findings.extend(_kind_mismatch(rule, point, place))
            findings.extend(_parts_mismatch(rule, point, catalogue, place))
    return findings


def check_without_site(ruleset: RuleSet, points: Iterable[str]) -> list[Finding]:
    """What cannot be judged when only the names of the points are known: asset types, names of states, other points."""
    findings: list[Finding] = []
    names = set(points)
    metrics = {name.partition("/")[2] for name in names}
    for rule in ruleset.rules.values():
        place, selector = ruleset.places.get(rule.id), rule.applies_to
        if selector.asset_types:
            message, remedy = "it selects by asset_type, which only a site's catalogue knows", "give --site"
        elif selector.point and selector.point not in names:
            message = f"there are no readings of {selector.point}"
            remedy = _near(selector.point, names)
        elif selector.metric and selector.metric not in metrics:
            message, remedy = f"there are no readings of any …/{selector.metric}", _near(selector.metric, metrics)
        elif any(isinstance(state, str) for level in rule.levels for state in _states(level.condition)):
            message, remedy = "names of states are known only to a site's catalogue", "give --site, or use the number"
        else:
            continue
        findings.append(Finding(Weight.WARNING, rule.id, message, remedy, place))
    return findings


def _nothing_matches(rule: Rule, catalogue: Catalogue, place: Place | None) -> Finding:
    selector = rule.applies_to
    if selector.point:
        remedy = _near(selector.point, catalogue.by_name) or "add the point to the site's file"
        message = f"{catalogue.site} has no point {selector.point}"
        return Finding(Weight.ERROR, rule.id, message, remedy, place)
    types = ", ".join(selector.asset_types) or "any asset"
    message = f"it judges nothing: {catalogue.site} has no point {selector.metric!r} of {types}"
    return Finding(Weight.WARNING, rule.id, message, "", place)


def _kind_mismatch(rule: Rule, point: Point, place: Place | None) -> Iterable[Finding]:
    for level in rule.levels:
        wrong = list(_wrong_kind(rule, level.condition, point, place))
        yield from wrong or _unknown_states(rule, level.condition, point, place)
        if wrong:
            return


def _parts_mismatch(rule: Rule, point: Point, catalogue: Catalogue, place: Place | None) -> Iterable[Finding]:
    """What does not fit of the conditions that a rule combines, and of its masks."""
    combined = [level.condition for level in rule.levels if isinstance(level.condition, Combined)]
    needed = list(with_parts(part for one in combined for part in one.parts))
    for part in (*needed, *with_parts(mask.part for mask in rule.masks)):
        if isinstance(part.condition, Within):
            yield from _unknown_schedule(rule, part.condition.schedule, catalogue, place)
            continue
        name = part.point or part.metric
        other = find(catalogue, point, name) if name else point
        if part.point and other is None:
            yield Finding(
                Weight.ERROR, rule.id, f"{catalogue.site} has no point {name}", _near(name, catalogue.by_name), place
            )
        elif other is None:
            # A mask on what an asset does not have is never on, and packs know more equipment than one site has.
            if part in needed:
                message = f"it is not judged at {point.name}: {point.asset} has no {name}"
                yield Finding(Weight.WARNING, rule.id, message, "", place)
        else:
            yield from _wrong_kind(rule, part.condition, other, place)
            yield from _unknown_states(rule, part.condition, other, place)
    for condition in [*(level.condition for level in rule.levels[:1]), *(part.condition for part in needed)]:
        if isinstance(condition, DerivedLimit) and (name := schedule_of(condition.signal)):
            yield from _unknown_schedule(rule, name, catalogue, place)
        for metric in metrics_of(condition):
            if find(catalogue, point, metric) is None:
                message = f"it is not judged at {point.name}: {point.asset} has no {metric}"
                yield Finding(Weight.WARNING, rule.id, message, "", place)


def _wrong_kind(rule: Rule, condition: Condition, point: Point, place: Place | None) -> Iterable[Finding]:
    is_state = point.unit.quantity is Quantity.STATE
    if isinstance(condition, Limit | DerivedLimit) and is_state:
        yield Finding(
            Weight.ERROR, rule.id, f"{point.name} is a state, and {_what(condition)} needs a measured value",
            "write for example condition: {state: fault}", place,
        )  # fmt: skip
    elif _is_metered(condition) and point.unit.quantity not in (Quantity.POWER, Quantity.ENERGY):
        yield Finding(
            Weight.ERROR, rule.id, f"{point.name} is measured in {point.unit.code}, and energy is judged of a power or"
            " a counter", "select a point in W or kWh", place,
        )  # fmt: skip
    if isinstance(condition, StateIs) and not is_state:
        yield Finding(
            Weight.ERROR, rule.id, f"{point.name} is measured in {point.unit.code}, it has no states",
            "write above or below, or give the point its states in the site's file", place,
        )  # fmt: skip


def _is_metered(condition: Condition) -> bool:
    return isinstance(condition, DerivedLimit) and isinstance(condition.signal, Metered)


def _unknown_schedule(rule: Rule, name: str, catalogue: Catalogue, place: Place | None) -> Iterable[Finding]:
    if name not in catalogue.schedules:
        known = ", ".join(catalogue.schedules) or "none; add 'schedules' to the site's file"
        remedy = _near(name, catalogue.schedules) or f"its schedules: {known}"
        yield Finding(Weight.ERROR, rule.id, f"{catalogue.site} has no schedule {name!r}", remedy, place)


def _unknown_states(rule: Rule, condition: Condition, point: Point, place: Place | None) -> Iterable[Finding]:
    if point.unit.quantity is not Quantity.STATE:
        return
    for state in _states(condition):
        known = point.states if isinstance(state, str) else point.states.values()
        if state not in known and (point.states or isinstance(state, str)):
            names = ", ".join(f"{name} ({number})" for name, number in point.states.items()) or "none"
            yield Finding(Weight.ERROR, rule.id, f"{point.name} has no state {state!r}", f"its states: {names}", place)


def _what(condition: Limit | DerivedLimit) -> str:
    return "a limit" if isinstance(condition, Limit) else kind_of(condition)


def _states(condition: object) -> tuple[str | float, ...]:
    return condition.states if isinstance(condition, StateIs) else ()


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean {near[0]}?" if near else ""
