"""Stored history as rows for a backtest: what the series store holds of some points over a span.

A store keeps event times and no arrival, so history is judged as if everything had come on time. Bounded: a span with
more readings than can be judged in a sensible time is refused with the span that would do. Asks the given `History`
and does no other I/O.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.errors import CaretakerError
from domain.ports import History
from domain.times import DAY, format_duration
from rules.readings_csv import ReadingRows

MOST_ROWS = 5_000_000
_AT_ONCE = 50_000

Column = npt.NDArray[Any]


def stored_rows(
    history: History, site: str, points: Sequence[str], start: int, end: int, most: int = MOST_ROWS
) -> ReadingRows:
    """The readings of the points with start <= time < end (UTC ms), point by point in ascending time.

    CaretakerError when there are more than `most`.
    """
    owner: list[Column] = []
    time: list[Column] = []
    value: list[Column] = []
    quality: list[Column] = []
    total = 0
    for number, name in enumerate(points):
        begin = start
        while begin < end:
            series = history.read(site, name, begin, end, _AT_ONCE)
            count = len(series.time)
            total += count
            if total > most:
                raise _too_many(total, number + 1, len(points), start, end, most)
            owner.append(np.full(count, number, np.int32))
            time.append(np.asarray(series.time, np.int64))
            value.append(np.asarray(series.value, np.float64))
            quality.append(np.array([one.code for one in series.quality], np.uint8))
            if count < _AT_ONCE:
                break
            begin = int(series.time[-1]) + 1
    at = _joined(time, np.int64)
    return ReadingRows(
        tuple(points), _joined(owner, np.int32), at, _joined(value, np.float64), _joined(quality, np.uint8), at
    )


def _joined(parts: Sequence[Column], kind: type) -> Column:
    return np.concatenate(parts).astype(kind, copy=False) if parts else np.zeros(0, kind)


def _too_many(total: int, read: int, points: int, start: int, end: int, most: int) -> CaretakerError:
    likely = total * points / read
    fitting = max(DAY, int((end - start) * most / likely) // DAY * DAY)
    return CaretakerError(
        f"more than {most} readings of {points} points in {format_duration(end - start)}",
        f"take a shorter span, for example {format_duration(fitting)}",
    )
