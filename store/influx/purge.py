"""Windows of raw readings, their 15-minute summaries, and the purge that turns the first into the second.

A purge goes through the past in slices: sum up, store the summaries, delete. Its number and boundary are written down
before it begins, and each summary says by which purge it was made: one that was interrupted is taken up under the same
number and counts nothing twice. Late readings of purged time are added to the summary by the next purge. Summaries have
no tag `area`: an asset that moves must not get a second summary of the same window.
"""

from collections.abc import Sequence

import numpy as np

from domain.errors import StoreRefusedError
from domain.records import Windows
from domain.times import DAY
from store.influx import influxql
from store.influx.answers import Table
from store.influx.connection import Connection
from store.influx.lines import number_line, point_tags
from store.summaries import SUMMARY_STEP, Summary, as_windows, merged

SLICE = 7 * DAY
_STATE_TIME = 1  # one row per site, overwritten


class Purge:
    """Purges of one site."""

    def __init__(self, connection: Connection, site: str) -> None:
        self._connection, self._site = connection, site

    def run(self, metrics: Sequence[str], before: int) -> int:
        """Sum up and delete what is older than `before`; how many readings. An interrupted purge is ended first."""
        if not metrics:
            return 0
        boundary, number, done = self._state()
        deleted = 0 if done else self._purge_all(metrics, boundary, number)
        return deleted + self._purge_all(metrics, before, number + 1)

    def _purge_all(self, metrics: Sequence[str], before: int, number: int) -> int:
        if all(self._oldest(metric, before) is None for metric in metrics):
            return 0
        self._note(before, number, done=False)
        deleted = sum(self._purge(metric, before, number) for metric in metrics)
        self._note(before, number, done=True)
        return deleted

    def _purge(self, metric: str, before: int, number: int) -> int:
        deleted = 0
        while (oldest := self._oldest(metric, before)) is not None:
            start = oldest // SUMMARY_STEP * SUMMARY_STEP
            end = min(start + SLICE, before)
            tables = self._connection.query(influxql.count([metric], self._site, end))
            deleted += sum(int(rows or 0) for table in tables for (rows,) in table.rows("count"))
            self._sum_up(metric, start, end, number)
            self._connection.delete(metric, (("site", self._site),), start, end)
        return deleted

    def _oldest(self, metric: str, before: int) -> int | None:
        for table in self._connection.query(influxql.oldest(metric, self._site, before)):
            for (time,) in table.rows("time"):
                return int(time or 0)
        return None

    def _sum_up(self, metric: str, start: int, end: int, number: int) -> None:
        raw = _summaries_of_raw(self._connection, self._site, metric, start, end)
        stored = self._connection.query(influxql.summaries(metric, self._site, None, start, end))
        made = {(table.tags.get("point", ""), int(row[0] or 0)): row for table in stored for row in _rows(table)}
        lines = []
        for point, found in raw.items():
            tags = point_tags(self._site, point, "")
            for one in found:
                row = made.get((point, one.start))
                if row is not None and row[-1] == number:
                    continue  # counted by this very purge, before it was interrupted
                whole = one if row is None else merged(_summary(row), one)
                fields = {
                    "min": whole.low, "mean": whole.mean, "max": whole.high, "last": whole.last,
                    "count": float(whole.count), "bad": float(whole.bad), "purge": float(number),
                }  # fmt: skip
                lines.append(number_line(influxql.summary_of(metric), tags, fields, one.start))
        self._write(lines)

    def _state(self) -> tuple[int, int, bool]:
        """Boundary and number of the newest purge, and whether it came to its end."""
        for table in self._connection.query(influxql.purge_state(self._site)):
            for before, number, done in table.rows("before", "number", "done"):
                return int(before or 0), int(number or 0), bool(done)
        return 0, 0, True

    def _note(self, before: int, number: int, *, done: bool) -> None:
        fields = {"before": float(before), "number": float(number), "done": float(done)}
        self._write([number_line(influxql.PURGES, (("site", self._site),), fields, _STATE_TIME)])

    def _write(self, lines: Sequence[str]) -> None:
        for _, said in self._connection.write(lines):
            raise StoreRefusedError(f"InfluxDB refused a summary: {said}")


def read_windows(connection: Connection, site: str, point: str, start: int, end: int, step: int) -> Windows:
    """Raw readings of one point per step, aligned to `start`."""
    metric = point.partition("/")[2]
    if start >= end or not metric:
        return as_windows([])
    return as_windows(_raw(connection, metric, site, point, start, end, step).get(point, []))


def read_summaries(connection: Connection, site: str, point: str, start: int, end: int) -> list[Summary]:
    """The 15-minute summaries of one point that begin in the span."""
    metric = point.partition("/")[2]
    if start >= end or not metric:
        return []
    tables = connection.query(influxql.summaries(metric, site, point, start, end))
    return [_summary(row) for table in tables for row in _rows(table)]


def _summaries_of_raw(connection: Connection, site: str, metric: str, start: int, end: int) -> dict[str, list[Summary]]:
    return _raw(connection, metric, site, None, start, end, SUMMARY_STEP)


def _raw(
    connection: Connection, metric: str, site: str, point: str | None, start: int, end: int, step: int
) -> dict[str, list[Summary]]:
    """Summaries of raw readings per point: one query for the believable ones, one for all of them."""
    believed: dict[tuple[str, int], tuple[float, ...]] = {}
    for table in connection.query(influxql.believed(metric, site, point, start, end, step)):
        name = table.tags.get("point", point or "")
        for time, *numbers in table.rows("time", "min", "mean", "max", "last", "count"):
            if numbers[-1]:
                believed[(name, int(time or 0))] = tuple(float(number or 0) for number in numbers)
    found: dict[str, list[Summary]] = {}
    for table in connection.query(influxql.everything(metric, site, point, start, end, step)):
        name = table.tags.get("point", point or "")
        for time, number in table.rows("time", "count"):
            begin, all_of_them = int(time or 0), int(number or 0)
            if not all_of_them:
                continue
            low, mean, high, last, count = believed.get((name, begin), (np.nan, np.nan, np.nan, np.nan, 0.0))
            one = Summary(begin, low, mean, high, last, int(count), all_of_them - int(count))
            found.setdefault(name, []).append(one)
    return found


def _rows(table: Table) -> list[tuple[int | float | str | None, ...]]:
    return list(table.rows("time", "min", "mean", "max", "last", "count", "bad", "purge"))


def _summary(row: Sequence[int | float | str | None]) -> Summary:
    time, low, mean, high, last, count, bad = row[:7]

    def number(cell: int | float | str | None) -> float:
        return float("nan") if cell is None else float(cell)

    return Summary(
        int(time or 0), number(low), number(mean), number(high), number(last), int(count or 0), int(bad or 0)
    )
