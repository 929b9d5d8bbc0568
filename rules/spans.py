"""Packs of one agent in one batch, put together where judging them at once says the same as one after the other.

At one reading a message a batch has hundreds of spans, and each costs the engine as much as a thousand readings do. A
run of an agent's spans becomes one when every point of the batch has a single agent, all of the run promise or none
does, and no reading of it is older than what the agent had promised before. Pure.
"""

from collections.abc import Callable, Iterator

import numpy as np

from domain.batch import Int64s, ReadingBatch, Span

Part = tuple[str, "slice | Int64s", int]  # agent, rows of the batch, promise


def parts(batch: ReadingBatch, frontier: Callable[[str], int]) -> Iterator[Part]:
    """The batch's rows in the parts that are judged at once; `frontier`: how far an agent's story was complete.

    Parts of one agent are in the order of arrival; agents are in the order of their first span.
    """
    spans = batch.spans or (Span("", 0, len(batch), 0),)
    by_agent: dict[str, list[Span]] = {}
    for span in spans:
        by_agent.setdefault(span.agent, []).append(span)
    if len(by_agent) == len(spans) or not _one_agent_each(batch, by_agent):
        for span in spans:
            yield span.agent, slice(span.start, span.stop), span.upto
        return
    for agent, own in by_agent.items():
        if len(own) > 1 and _in_order(own, batch.time, frontier(agent)):
            yield agent, _rows(own), max(span.upto for span in own)
        else:
            for span in own:
                yield agent, slice(span.start, span.stop), span.upto


def _one_agent_each(batch: ReadingBatch, by_agent: dict[str, list[Span]]) -> bool:
    """Whether no point has readings of two agents."""
    of_row = np.empty(len(batch), np.int64)
    for number, own in enumerate(by_agent.values()):
        of_row[_rows(own)] = number
    of_point = np.zeros(len(batch.points), np.int64)
    of_point[batch.point] = of_row
    return bool((of_point[batch.point] == of_row).all())


def _in_order(spans: list[Span], time: Int64s, frontier: int) -> bool:
    """Whether all promise something, nothing is late, and nothing is older than a promise made before it."""
    reached = frontier
    for span in spans:
        if span.upto <= 0:
            return False
        # min() over a list of one is much cheaper than over a column of one.
        if span.stop > span.start and min(time[span.start : span.stop].tolist()) < reached:
            return False
        reached = max(reached, span.upto)
    return True


def _rows(spans: list[Span]) -> Int64s:
    """The rows of the spans, in their order."""
    start = np.array([span.start for span in spans], np.int64)
    length = np.array([span.stop for span in spans], np.int64) - start
    before = np.cumsum(length) - length
    rows: Int64s = np.repeat(start - before, length) + np.arange(int(length.sum()))
    return rows
