"""The story of one point in a file: what came in order, what came late, and when each thing could be known.

The frontier of a story is the newest event time seen so far; a reading older than it is late. Readings that come in
order form stretches; late ones that arrive together are judged together, as one message of a live agent would be.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from domain.batch import Bytes8, Float64s, Int64s
from domain.readings import QualityCode
from domain.records import Series
from rules.frontier import free_place
from rules.plan import Bools
from rules.readings_csv import ReadingRows


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows that are fed at once: in order of event time, or late together; `upto` is the frontier after them."""

    rows: Int64s
    late: bool
    upto: int
    arrival: int


@dataclass(frozen=True)
class Story:
    """One point's readings in order of arrival; `arrival` never goes back, `late` marks those behind the frontier."""

    point: str
    time: Int64s
    value: Float64s
    quality: Bytes8
    arrival: Int64s
    frontier: Int64s  # after each row
    late: Bools
    in_order: Int64s  # rows that are not late
    in_order_time: Int64s

    def stretches(self) -> Iterator[Stretch]:
        """The story cut where late readings begin, end, or arrive at another moment."""
        cuts = np.flatnonzero(
            (self.late[1:] != self.late[:-1]) | (self.late[1:] & (self.arrival[1:] != self.arrival[:-1]))
        )
        starts = np.concatenate(([0], cuts + 1))
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(self.time)], strict=True):
            last = stop - 1
            yield Stretch(
                np.arange(start, stop), bool(self.late[start]), int(self.frontier[last]), int(self.arrival[last])
            )

    def known_at(self, at: int) -> int:
        """When the newest reading not after `at` arrived: what happens at `at` is known then, or at `at` itself."""
        place = int(np.searchsorted(self.in_order_time, at, "right")) - 1
        if place < 0:
            return at
        first = int(np.searchsorted(self.in_order_time, self.in_order_time[place], "left"))
        return int(self.arrival[self.in_order[first]])

    def signs_of_life(self, delays: Iterable[int]) -> Iterator[tuple[int, bool]]:
        """The rows that matter to no-data conditions of those delays, in order of arrival; with each, whether every
        delay was kept without a break since the row before.

        What is left out lies within such unbroken time, or is too old at its arrival to be a sign of life.
        """
        ascending = sorted(delays)
        age = self.arrival - self.time
        rows = np.flatnonzero(age <= ascending[-1])
        if not len(rows) or rows[0] > 0:
            yield 0, False  # whatever its age, it is when the point began to be watched
        if not len(rows):
            return
        alive = np.ones(len(rows) - 1, np.bool_)  # of each step from a row to the next
        for delay in ascending:
            alive &= _linked(self.arrival[rows], age[rows] <= delay, delay)
        freshest = age[rows] <= ascending[0]
        breaks = np.flatnonzero(~alive)
        begins = np.concatenate(([0], breaks + 1))
        for begin, end in zip(begins.tolist(), [*breaks.tolist(), len(rows) - 1], strict=True):
            yield int(rows[begin]), False
            sure = np.flatnonzero(freshest[begin + 1 : end + 1])
            jump = begin + 1 + int(sure[-1]) if len(sure) else begin
            if jump > begin:
                yield int(rows[jump]), True
            for place in range(jump + 1, end + 1):
                yield int(rows[place]), False


def _linked(arrival: Int64s, fresh: Bools, delay: int) -> Bools:
    """Which steps from a row to the next lie between two signs of life that are no further apart than the delay."""
    signs = np.flatnonzero(fresh)
    linked = np.diff(arrival[signs]) <= delay
    change = np.zeros(len(arrival), np.int64)
    change[signs[:-1][linked]] += 1
    change[signs[1:][linked]] -= 1
    steps: Bools = np.cumsum(change)[:-1] > 0
    return steps


def stories(rows: ReadingRows) -> Iterator[Story]:
    """One story per point, in the order of their first readings."""
    order = np.argsort(rows.point, kind="stable") if len(rows.points) > 1 else np.arange(len(rows))
    ends = np.searchsorted(rows.point[order], np.arange(len(rows.points) + 1))
    for number, name in enumerate(rows.points):
        mine = order[ends[number] : ends[number + 1]]
        if not len(mine):
            continue
        time = rows.time[mine]
        frontier = np.maximum.accumulate(time)
        late = time < frontier
        in_order = np.flatnonzero(~late)
        yield Story(
            name, time, rows.value[mine], rows.quality[mine], np.maximum.accumulate(rows.received[mine]), frontier,
            late, in_order, time[in_order],
        )  # fmt: skip


class Stored:
    """The story so far as stored readings: meets `domain.ports.History`, for judging late readings."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._in_order = 0  # how many rows of `in_order` were revealed
        self._late: list[int] = []

    def reveal(self, stretch: Stretch) -> None:
        """The stretch was fed."""
        if stretch.late:
            self._late += stretch.rows.tolist()
        else:
            self._in_order += len(stretch.rows)

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        """Readings with start <= time < end in ascending time, as a store keeps them; at most `limit`."""
        story = self._story
        first, last = np.searchsorted(story.in_order_time[: self._in_order], [start, end])
        rows = story.in_order[first:last].tolist()
        rows += [row for row in self._late if start <= story.time[row] < end]
        rows.sort(key=lambda row: (int(story.time[row]), row))
        taken: dict[int, tuple[float, int]] = {}
        for row in rows:
            free_place(taken, int(story.time[row]), float(story.value[row]), int(story.quality[row]))
        times = sorted(time for time in taken if time < end)[:limit]
        return Series(
            np.array(times, np.int64),
            np.array([taken[time][0] for time in times], np.float64),
            tuple(QualityCode(taken[time][1]).quality for time in times),
        )
