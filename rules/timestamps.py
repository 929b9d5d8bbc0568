"""A column of times at once: the same UTC milliseconds as `domain.times.parse_time`, for columns of one form.

Whatever is not of one of the uniform forms gives None, and the caller goes cell by cell.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from domain.batch import Int64s
from domain.times import DAY, EARLIEST, HOUR, LATEST, MINUTE, SECOND

_DIGITS = tuple(place for place in range(19) if place not in (4, 7, 10, 13, 16))
_MARKS = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"))
_EPOCH_MS_LENGTH = 13

_Matrix = npt.NDArray[np.uint8]


def parse_times(cells: Sequence[bytes]) -> Int64s | None:
    """UTC ms of `2026-03-01T08:00:00[.000](Z|±hh:mm)` (one form for all), or of 13-digit epoch ms; else None."""
    lengths = set(map(len, cells))
    if len(lengths) != 1:
        return None
    length = lengths.pop()
    raw = np.frombuffer(b"".join(cells), np.uint8).reshape(len(cells), length)
    if length == _EPOCH_MS_LENGTH:
        return _epoch(raw)
    fraction = 4 if length in (24, 29) else 0
    if length - fraction not in (20, 25):
        return None
    offset = _offset(cells[0][19 + fraction :], raw[:, 19 + fraction :])
    if offset is None or any((raw[:, place] != ord(mark)).any() for place, mark in _MARKS):
        return None
    digits = [*_DIGITS, *((20, 21, 22) if fraction else ())]
    if (raw[:, digits] - ord("0") > 9).any() or (fraction and (raw[:, 19] != ord(".")).any()):
        return None
    moments = _moments(raw)
    if moments is None:
        return None
    return moments + (_number(raw, 20, 23) if fraction else 0) - offset


def _epoch(raw: _Matrix) -> Int64s | None:
    if (raw - ord("0") > 9).any():
        return None
    times = _number(raw, 0, _EPOCH_MS_LENGTH)
    plausible = (times >= EARLIEST) & (times <= LATEST)
    return times if plausible.all() else None


def _offset(first: bytes, raw: _Matrix) -> int | None:
    """ms east of UTC that all rows share, or None."""
    if (raw != np.frombuffer(first, np.uint8)).any():
        return None
    if first == b"Z":
        return 0
    text = first.decode("ascii", "replace")
    hours, minutes = text[1:3], text[4:6]
    if text[0] not in "+-" or text[3:4] != ":" or not (hours + minutes).isdecimal():
        return None
    if int(hours) > 23 or int(minutes) > 59:
        return None
    size = int(hours) * HOUR + int(minutes) * MINUTE
    return size if text[0] == "+" else -size


def _moments(raw: _Matrix) -> Int64s | None:
    """ms of the wall clock since the epoch; None where a field is impossible, as in 30 February."""
    year, month, day = _number(raw, 0, 4), _number(raw, 5, 7), _number(raw, 8, 10)
    hour, minute, second = _number(raw, 11, 13), _number(raw, 14, 16), _number(raw, 17, 19)
    possible = (year > 0) & (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    if not possible.all():
        return None
    months = (year - 1970) * 12 + month - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    if (day > after - first).any():
        return None
    return (first + day - 1) * DAY + hour * HOUR + minute * MINUTE + second * SECOND


def _number(raw: _Matrix, start: int, stop: int) -> Int64s:
    number = np.zeros(len(raw), np.int64)
    for place in range(start, stop):
        number = number * 10 + (raw[:, place] - ord("0"))
    return number
