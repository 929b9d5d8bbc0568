"""Rule files: YAML text in, frozen rules or an `InputError` with file, line and remedy out.

The format is a contract (docs/rules.md). What a file can get wrong by itself is refused here; what only shows against
a site's catalogue is found by `rules.matching.check_against`. Pure: whoever calls has read the file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import msgspec

from domain.alarms import Priority
from domain.catalogue import ASSET_TYPES, Label
from domain.catalogue_file import read_label
from domain.documents import Node, load_document
from domain.errors import InputError, Place
from domain.ids import check_id, parse_point
from domain.incidents import IncidentRule
from domain.records import Revision
from rules.condition_file import (
    CONDITION_LINES,
    gravity_of,
    kind_of,
    one_or_more,
    positive,
    read_active,
    read_condition,
    read_masks,
)
from rules.food import read_food
from rules.incident_rules import check_names, read_incident
from rules.model import (
    Basis,
    BasisKind,
    Combined,
    Condition,
    DerivedLimit,
    Escalation,
    Level,
    Mask,
    NoData,
    Rule,
    RuleSet,
    Selector,
    StateIs,
)
from rules.signals.known import Signal
from rules.signals.stuck import Stuck

_LEVEL_LINES = ("on_delay", "off_delay", "priority")
_OTHER_LINES = (
    "title", "latching", "max_gap", "mask", "active", "basis", "cause", "consequence", "response", "time_to_respond",
    "escalate", "food",
)  # fmt: skip
_PRIORITIES = tuple(priority.value for priority in Priority)


def load_rules(text: str, file: str) -> RuleSet:
    """The rules that the YAML text describes, in its order. InputError says file, line and remedy."""
    return _merge(_read(text, file))


def load_documents(documents: Iterable[tuple[str, str]]) -> RuleSet:
    """The rules of several (name, text) documents as one set; an id that stands in two of them is an InputError."""
    return _merge(entry for name, text in documents for entry in _read(text, name))


def load_revision(revision: Revision) -> RuleSet:
    """The rules of a stored revision: its documents as one set."""
    return load_documents(revision.documents)


def _read(text: str, file: str) -> Iterable[tuple[Rule | IncidentRule, Node]]:
    root = load_document(text, file).fields(("rules",), ("incidents",))
    for node in root["rules"].items():
        yield _rule(node), node
    for node in root["incidents"].items() if "incidents" in root else ():
        yield read_incident(node)


def _merge(entries: Iterable[tuple[Rule | IncidentRule, Node]]) -> RuleSet:
    rules: dict[str, Rule] = {}
    incidents: dict[str, IncidentRule] = {}
    places: dict[str, Place] = {}
    for rule, node in entries:
        place = node.entries()["id"].place
        if rule.id in places:
            raise InputError(
                place, f"the rule {rule.id!r} is defined twice: first at {places[rule.id]}", "give each its own id"
            )
        places[rule.id] = place
        if isinstance(rule, Rule):
            rules[rule.id] = rule
        else:
            incidents[rule.id] = rule
    check_names(incidents, places, rules)
    return RuleSet(MappingProxyType(rules), MappingProxyType(places), MappingProxyType(incidents))


def _rule(node: Node) -> Rule:
    parts = node.fields(("id", "applies_to"), ("condition", "levels", *_LEVEL_LINES, *_OTHER_LINES))
    rule_id = _id(parts["id"], "rule")
    levels = _levels(node, parts)
    return Rule(
        id=rule_id,
        applies_to=_selector(parts["applies_to"]),
        levels=levels,
        title=read_label(parts.get("title"), rule_id),
        latching=parts["latching"].boolean() if "latching" in parts else False,
        max_gap=_positive(parts.get("max_gap"), "leave it out to allow three intervals of the catalogue"),
        masks=_masks(parts, levels),
        basis=_basis(parts["basis"]) if "basis" in parts else None,
        cause=_text(parts.get("cause")),
        consequence=_text(parts.get("consequence")),
        response=_text(parts.get("response")),
        time_to_respond=_positive(parts.get("time_to_respond"), "leave it out when nobody has decided it"),
        escalate=_escalation(parts["escalate"]) if "escalate" in parts else Escalation(),
        food=read_food(parts["food"], _basis) if "food" in parts else (),
    )


def _masks(parts: Mapping[str, Node], levels: tuple[Level, ...]) -> tuple[Mask, ...]:
    for key in ("mask", "active"):
        if key in parts and any(isinstance(level.condition, NoData) for level in levels):
            raise parts[key].error("silence is judged by arrival, so there is no time to mask", f"leave {key!r} out")
    masks = read_masks(parts["mask"]) if "mask" in parts else ()
    return (*masks, read_active(parts["active"])) if "active" in parts else masks


def _selector(node: Node) -> Selector:
    parts = node.fields((), ("asset_type", "metric", "point"))
    if "point" in parts:
        for other in ("asset_type", "metric"):
            if other in parts:
                raise parts[other].error(
                    "a point is named already", f"leave {other!r} out, or select by asset_type and metric instead"
                )
        try:
            return Selector(point=str(parse_point(parts["point"].text())))
        except ValueError as error:
            raise parts["point"].error(str(error)) from None
    if "metric" not in parts:
        raise node.error("'metric' is missing", "write {asset_type: …, metric: …} or {point: asset/metric}")
    types: list[str] = []
    for item in one_or_more(parts["asset_type"]) if "asset_type" in parts else ():
        name = item.text(one_of=ASSET_TYPES)
        if name in types:
            raise item.error(f"{name!r} stands here twice", "name each type once")
        types.append(name)
    return Selector(asset_types=tuple(types), metric=_id(parts["metric"], "metric"))


def _levels(node: Node, parts: Mapping[str, Node]) -> tuple[Level, ...]:
    if "levels" not in parts:
        if "condition" not in parts:
            raise node.error(
                "there is neither a 'condition' nor 'levels'",
                "add for example 'condition: {above: 8.0}' and 'priority: high'",
            )
        if "priority" not in parts:
            raise node.error("'priority' is missing", f"add a line 'priority: …' with one of: {', '.join(_PRIORITIES)}")
        condition = parts["condition"].fields((), CONDITION_LINES)
        return (_level(parts["condition"], {**condition, **_only(parts, _LEVEL_LINES)}),)
    for line in ("condition", *_LEVEL_LINES):
        if line in parts:
            raise parts[line].error(
                f"a rule has either 'levels' or the single lines, and this one has both 'levels' and {line!r}",
                f"move {line!r} into each level, or leave 'levels' out",
            )
    nodes = list(parts["levels"].items())
    if not nodes:
        raise parts["levels"].error("there is no level", "write at least one, for example {above: 8.0, priority: high}")
    levels = tuple(_level(item, item.fields(("priority",), (*CONDITION_LINES, *_LEVEL_LINES))) for item in nodes)
    for item, lower, upper in zip(nodes[1:], levels, levels[1:], strict=False):
        _check_ascent(item, lower, upper)
    return _with_one_signal(nodes, levels)


def _level(node: Node, parts: Mapping[str, Node]) -> Level:
    condition = read_condition(node, parts)
    level = Level(
        condition,
        Priority(parts["priority"].text(one_of=_PRIORITIES)),
        parts["on_delay"].duration() if "on_delay" in parts else 0,
        parts["off_delay"].duration() if "off_delay" in parts else 0,
    )
    if isinstance(condition, NoData):
        if level.on_delay:
            raise parts["on_delay"].error(
                "no_data has its delay already", "leave on_delay out and write the whole time after no_data"
            )
        if level.off_delay:
            raise parts["off_delay"].error(
                "no_data ends with the first fresh reading, so there is nothing to delay", "leave off_delay out"
            )
    return level


def _check_ascent(node: Node, lower: Level, upper: Level) -> None:
    first, second = kind_of(lower.condition), kind_of(upper.condition)
    if first != second:
        raise node.error(
            f"the levels of one rule must be of one kind and direction: this is {second!r} after {first!r}",
            f"write a rule of its own for {second!r}",
        )
    if upper.priority.rank < lower.priority.rank:
        raise node.error(
            f"the level is graver than the one before but its priority is lower ({upper.priority} < {lower.priority})",
            "write the levels in ascending gravity, with the highest priority last",
        )
    step = gravity_of(upper.condition) - gravity_of(lower.condition)
    if step < 0:
        raise node.error("the level is less grave than the one before", "write the levels in ascending gravity")
    # The same condition again makes sense only as "still so after a longer time".
    if step == 0 and _same_condition(lower, upper) and upper.on_delay <= lower.on_delay:
        raise node.error(
            "the level has the condition of the one before, and not a longer on_delay",
            "give it a graver limit or a longer on_delay",
        )


def _same_condition(first: Level, second: Level) -> bool:
    if isinstance(first.condition, StateIs) and isinstance(second.condition, StateIs):
        return set(first.condition.states) == set(second.condition.states)
    return True  # limits and no-data are the same when their gravity is


def _signal(condition: Condition) -> Signal | Combined | None:
    if isinstance(condition, DerivedLimit):
        return condition.signal
    return condition if isinstance(condition, Combined) else None


def _with_one_signal(nodes: Sequence[Node], levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """Levels on what one signal says share it; a stuck value is watched for as long as the longest level asks."""
    derived = [level.condition for level in levels if isinstance(level.condition, DerivedLimit)]
    longest = max((one.signal.longest for one in derived if isinstance(one.signal, Stuck)), default=0)
    found: list[Level] = []
    for node, level in zip(nodes, levels, strict=True):
        condition = level.condition
        if isinstance(condition, DerivedLimit) and isinstance(condition.signal, Stuck):
            signal = msgspec.structs.replace(condition.signal, longest=longest)
            level = replace(level, condition=replace(condition, signal=signal))
        first = found[0].condition if found else level.condition
        if _signal(first) != _signal(level.condition):
            raise node.error(
                "levels of one rule may differ only in their limit: this one counts or measures something else",
                "write a rule of its own for it",
            )
        found.append(level)
    return tuple(found)


def _basis(node: Node) -> Basis:
    parts = node.fields(("kind",), ("document", "clause", "verified"))
    basis = Basis(
        BasisKind(parts["kind"].text(one_of=tuple(kind.value for kind in BasisKind))),
        parts["document"].text() if "document" in parts else "",
        parts["clause"].text() if "clause" in parts else "",
        parts["verified"].boolean() if "verified" in parts else False,
    )
    if basis.kind is BasisKind.LEGAL and not basis.document:
        raise node.error("a legal limit must name its document", "add 'document: …', or write kind: operating")
    if basis.clause and not basis.verified:
        # A clause number is printed on evidence; one that nobody has looked up must never get there.
        raise parts["clause"].error(
            "a clause is named, but verified is not true",
            "read the clause in the primary text and write verified: true, or leave the clause empty",
        )
    return basis


def _escalation(node: Node) -> Escalation:
    parts = node.fields(("to", "after"))
    to = tuple(_id(item, "role") for item in one_or_more(parts["to"]))
    after = tuple(item.duration() for item in one_or_more(parts["after"]))
    if len(to) != len(after):
        raise parts["after"].error(
            f"{len(to)} are told, but {len(after)} times are given", "write one time for each of 'to'"
        )
    if list(after) != sorted(after):
        raise parts["after"].error("the times must ascend", "write first whoever is told first")
    return Escalation(to, after)


def _positive(node: Node | None, remedy: str) -> int | None:
    return None if node is None else positive(node, remedy)


def _text(node: Node | None) -> Label:
    return read_label(node, "")


def _id(node: Node, what: str) -> str:
    try:
        return check_id(node.text(), what)
    except ValueError as error:
        raise node.error(str(error)) from None


def _only(parts: Mapping[str, Node], keys: tuple[str, ...]) -> dict[str, Node]:
    return {key: parts[key] for key in keys if key in parts}
