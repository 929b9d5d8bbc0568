"""Which agents' packs of one batch can be judged at once: judging costs per call, and a batch has packs of many agents.

Decides nothing about a reading. An agent goes with the others when nothing about its packs is out of the ordinary: its
points are its own and nobody else's in the batch, nothing of it waits, all of it is covered by its promise, newer than
everything before, and at most one reading is at any time. Then agents have nothing to do with each other, and the order
among them does not matter. All others are judged one after the other, in the order in which they came. Pure.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from domain.batch import Int64s
from rules.frontier import Agent, by_point_and_time
from rules.plan import Bools
from rules.points import PointTable
from rules.recent import Columns, no_columns

Piece = tuple[Agent, "slice | Int64s", int]  # agent, rows of the batch, promise


class Together(NamedTuple):
    """`rows` sorted by point and time, the agents that they are of with their new frontiers, and the other pieces."""

    rows: Columns
    movers: list[tuple[Agent, int]]
    others: list[Piece]


def together(pieces: list[Piece], rows: Columns, table: PointTable, received: int) -> Together:
    """Divide a batch; `rows` are all of its readings, with -1 for points that are not judged."""
    times = Counter(agent.number for agent, _, _ in pieces)
    plain = np.array([times[agent.number] == 1 and not len(agent.waiting.time) for agent, _, _ in pieces], np.bool_)
    if plain.sum() < 2:
        return Together(no_columns(), [], pieces)
    piece = np.zeros(len(rows.time), np.int64)
    for number, (_, part, _) in enumerate(pieces):
        piece[part] = number
    piece, rows = piece[rows.point >= 0], judged(rows)
    targets = [
        agent.target(upto, received) if one else 0 for (agent, _, upto), one in zip(pieces, plain.tolist(), strict=True)
    ]
    if len(rows.time):
        plain[piece[_odd(pieces, targets, rows, piece, table)]] = False
    movers = [(pieces[number][0], targets[number]) for number in np.flatnonzero(plain).tolist()]
    others = [one for one, taken in zip(pieces, plain.tolist(), strict=True) if not taken]
    if others:
        rows = rows.take(plain[piece])
    return Together(by_point_and_time(rows), movers, others)


def judged(rows: Columns) -> Columns:
    """The rows whose point is judged."""
    return rows.take(rows.point >= 0) if len(rows.point) and rows.point.min() < 0 else rows


def _odd(pieces: Sequence[Piece], targets: Sequence[int], rows: Columns, piece: Int64s, table: PointTable) -> Bools:
    """Rows that keep their agent from going with the others."""
    point, time = rows.point, rows.time
    number = np.array([agent.number for agent, _, _ in pieces], np.int64)
    frontier = np.array([agent.frontier for agent, _, _ in pieces], np.int64)
    odd: Bools = time < np.maximum(frontier[piece], table.floor[point])
    odd |= time > np.array(targets, np.int64)[piece]
    odd |= time <= table.last_time[point]
    foreign = table.owner[point] != number[piece]
    if foreign.any():
        odd |= np.isin(point, point[foreign])
    order = np.lexsort((time, point))
    same = (point[order[1:]] == point[order[:-1]]) & (time[order[1:]] == time[order[:-1]])
    odd[order[1:][same]] = True
    return odd
