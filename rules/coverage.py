"""How much of a span was measured: for whoever has to show that a fridge was watched, and for whoever mends the gaps.

Every millisecond is measured (its reading came at once), backfilled (it came later, from an agent's memory) or unknown;
unknown time has a reason where one is known. The meaning of known time is that of the excursion record
(`rules.insight.excursion`) and of the engine: a reading counts until the next one, at most for the gap rule. Nothing is
interpolated, and nothing is left out: the parts of a span add up to it. Pure: whoever calls has read the readings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from domain.batch import Gap, Int64s
from domain.catalogue import Point
from domain.readings import QualityCode
from domain.records import Series
from rules.events import RETROACTIVE
from rules.insight.excursion import DEFAULT_GAP

LATE = RETROACTIVE  # a reading that came more than so much (ms) after its event came from an agent's memory

Span = tuple[int, int]  # from, to (UTC ms)


@dataclass(frozen=True, slots=True)
class Coverage:
    """A span in ms: the five add up to it.

    `bad`: the sensor sent an error. `lost`: the agent or ingest has a record that readings of then will never come.
    `silent`: nothing came, and nobody knows why; an agent that is offline may still bring it.
    """

    measured: int = 0
    backfilled: int = 0
    bad: int = 0
    lost: int = 0
    silent: int = 0

    @property
    def unknown(self) -> int:
        """What nobody knows anything of."""
        return self.bad + self.lost + self.silent

    @property
    def whole(self) -> int:
        """The span's length."""
        return self.measured + self.backfilled + self.unknown

    @property
    def known_share(self) -> float:
        """Which part was measured, live or backfilled; 0 for no time at all."""
        return (self.measured + self.backfilled) / self.whole if self.whole else 0.0

    def __add__(self, other: "Coverage") -> "Coverage":
        return Coverage(
            self.measured + other.measured,
            self.backfilled + other.backfilled,
            self.bad + other.bad,
            self.lost + other.lost,
            self.silent + other.silent,
        )


def max_gap_of(point: Point | None) -> int:
    """For how long (ms) a reading of the point counts: three intervals, or three minutes where none is given."""
    return DEFAULT_GAP if point is None or point.interval is None else 3 * point.interval


def coverage(series: Series, lost: Sequence[Span], start: int, end: int, max_gap: int) -> Coverage:
    """The account of [start, end), UTC ms.

    `series` should hold the readings from `start - max_gap` to `end`, with when they were received (otherwise all count
    as measured at once); `lost` is what `lost_of` says of the point.
    """
    if end <= start:
        return Coverage()
    time, code, received = _in_order(series)
    following = np.append(time[1:], np.iinfo(np.int64).max)
    until = np.minimum(np.minimum(following, time + max_gap), end)
    held = np.maximum(until - np.maximum(time, start), 0)
    late = received - time > LATE
    bad = code == QualityCode.BAD
    holes = _holes(time, until, start, end)
    silent = sum(stop - begin for begin, stop in holes)
    missing = _overlap(holes, _united(lost))
    return Coverage(
        int(held[~bad & ~late].sum()), int(held[~bad & late].sum()), int(held[bad].sum()), missing, silent - missing
    )


def lost_of(point: str, agent: str, gaps: Iterable[Gap], max_gap: int) -> list[Span]:
    """The spans in which readings of the point are known to be lost: from the first of them until the last would have
    counted. `agent` is the point's agent ("": any); a gap without points is one of all points of its agent."""
    return [
        (gap.start, gap.end + max_gap)
        for gap in gaps
        if (point in gap.points if gap.points else not agent or gap.agent == agent)
    ]


def _in_order(series: Series) -> tuple[Int64s, Int64s, Int64s]:
    """Ascending times, qualities as codes (bad where there is no value), when each was received."""
    order = np.argsort(series.time, kind="stable")
    code = np.array([one.code for one in series.quality], np.int64)
    code[~np.isfinite(series.value)] = QualityCode.BAD
    received = series.received if len(series.received) else series.time
    return series.time[order], code[order], received[order]


def _holes(time: Int64s, until: Int64s, start: int, end: int) -> list[Span]:
    """The parts of [start, end) in which no reading counts, ascending."""
    begins = np.concatenate(([start], np.maximum(until, start)))
    stops = np.concatenate((np.clip(time, start, end), [end]))
    there = stops > begins
    return list(zip(begins[there].tolist(), stops[there].tolist(), strict=True))


def _united(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that do not overlap, ascending."""
    found: list[Span] = []
    for begin, stop in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((begin, stop))
    return found


def _overlap(first: Sequence[Span], second: Sequence[Span]) -> int:
    """How much time lies in both; each ascending and without overlap."""
    total, place = 0, 0
    for begin, stop in first:
        while place < len(second) and second[place][1] <= begin:
            place += 1
        for low, high in second[place:]:
            if low >= stop:
                break
            total += min(stop, high) - max(begin, low)
    return total
