"""15-minute summaries of purged readings: their width, and how they and raw windows add up to the windows asked for.

A summary keeps the lowest and the highest value, so that an excursion never averages away. It belongs to the asked
window in which it begins, so at a window's edge a chart of purged time is off by less than 15 minutes.
"""

from dataclasses import dataclass, fields

import numpy as np

from domain.batch import Float64s, Int64s
from domain.records import Windows
from domain.times import MINUTE

SUMMARY_STEP = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Summary:
    """One window of one point; NaN where there was nothing believable."""

    start: int
    low: float
    mean: float
    high: float
    last: float
    count: int
    bad: int


def merged(earlier: Summary, later: Summary) -> Summary:
    """Both parts of one window; `later` has the newer last value, when it has one."""
    count = earlier.count + later.count
    weighted = [part.mean * part.count for part in (earlier, later) if part.count]
    return Summary(
        earlier.start,
        float(np.fmin(earlier.low, later.low)),
        sum(weighted) / count if count else float("nan"),
        float(np.fmax(earlier.high, later.high)),
        later.last if later.count else earlier.last,
        count,
        earlier.bad + later.bad,
    )


def as_windows(found: list[Summary]) -> Windows:
    """The summaries in columns, by start."""
    ordered = sorted(found, key=lambda one: one.start)

    def column(name: str) -> Float64s:
        return np.array([getattr(one, name) for one in ordered], np.float64)

    def whole(name: str) -> Int64s:
        return np.array([getattr(one, name) for one in ordered], np.int64)

    return Windows(
        whole("start"), column("low"), column("mean"), column("high"), column("last"), whole("count"), whole("bad")
    )


def together(raw: Windows, purged: list[Summary], start: int, step: int) -> Windows:
    """The windows asked for, from raw windows and from summaries of time that was purged."""
    if not purged:
        return raw
    found: dict[int, Summary] = {}
    for one in sorted(purged, key=lambda part: part.start):
        begin = start + (one.start - start) // step * step
        moved = Summary(begin, one.low, one.mean, one.high, one.last, one.count, one.bad)
        found[begin] = merged(found[begin], moved) if begin in found else moved
    columns = [getattr(raw, field.name).tolist() for field in fields(raw)]
    for row in zip(*columns, strict=True):
        part = Summary(*row)
        found[part.start] = merged(found[part.start], part) if part.start in found else part
    return as_windows(list(found.values()))
