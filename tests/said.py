"""What of a transition must be the same however it came about: live, replayed, in a backtest, after a crash."""

from typing import NamedTuple

from domain.alarms import Transition


class Said(NamedTuple):
    """A transition without its number, its detection and people; `at` in UTC ms, `priority` empty if there is none."""

    rule: str
    point: str
    source: str
    target: str
    reason: str
    priority: str
    at: int


def said_of(one: Transition) -> Said:
    """What is the same of this one."""
    priority = "" if one.priority is None else one.priority.value
    return Said(one.key.rule, one.key.point, one.source.value, one.target.value, one.reason.value, priority, one.at)
