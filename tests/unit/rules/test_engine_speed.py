"""How fast the engine must be, with a wide margin for a busy machine: a year of one point, and a live site."""

from time import process_time

import numpy as np
import pytest

from domain.alarms import AlarmEvent, Priority
from domain.batch import ReadingBatch, Span
from domain.times import MINUTE
from rules.engine import Engine
from rules.model import Level, Limit, Rule, RuleSet, Selector

T0 = 1_760_000_000_000
YEAR = 525_600


def cold_chain() -> Engine:
    level = Level(Limit(above=8.0, deadband=0.5), Priority.HIGH, 30 * MINUTE, 5 * MINUTE)
    engine = Engine("school")
    rule = Rule("warm", Selector(metric="temperature"), (level,), max_gap=3 * MINUTE)
    engine.set_rules(None, RuleSet({"warm": rule}), T0)
    return engine


def year(engine: Engine, value: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[AlarmEvent]:
    time = T0 + np.arange(YEAR, dtype=np.int64) * MINUTE
    events: list[AlarmEvent] = []
    for start in range(0, YEAR, 50_000):
        part = time[start : start + 50_000]
        count, last = len(part), int(part[-1])
        columns = (np.zeros(count, np.int32), part, value[start : start + count], np.zeros(count, np.uint8))
        events += engine.feed(
            ReadingBatch("school", last, ("fridge-1/temperature",), *columns, (Span("agent", 0, count, last),))
        )
    return events


@pytest.mark.parametrize("noise", [0.1, 3.0])
def test_a_year_of_one_point_takes_less_than_a_second_and_a_half(noise: float) -> None:
    value = 6 + 3 * np.sin(np.arange(YEAR) / 200) + np.random.default_rng(1).normal(0, noise, YEAR)
    engine, began = cold_chain(), process_time()
    events = year(engine, value)
    assert process_time() - began < 1.5
    assert (len(events) > 100) == (noise < 1)


def test_a_live_site_of_a_thousand_points_is_judged_at_300_000_readings_a_second() -> None:
    names = tuple(f"fridge-{number}/temperature" for number in range(1000))
    value = np.random.default_rng(1).normal(5, 1.5, (200, 1000))
    engine, events = cold_chain(), 0
    began = process_time()
    for minute, row in enumerate(value):
        at = T0 + minute * MINUTE
        columns = (np.arange(1000, dtype=np.int32), np.full(1000, at), row, np.zeros(1000, np.uint8))
        events += len(engine.feed(ReadingBatch("school", at, names, *columns, (Span("agent", 0, 1000, at),))))
    assert 200 * 1000 / (process_time() - began) > 300_000
    assert events == 0
