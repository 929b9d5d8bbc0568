"""Which rules judge which points: by name, or by metric and asset type of the catalogue.

With a catalogue only its points are judged. Without one (a backtest that has only readings) a rule names its points
directly, or takes every point with its metric as soon as it is seen; asset types are then unknown and match nothing.
"""

from domain.catalogue import Catalogue, Point
from domain.ids import parse_point
from rules.model import Rule, RuleSet, Selector
from rules.plan import Plan
from rules.resolve import MissingInputError, plan_of

OpenPlan = tuple[str, str, Plan]  # (point or "", metric or "", plan)


def plans_by_point(catalogue: Catalogue, rules: RuleSet) -> dict[str, list[Plan]]:
    """The plans of every point that a rule judges, in the order of the catalogue and the rules. Points that are judged
    alike share one object: a site has a hundred thousand points and a few dozen definitions."""
    found: dict[str, list[Plan]] = {}
    same: dict[Plan, Plan] = {}
    for asset in catalogue.assets:
        for point in asset.points:
            plans = [
                same.setdefault(plan, plan)
                for rule in rules.rules.values()
                if selects(rule.applies_to, point.name, point.metric, asset.type)
                and (plan := plan_at(rule, point, catalogue)) is not None
            ]
            if plans:
                found[point.name] = plans
    return found


def plan_at(rule: Rule, point: Point, catalogue: Catalogue) -> Plan | None:
    """The rule for that point of the catalogue; None where the catalogue lacks a point that it needs."""
    try:
        return plan_of(rule, point, lambda name: find(catalogue, point, name), catalogue)
    except MissingInputError:
        return None


def find(catalogue: Catalogue, point: Point, name: str) -> Point | None:
    """The point that a rule at `point` means by a metric of the same asset, or by `asset/metric`."""
    return catalogue.by_name.get(name if "/" in name else f"{point.asset}/{name}")


def selects(selector: Selector, name: str, metric: str, asset_type: str) -> bool:
    """Whether the selector takes that point of a catalogue."""
    if selector.point:
        return selector.point == name
    return selector.metric == metric and (not selector.asset_types or asset_type in selector.asset_types)


def open_plans(rules: RuleSet) -> list[OpenPlan]:
    """The plans for points that no catalogue describes."""
    return [
        (rule.applies_to.point, rule.applies_to.metric, plan_of(rule, None))
        for rule in rules.rules.values()
        if rule.applies_to.point or not rule.applies_to.asset_types
    ]


def joined_points(plans: list[OpenPlan]) -> list[str]:
    """Points named by rules that need others: to be known from the start, lest readings of the others are passed over.

    Where such a rule selects by metric, its inputs are known from the first reading of its own point on.
    """
    return [point for point, _, plan in plans if point and plan.inputs]


def open_plans_of(plans: list[OpenPlan], name: str) -> list[Plan]:
    """Those of them that judge the point."""
    try:
        metric = parse_point(name).metric
    except ValueError:
        metric = ""
    return [plan for point, wanted, plan in plans if point == name or (not point and wanted == metric)]
