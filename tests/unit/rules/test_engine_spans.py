"""Packs of one agent in one batch are judged at once where that says the same, and one after the other elsewhere."""

import numpy as np
import pytest

from domain.alarms import AlarmEvent, Priority
from domain.batch import ReadingBatch, Span
from domain.times import MINUTE
from rules.engine import Engine
from rules.model import Level, Limit, Rule, RuleSet, Selector
from rules.spans import parts

T0 = 1_760_000_000_000
NEVER = -(2**62)
Row = tuple[str, int, int, float]  # agent, point, minute, value


def batch(rows: list[Row], promises: list[int] | None = None) -> ReadingBatch:
    """One span per row; a promise of None is the row's own time."""
    points = max((row[1] for row in rows), default=-1) + 1
    time = [T0 + minute * MINUTE for _, _, minute, _ in rows]
    uptos = time if promises is None else promises
    spans = tuple(
        Span(row[0], number, number + 1, upto) for number, (row, upto) in enumerate(zip(rows, uptos, strict=True))
    )
    return ReadingBatch(
        "school",
        max(time, default=T0),
        tuple(f"fridge-{number}/temperature" for number in range(points)),
        np.array([row[1] for row in rows], np.int32),
        np.array(time, np.int64),
        np.array([row[3] for row in rows], np.float64),
        np.zeros(len(rows), np.uint8),
        spans,
    )


def split(given: ReadingBatch, frontier: int = NEVER) -> list[tuple[str, list[int], int]]:
    rows = np.arange(len(given))
    return [(agent, rows[part].tolist(), upto) for agent, part, upto in parts(given, lambda _: frontier)]


def test_an_agents_packs_become_one_part_in_order_of_arrival() -> None:
    given = batch([("a", 0, 1, 5.0), ("b", 1, 1, 5.0), ("a", 0, 2, 5.0), ("b", 1, 3, 5.0)])
    assert split(given) == [("a", [0, 2], T0 + 2 * MINUTE), ("b", [1, 3], T0 + 3 * MINUTE)]


def test_one_pack_per_agent_stays_as_it_is() -> None:
    given = batch([("a", 0, 1, 5.0), ("b", 1, 1, 5.0)])
    assert split(given) == [("a", [0], T0 + MINUTE), ("b", [1], T0 + MINUTE)]


def test_a_batch_without_spans_is_one_part_without_a_promise() -> None:
    given = batch([("a", 0, 1, 5.0), ("a", 0, 2, 5.0)])
    bare = ReadingBatch("school", T0, given.points, given.point, given.time, given.value, given.quality)
    assert split(bare) == [("", [0, 1], 0)]
    assert split(batch([])) == [("", [], 0)]


def test_a_reading_older_than_a_promise_made_before_it_keeps_the_packs_apart() -> None:
    given = batch([("a", 0, 5, 5.0), ("a", 0, 3, 9.0), ("b", 1, 1, 5.0), ("b", 1, 2, 5.0)])
    assert split(given)[:2] == [("a", [0], T0 + 5 * MINUTE), ("a", [1], T0 + 3 * MINUTE)]
    assert split(given)[2:] == [("b", [2, 3], T0 + 2 * MINUTE)]


def test_a_late_reading_keeps_the_packs_apart() -> None:
    given = batch([("a", 0, 1, 5.0), ("a", 0, 2, 5.0)])
    assert len(split(given, T0 + 2 * MINUTE)) == 2
    assert len(split(given, T0 + MINUTE)) == 1


@pytest.mark.parametrize("promises", [[0, T0 + 2 * MINUTE], [T0 + MINUTE, 0], [0, 0]])
def test_packs_without_a_promise_stay_apart(promises: list[int]) -> None:
    assert len(split(batch([("a", 0, 1, 5.0), ("a", 0, 2, 5.0)], promises))) == 2


def test_a_point_of_two_agents_keeps_every_pack_apart() -> None:
    given = batch([("a", 0, 1, 5.0), ("b", 0, 2, 5.0), ("a", 0, 3, 5.0)])
    assert [agent for agent, _, _ in split(given)] == ["a", "b", "a"]


def test_an_empty_pack_only_moves_the_promise() -> None:
    given = batch([("a", 0, 1, 5.0), ("a", 0, 2, 5.0)])
    spans = (*given.spans, Span("a", 2, 2, T0 + 9 * MINUTE))
    idle = ReadingBatch("school", T0, given.points, given.point, given.time, given.value, given.quality, spans)
    assert split(idle) == [("a", [0, 1], T0 + 9 * MINUTE)]


def judged(batches: list[ReadingBatch]) -> list[AlarmEvent]:
    engine = Engine("school")
    level = Level(Limit(above=8.0), Priority.HIGH, 2 * MINUTE, MINUTE)
    rule = Rule("warm", Selector(metric="temperature"), (level,), max_gap=3 * MINUTE)
    engine.set_rules(None, RuleSet({"warm": rule}), T0)
    events = [event for given in batches for event in engine.feed(given)]
    return sorted(events, key=lambda event: (event.key.point, event.at))


@pytest.mark.parametrize("seed", range(8))
def test_alarms_are_the_same_whether_packs_come_one_by_one_or_together(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for minute in range(60):
        for agent in range(3):
            late = 4 if random.random() < 0.05 else 0
            value = float(random.choice([5.0, 7.9, 8.1, 9.0]) if minute % 9 else 9.5)
            rows.append((f"a{agent}", agent, minute - late, value))
    received = T0 + 60 * MINUTE

    def at_once(given: ReadingBatch) -> ReadingBatch:
        columns = (given.point, given.time, given.value, given.quality)
        return ReadingBatch("school", received, given.points, *columns, given.spans)

    together = judged([at_once(batch(rows))])
    names = batch(rows).points
    singly = []
    for row in rows:
        one = at_once(batch([row]))
        singly.append(ReadingBatch("school", received, names, one.point, one.time, one.value, one.quality, one.spans))
    assert together == judged(singly)
    assert together
