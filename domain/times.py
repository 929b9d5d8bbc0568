"""Time at the borders: texts and datetimes become UTC milliseconds here, and nowhere else.

All of Caretaker counts time as `int` milliseconds since 1970-01-01T00:00:00Z. A naive datetime is refused, because
nobody can know what it meant. This module reads no clock; whoever needs "now" is handed it.
"""

import re
from datetime import UTC, datetime, timedelta

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# 1990 and 2200: outside them a number is surely in another unit (seconds, microseconds) or a broken clock.
EARLIEST = 631_152_000_000
LATEST = 7_258_118_400_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"ms": 1, "s": SECOND, "sec": SECOND, "min": MINUTE, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|sec|min|s|m|h|d|w)")


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, rounded down. ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: write it with Z or an offset such as +08:00")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """The aware UTC datetime of that millisecond."""
    return _EPOCH + timedelta(milliseconds=ms)


def iso(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, e.g. `2026-03-01T06:30:00.000Z`."""
    moment = from_ms(ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def parse_time(text: str) -> int:
    """UTC milliseconds of an RFC 3339 text or of a number of epoch milliseconds. ValueError says what is wrong."""
    text = text.strip()
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        ms = int(float(text)) if "." in text else int(text)
        if not EARLIEST <= ms <= LATEST:
            raise ValueError(f"{text} is not a plausible time in epoch milliseconds (1990 to 2200)")
        return ms
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither RFC 3339 (2026-03-01T08:00:00Z) nor epoch milliseconds") from None
    return to_ms(moment)


def parse_duration(text: str | int | float) -> int:
    """Milliseconds of `30min`, `1h30min`, `90s`, `2d`, `500ms`. A bare number other than 0 is refused as ambiguous."""
    if isinstance(text, bool) or not isinstance(text, str):
        if text == 0 and not isinstance(text, bool):
            return 0
        raise ValueError(f"{text!r} is not a duration: write a unit, such as 30min, 90s or 2h")
    compact = text.strip()
    if compact == "0":
        return 0
    total, end = 0.0, 0
    for part in _DURATION_PART.finditer(compact):
        if compact[end : part.start()].strip():
            break
        total += float(part[1]) * _UNITS[part[2]]
        end = part.end()
    if end == 0 or compact[end:].strip():
        raise ValueError(f"{text!r} is not a duration: write for example 30min, 90s, 1h30min or 2d")
    return round(total)


def format_duration(ms: int) -> str:
    """The shortest text that `parse_duration` reads back exactly, e.g. `1h30min`; `0s` for zero."""
    if ms == 0:
        return "0s"
    parts, rest = [], abs(ms)
    for unit, size in (("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if ms < 0 else "") + "".join(parts)
