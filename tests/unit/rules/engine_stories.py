"""What stories of the engine share: one rule, one fridge, minutes instead of milliseconds, and a history."""

import numpy as np

from domain.alarms import AlarmEvent, Priority
from domain.batch import batch_of
from domain.catalogue import Label
from domain.readings import Quality, Reading
from domain.records import Series
from domain.times import MINUTE
from rules.engine import Engine
from rules.model import Level, Limit, Rule, RuleSet, Selector

T0 = 1_760_000_000_000
FRIDGE = "fridge-1/temperature"


def warm(limit: float = 8.0, on: int = 10, off: int = 0, rule: str = "warm", title: str = "") -> Rule:
    level = Level(Limit(above=limit), Priority.HIGH, on * MINUTE, off * MINUTE)
    return Rule(rule, Selector(metric="temperature"), (level,), Label(title), max_gap=3 * MINUTE)


def rule_set(*rules: Rule) -> RuleSet:
    return RuleSet({rule.id: rule for rule in rules})


def engine_with(*rules: Rule, history: "Stored | None" = None) -> Engine:
    engine = Engine("school", history)
    engine.set_rules(None, rule_set(*rules), T0)
    return engine


def minutes(first: int, last: int, value: float) -> list[tuple[float, float]]:
    return [(minute, value) for minute in range(first, last + 1)]


def send(
    engine: Engine, pairs: list[tuple[float, float]], upto: float, received: float | None = None
) -> list[AlarmEvent]:
    rows = [Reading(FRIDGE, T0 + round(minute * MINUTE), value) for minute, value in pairs]
    at = T0 + round((upto if received is None else received) * MINUTE)
    events = engine.feed(batch_of("school", at, rows, agent="kitchen", upto=T0 + round(upto * MINUTE)))
    return events + engine.review(at)[1]


def said(events: list[AlarmEvent]) -> list[tuple[str, float]]:
    return [(str(event.kind), (event.at - T0) / MINUTE) for event in events]


class Stored:
    """A history that holds one point's readings and counts how often it is asked."""

    def __init__(self, pairs: list[tuple[float, float]]) -> None:
        self.time = np.array([T0 + round(minute * MINUTE) for minute, _ in pairs], np.int64)
        self.value = np.array([value for _, value in pairs], np.float64)
        self.asked = 0

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        self.asked += 1
        rows = np.flatnonzero((self.time >= start) & (self.time < end))[:limit]
        return Series(self.time[rows], self.value[rows], (Quality.GOOD,) * len(rows))
