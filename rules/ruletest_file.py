"""Rule test files: YAML text in, cases ready to run or an `InputError` with file, line and remedy out.

A case is a rule set, series of readings and what is expected of them; `rules.ruletest` runs it. Pure: rule and site
files are read by the function that the caller hands over.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from domain.alarms import AlarmState, Priority, Reason
from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.documents import Node, load_document
from domain.ids import check_id, parse_point
from domain.readings import QualityCode
from domain.times import MINUTE
from rules.loading import load_documents
from rules.model import RuleSet
from rules.readings_csv import ReadingRows
from rules.series_notation import Sample, parse_series

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z, where a test does not say when it begins

Read = Callable[[str], tuple[str, str]]  # a name in a test file -> (name for messages, text)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A transition that is expected; None = not said, so anything will do."""

    at: int
    rule: str
    to: AlarmState
    point: str | None = None
    source: AlarmState | None = None
    reason: Reason | None = None
    priority: Priority | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that is expected to be active; None = not said."""

    rule: str
    point: str | None = None
    priority: Priority | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One test; times are UTC ms. `transitions` None = not said; `standing` is when -> which alarms are active."""

    name: str
    rules: RuleSet
    catalogue: Catalogue | None
    rows: ReadingRows
    start: int
    until: int
    transitions: tuple[Wanted, ...] | None
    standing: tuple[tuple[int, tuple[Standing, ...]], ...]


def load_tests(text: str, file: str, read: Read) -> tuple[Case, ...]:
    """The cases of the file, in its order. `read` gives the rule and site files that it names."""
    root = load_document(text, file).fields(("rules", "tests"), ("site",))
    rules = load_documents([read(name) for name in root["rules"].texts()])
    catalogue = None
    if "site" in root:
        name, site = read(root["site"].text())
        catalogue = load_catalogue(site, name)
    return tuple(_case(node, rules, catalogue) for node in root["tests"].items())


def _case(node: Node, rules: RuleSet, catalogue: Catalogue | None) -> Case:
    parts = node.fields(("name", "series"), ("start", "interval", "until", "transitions", "active"))
    if "transitions" not in parts and "active" not in parts:
        raise node.error("nothing is expected", "add transitions or active; 'transitions: []' expects silence")
    start = parts["start"].moment() if "start" in parts else START
    interval = _interval(parts["interval"]) if "interval" in parts else MINUTE
    rows = _rows(parts["series"], start, interval, catalogue)
    newest = int(rows.time.max()) if len(rows) else start
    transitions = None
    if "transitions" in parts:
        transitions = tuple(_wanted(item, start, rules) for item in parts["transitions"].items())
    return Case(
        parts["name"].text(),
        rules,
        catalogue,
        rows,
        start,
        parts["until"].moment(start) if "until" in parts else newest,
        transitions,
        tuple(_standing(item, start, rules) for item in parts["active"].items()) if "active" in parts else (),
    )


def _rows(node: Node, start: int, interval: int, catalogue: Catalogue | None) -> ReadingRows:
    """All series as rows in order of arrival."""
    points: dict[str, int] = {}
    found: list[tuple[int, int, int, float, int, str]] = []  # received, point, time, value, quality, text
    for item in node.items():
        parts = item.fields(("point", "values"), ("from", "interval", "arrives"))
        name = _point(parts["point"])
        if catalogue is not None and name not in catalogue.by_name:
            raise parts["point"].error(f"{catalogue.site} has no point {name}", "name a point of the site's file")
        number = points.setdefault(name, len(points))
        time = parts["from"].moment(start) if "from" in parts else start
        step = _interval(parts["interval"]) if "interval" in parts else interval
        arrives = parts["arrives"].moment(start) if "arrives" in parts else None
        states = catalogue.by_name[name].states if catalogue else {}
        for sample in _samples(parts["values"]):
            if sample is not None:
                value, quality = _value(sample, states, parts["values"])
                found.append((time if arrives is None else arrives, number, time, value, quality, sample.text))
            time += step
    found.sort(key=lambda row: row[0])
    columns = list(zip(*found, strict=True)) or [()] * 6
    return ReadingRows(
        tuple(points),
        np.array(columns[1], np.int32),
        np.array(columns[2], np.int64),
        np.array(columns[3], np.float64),
        np.array(columns[4], np.uint8),
        np.array(columns[0], np.int64),
        {row: text for row, text in enumerate(columns[5]) if text},
    )


def _samples(node: Node) -> list[Sample | None]:
    try:
        return parse_series(node.text())
    except ValueError as error:
        raise node.error(str(error)) from None


def _value(sample: Sample, states: Mapping[str, int], node: Node) -> tuple[float, int]:
    if sample.bad:
        return float("nan"), QualityCode.BAD
    if not sample.text:
        return sample.value, QualityCode.GOOD
    if sample.text not in states:
        known = ", ".join(states) or "none; give the test a 'site', or write the state's number"
        raise node.error(f"{sample.text!r} is no state of this point", f"its states: {known}")
    return float(states[sample.text]), QualityCode.GOOD


def _wanted(node: Node, start: int, rules: RuleSet) -> Wanted:
    parts = node.fields(("at", "rule", "to"), ("point", "from", "reason", "priority", "value"))
    return Wanted(
        parts["at"].moment(start),
        _rule(parts["rule"], rules),
        AlarmState(parts["to"].text(one_of=tuple(AlarmState))),
        _point(parts["point"]) if "point" in parts else None,
        AlarmState(parts["from"].text(one_of=tuple(AlarmState))) if "from" in parts else None,
        Reason(parts["reason"].text(one_of=tuple(Reason))) if "reason" in parts else None,
        _priority(parts.get("priority")),
        parts["value"].number() if "value" in parts else None,
    )


def _standing(node: Node, start: int, rules: RuleSet) -> tuple[int, tuple[Standing, ...]]:
    parts = node.fields(("at", "alarms"))
    found = []
    for item in parts["alarms"].items():
        if not item.is_mapping:
            found.append(Standing(_rule(item, rules)))
            continue
        entry = item.fields(("rule",), ("point", "priority"))
        point = _point(entry["point"]) if "point" in entry else None
        found.append(Standing(_rule(entry["rule"], rules), point, _priority(entry.get("priority"))))
    return parts["at"].moment(start), tuple(found)


def _rule(node: Node, rules: RuleSet) -> str:
    return node.text(one_of=tuple(rules.rules)) if rules.rules else check_id(node.text(), "rule")


def _priority(node: Node | None) -> Priority | None:
    return None if node is None else Priority(node.text(one_of=tuple(Priority)))


def _point(node: Node) -> str:
    try:
        return str(parse_point(node.text()))
    except ValueError as error:
        raise node.error(str(error)) from None


def _interval(node: Node) -> int:
    interval = node.duration()
    if interval <= 0:
        raise node.error("the interval must be longer than zero", "write for example 1min")
    return interval
