"""Agents whose packs are in order are judged at once; whoever is out of the ordinary is judged as before."""

import numpy as np
import pytest

from domain.alarms import AlarmEvent, Priority
from domain.batch import ReadingBatch, Span
from domain.times import MINUTE
from rules.engine import Engine
from rules.frontier import Agent
from rules.model import Level, Limit, Rule, RuleSet, Selector
from rules.points import PointTable
from rules.recent import Columns
from rules.together import together

T0 = 1_760_000_000_000
AGENTS = 3
Row = tuple[int, int, int, float]  # agent, point, minute, value


def columns(rows: list[Row]) -> Columns:
    return Columns(
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.float64),
        np.zeros(len(rows), np.uint8),
    )


def divided(rows: list[Row], uptos: list[int], received: int = 0) -> tuple[list[int], list[int]]:
    """Numbers of the agents that go together, and of the others; agent k owns point k, and was heard until 10."""
    table, agents = PointTable(), [Agent(number) for number in range(AGENTS)]
    for number, agent in enumerate(agents):
        table.add(f"f{number}/t")
        table.owner[number], table.last_time[number] = number, 9
        agent.frontier, agent.promised = 10, True
    pieces = [(agents[row[0]], slice(k, k + 1), upto) for k, (row, upto) in enumerate(zip(rows, uptos, strict=True))]
    found = together(pieces, columns(rows), table, received)
    taken = sorted(agent.number for agent, _ in found.movers)
    assert taken == sorted(set(found.rows.point.tolist()))
    return taken, [agent.number for agent, _, _ in found.others]


def test_agents_whose_packs_are_in_order_go_together() -> None:
    assert divided([(2, 2, 11, 1.0), (0, 0, 10, 1.0), (1, 1, 12, 1.0)], [11, 10, 12])[1] == []


def test_rows_go_sorted_by_point_and_time_with_each_agents_new_frontier() -> None:
    table, agents = PointTable(), [Agent(0), Agent(1)]
    for number, agent in enumerate(agents):
        table.add(f"f{number}/t")
        table.owner[number] = number
        agent.frontier = 10
    rows = columns([(1, 1, 12, 1.0), (1, 1, 11, 2.0), (0, 0, 11, 3.0), (0, -1, 11, 4.0)])
    found = together([(agents[1], slice(0, 2), 12), (agents[0], slice(2, 4), 13)], rows, table, 0)
    assert found.rows.value.tolist() == [3.0, 2.0, 1.0]
    assert [(agent.number, target) for agent, target in found.movers] == [(1, 12), (0, 13)]


@pytest.mark.parametrize(
    ("odd", "upto"),
    [
        ((0, 0, 9, 1.0), 11),  # late, and not newer than what was applied
        ((0, 0, 12, 1.0), 11),  # not covered by the promise
        ((0, 1, 11, 1.0), 11),  # another one's point
    ],
)
def test_who_is_out_of_the_ordinary_is_judged_alone(odd: Row, upto: int) -> None:
    taken, others = divided([odd, (1, 1, 11, 1.0), (2, 2, 11, 1.0)], [upto, 11, 11])
    contested = [1] if odd[1] == 1 else []
    assert (taken, others) == ([number for number in (1, 2) if number not in contested], [0, *contested])


def test_an_agent_with_several_pieces_or_one_that_waits_is_judged_alone() -> None:
    rows: list[Row] = [(0, 0, 11, 1.0), (0, 0, 12, 1.0), (1, 1, 11, 1.0), (2, 2, 11, 1.0)]
    assert divided(rows, [11, 12, 11, 11]) == ([1, 2], [0, 0])


def site(rows: list[Row], received: int) -> ReadingBatch:
    """A batch with one pack per row, promising its own time."""
    times = [T0 + row[2] * MINUTE for row in rows]
    spans = tuple(Span(f"a{row[0]}", k, k + 1, time) for k, (row, time) in enumerate(zip(rows, times, strict=True)))
    return ReadingBatch(
        "school",
        received,
        tuple(f"fridge-{number}/temperature" for number in range(AGENTS)),
        np.array([row[1] for row in rows], np.int32),
        np.array(times, np.int64),
        np.array([row[3] for row in rows], np.float64),
        np.zeros(len(rows), np.uint8),
        spans,
    )


def judged(batches: list[ReadingBatch]) -> list[AlarmEvent]:
    engine = Engine("school")
    level = Level(Limit(above=8.0), Priority.HIGH, 2 * MINUTE, MINUTE)
    engine.set_rules(
        None, RuleSet({"warm": Rule("warm", Selector(metric="temperature"), (level,), max_gap=3 * MINUTE)}), T0
    )
    events = [event for given in batches for event in engine.feed(given)]
    return sorted(events, key=lambda event: (event.key.point, event.at, event.kind))


@pytest.mark.parametrize("seed", range(6))
def test_alarms_are_the_same_whether_agents_come_in_one_batch_or_each_in_its_own(seed: int) -> None:
    random = np.random.default_rng(seed)
    minutes: list[list[Row]] = []
    for minute in range(80):
        rows: list[Row] = []
        for agent in random.permutation(AGENTS).tolist():
            late = 3 if random.random() < 0.04 else 0
            point = (agent + 1) % AGENTS if random.random() < 0.03 else agent
            value = float(random.choice([5.0, 7.9, 8.1, 9.0]) if minute % 9 else 9.5)
            rows.append((agent, point, minute - late, value))
        minutes.append(rows)
    received = T0 + 80 * MINUTE
    at_once = judged([site(rows, received) for rows in minutes])
    assert at_once == judged([site([row], received) for rows in minutes for row in rows])
    assert at_once
