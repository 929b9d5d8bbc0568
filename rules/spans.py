"""Packs of one agent in one batch, put together where judging them at once says the same as one after the other.

At one reading a message a batch has hundreds of spans, and each costs the engine as much as a thousand readings do. A
run of an agent's spans becomes one when every point of the batch has a single agent, all of the run promise or none
does, and no reading of it is older than what the agent had promised before. Pure.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from domain.batch import Int64s, ReadingBatch, Span
from rules.recent import spread
from rules.timeline import NEVER

Part = tuple[str, "slice | Int64s", int]  # agent, rows of the batch, promise


def parts(batch: ReadingBatch, frontier: Callable[[str], int]) -> Iterator[Part]:
    """The batch's rows in the parts that are judged at once; `frontier`: how far an agent's story was complete.

    Parts of one agent are in the order of arrival; agents are in the order of their first span.
    """
    spans = batch.spans or (Span("", 0, len(batch), 0),)
    by_agent: dict[str, list[int]] = {}
    for number, span in enumerate(spans):
        by_agent.setdefault(span.agent, []).append(number)
    rows = None if len(by_agent) == len(spans) else _rows_by_agent(batch, spans, list(by_agent.values()))
    if rows is None:
        for span in spans:
            yield span.agent, slice(span.start, span.stop), span.upto
        return
    oldest = _oldest(spans, batch.time)
    for (agent, own), mine in zip(by_agent.items(), rows, strict=True):
        if len(own) > 1 and _in_order([(spans[one].upto, oldest[one]) for one in own], frontier(agent)):
            yield agent, mine, max(spans[one].upto for one in own)
        else:
            for one in own:
                yield agent, slice(spans[one].start, spans[one].stop), spans[one].upto


def _rows_by_agent(batch: ReadingBatch, spans: Sequence[Span], by_agent: list[list[int]]) -> list[Int64s] | None:
    """The rows of each agent, in the order of its spans; None when a point has readings of two agents."""
    order = [spans[number] for own in by_agent for number in own]
    start = np.array([span.start for span in order], np.int64)
    length = np.array([span.stop for span in order], np.int64) - start
    before = np.cumsum(length) - length
    rows = spread(start, length)
    last = np.cumsum([len(own) for own in by_agent]) - 1  # the last span of each agent
    stop = (before + length)[last]
    of_row = np.empty(len(batch), np.int64)
    of_row[rows] = np.repeat(np.arange(len(by_agent)), np.diff(stop, prepend=0))
    of_point = np.zeros(len(batch.points), np.int64)
    of_point[batch.point] = of_row
    return np.split(rows, stop[:-1]) if (of_point[batch.point] == of_row).all() else None


def _oldest(spans: Sequence[Span], time: Int64s) -> list[int]:
    """The oldest time of each span; NEVER of one without readings."""
    full = [number for number, span in enumerate(spans) if span.stop > span.start]
    oldest = [NEVER] * len(spans)
    if full:
        edges = np.array([edge for number in full for edge in (spans[number].start, spans[number].stop)], np.int64)
        found = np.minimum.reduceat(np.append(time, NEVER), edges)[::2]  # what lies between two spans is not asked for
        for number, value in zip(full, found.tolist(), strict=True):
            oldest[number] = value
    return oldest


def _in_order(told: list[tuple[int, int]], frontier: int) -> bool:
    """Whether all spans (promise, oldest reading) promise something, nothing is late, and nothing is older than a
    promise made before it."""
    reached = frontier
    for upto, oldest in told:
        if upto <= 0 or oldest < reached:
            return False
        reached = max(reached, upto)
    return True
