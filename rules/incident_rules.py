"""The `incidents:` section of a rule file: which alarms have one cause, read into `domain.incidents`.

The format is a contract (docs/incidents.md). A rule that an incident names must stand in one of the files; that is
checked when all of them are known. Pure.
"""

from collections.abc import Mapping

from domain.catalogue import Catalogue, Label
from domain.catalogue_file import read_label
from domain.documents import Node
from domain.errors import InputError, Place
from domain.ids import check_id
from domain.incidents import AlarmCause, Gathers, IncidentPlan, IncidentRule, Quorum
from domain.times import HOUR, MINUTE
from rules.matching import select
from rules.model import Rule, RuleSet

LONGEST_SETTLE = 10 * MINUTE  # a page that waits longer than this for its cause is too late
LONGEST_TAIL = 24 * HOUR
_OPTIONAL = ("rules", "not_rules", "metrics", "settle", "tail", "title", "response", "empty_first")
_GATHERS = tuple(one.value for one in Gathers)


def read_incident(node: Node) -> tuple[IncidentRule, Node]:
    """One entry of the section, with its node for messages. InputError with file, line and remedy."""
    parts = node.fields(("id", "cause", "gathers"), _OPTIONAL)
    name = _id(parts["id"])
    cause = _cause(parts["cause"])
    rules = _ids(parts.get("rules"))
    if rules and "not_rules" in parts:
        raise parts["not_rules"].error("'rules' says already whose alarms it gathers", "leave one of them out")
    if isinstance(cause, Quorum) and not rules:
        raise node.error("a quorum needs 'rules'", "name the rules whose alarms count, for example rules: [no-data]")
    incident = IncidentRule(
        id=name,
        cause=cause,
        gathers=Gathers(parts["gathers"].text(one_of=_GATHERS)),
        rules=rules,
        not_rules=_ids(parts.get("not_rules")),
        metrics=_ids(parts.get("metrics")),
        settle=_within(parts.get("settle"), MINUTE, LONGEST_SETTLE),
        tail=_within(parts.get("tail"), 0, LONGEST_TAIL),
        title=read_label(parts.get("title"), name),
        response=read_label(parts["response"], "") if "response" in parts else Label(""),
        empty_first=parts["empty_first"].boolean() if "empty_first" in parts else False,
    )
    return incident, node


def check_names(incidents: Mapping[str, IncidentRule], places: Mapping[str, Place], rules: Mapping[str, Rule]) -> None:
    """InputError when an incident names a rule that no file has."""
    for one in incidents.values():
        named = [*one.rules, *one.not_rules, *([one.cause.rule] if isinstance(one.cause, AlarmCause) else [])]
        for name in named:
            if name not in rules:
                raise InputError(
                    places[one.id], f"the incident {one.id!r} names the rule {name!r}, which none of the files has",
                    "name a rule of these files, or leave the incident out",
                )  # fmt: skip


def incident_plan(rules: RuleSet, catalogue: Catalogue) -> IncidentPlan:
    """The incident rules of a site with what they need to know of it."""
    named = {name for one in rules.incidents.values() for name in one.rules}
    named |= {one.cause.rule for one in rules.incidents.values() if isinstance(one.cause, AlarmCause)}
    judged = {
        name: frozenset(point.name for point in select(rules.rules[name], catalogue))
        for name in named
        if name in rules.rules
    }
    return IncidentPlan(tuple(rules.incidents.values()), catalogue, judged)


def _cause(node: Node) -> AlarmCause | Quorum:
    parts = node.fields((), ("rule", "level", "at_least", "share"))
    if "rule" in parts:
        for other in ("at_least", "share"):
            if other in parts:
                raise parts[other].error("a cause is either one rule's alarm or a quorum", f"leave {other!r} out")
        level = parts["level"].integer(least=1) - 1 if "level" in parts else 0
        return AlarmCause(_id(parts["rule"]), level)
    if "at_least" not in parts:
        raise node.error("there is neither 'rule' nor 'at_least'", "write {rule: ID} or {at_least: 3, share: 0.8}")
    if "level" in parts:
        raise parts["level"].error("a quorum has no level", "leave 'level' out")
    share = parts["share"].number() if "share" in parts else 0.0
    if not 0 <= share <= 1:
        raise parts["share"].error("a share lies between 0 and 1", "write 0.8 for 80 %")
    return Quorum(parts["at_least"].integer(least=2), share)


def _within(node: Node | None, default: int, most: int) -> int:
    if node is None:
        return default
    value = node.duration()
    if not 0 <= value <= most:
        raise node.error(f"{value // MINUTE} min is out of range", f"at most {most // MINUTE} min")
    return value


def _id(node: Node) -> str:
    try:
        return check_id(node.text(), "id")
    except ValueError as error:
        raise node.error(str(error)) from None


def _ids(node: Node | None) -> tuple[str, ...]:
    return () if node is None else tuple(_id(item) for item in node.items())
