"""Every InfluxQL text of the InfluxDB series store; names and values are quoted here and nowhere else.

InfluxQL because 1.x, 2.x and 3 Core all answer it over `/query`. Times are UTC ms. One statement per text: 3 Core takes
no more.
"""

# ruff: noqa: S608 - every name and value goes through `name` and `text` (tests/unit/store/test_influx_texts.py)

from collections.abc import Sequence

GAPS = "caretaker.gaps"  # a metric's name has no dot, so these can never meet one
PURGES = "caretaker.purges"
SUMMARY_SUFFIX = ".15min"

_LAST_MS = 9_223_372_036_854  # InfluxDB keeps int64 nanoseconds
_SECOND_MS = -_LAST_MS + 1


def summary_of(metric: str) -> str:
    """The measurement of a metric's 15-minute summaries."""
    return metric + SUMMARY_SUFFIX


def text(value: str) -> str:
    """A string literal."""
    return "'" + _escaped(value).replace("'", "\\'") + "'"


def name(value: str) -> str:
    """An identifier."""
    return '"' + _escaped(value).replace('"', '\\"') + '"'


def between(start: int, end: int) -> str:
    """start <= time < end; what lies beyond InfluxDB's range is cut to it."""
    return f"time >= {_clamp(start)}ms AND time < {_clamp(end)}ms"


def create_database(database: str) -> str:
    """Makes the database; changes nothing when it is there."""
    return f"CREATE DATABASE {name(database)}"


def show_measurements() -> str:
    """The names of all measurements."""
    return "SHOW MEASUREMENTS"


def readings(metric: str, site: str, point: str, start: int, end: int, limit: int) -> str:
    """One point's rows in ascending time."""
    return (
        f'SELECT "value", "quality", "text", "received" FROM {name(metric)} WHERE {_at(site, (point,))} '
        f"AND {between(start, end)} ORDER BY time ASC LIMIT {limit}"
    )


def held(metric: str, site: str, points: Sequence[str], start: int, end: int) -> str:
    """What the milliseconds of the span hold, per point; every point of the site when `points` is empty."""
    return (
        f'SELECT "value", "quality", "asked", "was" FROM {name(metric)} WHERE {_at(site, points)} '
        f'AND {between(start, end)} GROUP BY "point" ORDER BY time ASC'
    )


def newest(metric: str, site: str) -> str:
    """The newest row of every point of the metric."""
    return (
        f'SELECT "value", "quality", "text", "received" FROM {name(metric)} WHERE {_at(site)} '
        f'GROUP BY "point" ORDER BY time DESC LIMIT 1'
    )


def newest_times(metric: str, site: str) -> str:
    """The time of the newest row of every point of the metric; each row has a quality."""
    return f'SELECT last("quality") FROM {name(metric)} WHERE {_at(site)} GROUP BY "point"'


def oldest(metric: str, site: str, before: int) -> str:
    """The oldest row of the metric before that time."""
    return (
        f'SELECT "quality" FROM {name(metric)} WHERE {_at(site)} AND {between(_SECOND_MS, before)} '
        f"ORDER BY time ASC LIMIT 1"
    )


def count(metrics: Sequence[str], site: str, before: int | None = None) -> str:
    """How many rows each metric has (before that time)."""
    bound = "" if before is None else f" AND {between(_SECOND_MS, before)}"
    return f'SELECT count("quality") FROM {", ".join(map(name, metrics))} WHERE {_at(site)}{bound}'


def believed(metric: str, site: str, point: str | None, start: int, end: int, step: int) -> str:
    """Low, mean, high, last and count of good and uncertain readings per step, aligned to `start`."""
    return (
        'SELECT min("value"), mean("value"), max("value"), last("value"), count("value") '
        f'FROM {name(metric)} WHERE {_at(site, (point,) if point else ())} AND {between(start, end)} AND "quality" < 2 '
        f"{_steps(start, step, point is None)}"
    )


def everything(metric: str, site: str, point: str | None, start: int, end: int, step: int) -> str:
    """How many readings there are per step, believable or not."""
    return (
        f'SELECT count("quality") FROM {name(metric)} WHERE {_at(site, (point,) if point else ())} '
        f"AND {between(start, end)} {_steps(start, step, point is None)}"
    )


def summaries(metric: str, site: str, point: str | None, start: int, end: int) -> str:
    """The 15-minute summaries of one point, or of all points of the metric."""
    return (
        'SELECT "min", "mean", "max", "last", "count", "bad", "purge" '
        f"FROM {name(summary_of(metric))} WHERE {_at(site, (point,) if point else ())} AND {between(start, end)} "
        f'GROUP BY "point" ORDER BY time ASC'
    )


def gaps(site: str, start: int, end: int) -> str:
    """Gap records that overlap [start, end)."""
    return (
        f'{_GAP} FROM {name(GAPS)} WHERE {_at(site)} AND "start" < {float(end)!r} AND "end" >= {float(start)!r} '
        f'GROUP BY "agent" ORDER BY time ASC'
    )


def gaps_beside(site: str, start: int, end: int) -> str:
    """Gap records whose rows lie in the span."""
    return f'{_GAP} FROM {name(GAPS)} WHERE {_at(site)} AND {between(start, end)} GROUP BY "agent" ORDER BY time ASC'


def ended_gaps(site: str, before: int) -> str:
    """Gap records that ended before that time."""
    return (
        f'{_GAP} FROM {name(GAPS)} WHERE {_at(site)} AND "end" < {float(before)!r} GROUP BY "agent" ORDER BY time ASC'
    )


def purge_state(site: str) -> str:
    """The boundary of the newest purge, and whether it came to its end."""
    return f'SELECT "before", "number", "done" FROM {name(PURGES)} WHERE {_at(site)} ORDER BY time DESC LIMIT 1'


def delete(measurement: str, tags: Sequence[tuple[str, str]], start: int, end: int) -> str:
    """Deletes the rows with these tags in the span."""
    where = " AND ".join(f"{name(key)} = {text(value)}" for key, value in tags)
    return f"DELETE FROM {name(measurement)} WHERE {where} AND {between(start, end)}"


_GAP = 'SELECT "start", "end", "count", "reason", "points"'


def _at(site: str, points: Sequence[str] = ()) -> str:
    where = f'"site" = {text(site)}'
    if points:
        where += " AND (" + " OR ".join(f'"point" = {text(point)}' for point in points) + ")"
    return where


def _steps(start: int, step: int, per_point: bool) -> str:
    tags = ', "point"' if per_point else ""
    return f"GROUP BY time({step}ms, {start % step}ms){tags} fill(none)"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _clamp(time: int) -> int:
    return max(_SECOND_MS, min(time, _LAST_MS))
