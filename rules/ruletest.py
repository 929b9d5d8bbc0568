"""Runs rule tests: the case's readings through the backtest, and what differs from what was expected.

A difference reads like a patch: `-` was expected and did not happen, `+` happened and was not expected.
"""

import difflib
from collections.abc import Sequence

from domain.alarms import ACTIVE_STATES, AlarmKey, Priority, Transition
from domain.times import format_duration
from rules.backtest import backtest
from rules.ruletest_file import Case, Standing, Wanted, load_tests

__all__ = ["load_tests", "run_test"]

_ANY = "…"  # stands in a difference for what the test does not say


def run_test(case: Case) -> list[str]:
    """What differs from the expectation, line by line; empty when the test passes."""
    found = sorted(
        backtest(case.rules, case.rows, case.catalogue, case.until).transitions,
        key=lambda one: (one.at, one.key.rule, one.key.point),
    )
    lines: list[str] = []
    if case.transitions is not None:
        lines += _differing_transitions(case.transitions, found, case.start)
    for at, standing in case.standing:
        lines += _differing_alarms(at, standing, found, case.start)
    return lines


def _differing_transitions(wanted: Sequence[Wanted], found: Sequence[Transition], start: int) -> list[str]:
    rest = list(found)
    expected: list[tuple[int, str]] = []
    for one in wanted:
        match = _nearest(one, rest)
        if match is not None:
            rest.remove(match)
        expected.append((one.at, _shown_wanted(one, match, start)))
    # Sorted, because what happens at one time has no order that a test should have to know.
    return _difference(sorted(expected), sorted((one.at, _shown(one, start)) for one in found))


def _nearest(one: Wanted, found: Sequence[Transition]) -> Transition | None:
    """The transition that agrees in everything said, else one of the same rule, point and time."""
    same = [
        other
        for other in found
        if other.at == one.at and other.key.rule == one.rule and one.point in (None, other.key.point)
    ]
    return next((other for other in same if _agrees(one, other)), same[0] if same else None)


def _agrees(one: Wanted, other: Transition) -> bool:
    pairs = (
        (one.source, other.source),
        (one.to, other.target),
        (one.reason, other.reason),
        (one.priority, other.priority),
        (one.value, other.value),
    )
    return all(said is None or said == is_so for said, is_so in pairs)


def _shown(one: Transition, start: int) -> str:
    value = "" if one.value is None else f", value {one.value:g}"
    return (
        f"at {_offset(one.at, start)}: {one.key.rule} of {one.key.point}: {one.source} -> {one.target}"
        f" ({one.reason}, {one.priority}{value})"
    )


def _shown_wanted(one: Wanted, match: Transition | None, start: int) -> str:
    """As `_shown`, with what the test does not say taken from what happened."""
    point = one.point or (match.key.point if match else _ANY)
    source = one.source or (match.source if match else _ANY)
    reason = one.reason or (match.reason if match else _ANY)
    priority = one.priority or (match.priority if match else _ANY)
    value = one.value if one.value is not None else match.value if match else None
    return (
        f"at {_offset(one.at, start)}: {one.rule} of {point}: {source} -> {one.to}"
        f" ({reason}, {priority}{'' if value is None else f', value {value:g}'})"
    )


def _differing_alarms(at: int, wanted: Sequence[Standing], found: Sequence[Transition], start: int) -> list[str]:
    latest: dict[AlarmKey, Transition] = {}
    for transition in found:
        if transition.at <= at:
            latest[transition.key] = transition
    rest = [one for one in latest.values() if one.target in ACTIVE_STATES]
    actual = [_shown_alarm(at, one.key.rule, one.key.point, one.priority, start) for one in rest]
    expected: list[str] = []
    for one in sorted(wanted, key=lambda one: one.point is None):
        same = [other for other in rest if other.key.rule == one.rule and one.point in (None, other.key.point)]
        match = next((other for other in same if one.priority in (None, other.priority)), same[0] if same else None)
        if match is not None:
            rest.remove(match)
        point = one.point or (match.key.point if match else _ANY)
        expected.append(_shown_alarm(at, one.rule, point, one.priority or (match.priority if match else None), start))
    return _difference(sorted((at, line) for line in expected), sorted((at, line) for line in actual))


def _shown_alarm(at: int, rule: str, point: str, priority: Priority | None, start: int) -> str:
    return f"active at {_offset(at, start)}: {rule} of {point} ({priority or _ANY})"


def _offset(at: int, start: int) -> str:
    return format_duration(at - start)


def _difference(expected: list[tuple[int, str]], actual: list[tuple[int, str]]) -> list[str]:
    if expected == actual:
        return []
    lines = difflib.ndiff([line for _, line in expected], [line for _, line in actual])
    return [line for line in lines if not line.startswith("?")]
