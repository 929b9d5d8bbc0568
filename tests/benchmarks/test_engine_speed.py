"""How fast the engine judges: a year of one point, and a live site of a thousand points; figures side by side."""

import numpy as np
import pytest

from domain.alarms import AlarmEvent, Priority
from domain.batch import ReadingBatch, Span
from domain.times import MINUTE
from rules.engine import Engine
from rules.model import Level, Limit, Rule, RuleSet, Selector
from tests.benchmarks.timing import best_with, show

T0 = 1_760_000_000_000
YEAR = 525_600
LIVE_MINUTES, LIVE_POINTS = 50, 1_000


def cold_chain(*, prefilter: bool = True) -> Engine:
    level = Level(Limit(above=8.0, deadband=0.5), Priority.HIGH, 30 * MINUTE, 5 * MINUTE)
    engine = Engine("school", prefilter=prefilter)
    rule = Rule("warm", Selector(metric="temperature"), (level,), max_gap=3 * MINUTE)
    engine.set_rules(None, RuleSet({"warm": rule}), T0)
    return engine


def year(engine: Engine, value: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[AlarmEvent]:
    time = T0 + np.arange(len(value), dtype=np.int64) * MINUTE
    events: list[AlarmEvent] = []
    for start in range(0, len(value), 50_000):
        part = time[start : start + 50_000]
        count, last = len(part), int(part[-1])
        columns = (np.zeros(count, np.int32), part, value[start : start + count], np.zeros(count, np.uint8))
        events += engine.feed(
            ReadingBatch("school", last, ("fridge-1/temperature",), *columns, (Span("agent", 0, count, last),))
        )
    return events


@pytest.mark.parametrize("noise", [0.1, 3.0])
def test_a_year_of_one_point(noise: float) -> None:
    value = 6 + 3 * np.sin(np.arange(YEAR) / 200) + np.random.default_rng(1).normal(0, noise, YEAR)
    events: list[AlarmEvent] = []

    def work(engine: Engine) -> None:
        events[:] = year(engine, value)

    show(f"a year of one point at one minute, noise of {noise} °C", best_with(cold_chain, work), YEAR)
    assert (len(events) > 100) == (noise < 1)


def test_a_month_of_one_point_says_the_same_reading_by_reading() -> None:
    value = 6 + 3 * np.sin(np.arange(YEAR // 12) / 200) + np.random.default_rng(1).normal(0, 0.1, YEAR // 12)
    said: dict[bool, list[AlarmEvent]] = {}
    slow = best_with(lambda: cold_chain(prefilter=False), lambda engine: said.update({False: year(engine, value)}))
    fast = best_with(cold_chain, lambda engine: said.update({True: year(engine, value)}))
    show("a month of one point, reading by reading", slow, len(value))
    show("a month of one point, with the pre-filter", fast, len(value), slow)
    assert said[True] == said[False]
    assert said[True]


@pytest.mark.parametrize("prefilter", [False, True])
def test_a_live_site_of_a_thousand_points(prefilter: bool) -> None:
    names = tuple(f"fridge-{number}/temperature" for number in range(LIVE_POINTS))
    value = np.random.default_rng(1).normal(5, 1.5, (LIVE_MINUTES, LIVE_POINTS))
    events: list[AlarmEvent] = []

    def work(engine: Engine) -> None:
        for minute, row in enumerate(value):
            at = T0 + minute * MINUTE
            columns = (
                np.arange(LIVE_POINTS, dtype=np.int32),
                np.full(LIVE_POINTS, at),
                row,
                np.zeros(LIVE_POINTS, np.uint8),
            )
            span = Span("agent", 0, LIVE_POINTS, at)
            events.extend(engine.feed(ReadingBatch("school", at, names, *columns, (span,))))

    name = "with the pre-filter" if prefilter else "reading by reading"
    seconds = best_with(lambda: cold_chain(prefilter=prefilter), work)
    show(f"a live site of a thousand points, {name}", seconds, LIVE_MINUTES * LIVE_POINTS)
    assert events == []
