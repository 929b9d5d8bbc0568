"""One batch into InfluxDB: which rows are new, which are duplicates, which must move; then one line for each.

New readings go straight to lines. Only points with a row that is not newer than all that is stored, or with two rows
at one time, are looked up: one query per metric and stretch of time. A stretch ends where nothing follows for a
minute, so that what a query answers is in proportion to the batch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from domain.batch import ReadingBatch
from domain.records import AppendResult, Refused
from domain.times import HOUR, MINUTE
from store.influx import influxql
from store.influx.answers import Table
from store.influx.connection import Connection
from store.influx.lines import UnwritableError, point_tags, reading_fields, series_head
from store.influx.newest import Newest
from store.influx.placing import MARGIN, Held, Placed, Shelf, Wanted

COLLISION = "time_collision"
STRETCH_GAP = MINUTE
LONGEST_STRETCH = 6 * HOUR
MOST_NAMED_POINTS = 100  # beyond it a query asks for all points of the metric

Lines = tuple[list[int], list[bytes]]  # row of the batch, and its line


class Append:
    """One batch on its way. `areas`: asset -> area, for the tag."""

    def __init__(self, batch: ReadingBatch, connection: Connection, newest: Newest, areas: Mapping[str, str]) -> None:
        self._batch, self._connection, self._newest = batch, connection, newest
        self._points = batch.point.tolist()
        self._times = batch.time.tolist()
        self._values = batch.value.tolist()
        self._qualities = batch.quality.tolist()
        self._refused: list[Refused] = []
        self._heads = {number: self._head(name, areas) for number, name in enumerate(batch.points)}

    def run(self) -> AppendResult:
        """Store what is not stored yet. StoreUnavailableError, StoreRefusedError: not known to be stored."""
        placed, unwritable = self._placed()
        rows, lines = self._lines(placed)
        by_row = {one.row: one for one in placed}
        for index, said in self._connection.write(lines):
            self._refused.append(Refused(rows[index], said))
        lost = {one.row for one in self._refused}
        kept = [by_row[row] for row in rows if row not in lost]
        for one in kept:
            self._newest.stored(self._batch.points[self._points[one.row]], one.time)
        collisions = sum(1 for one in kept if one.asked is not None)
        duplicates = len(self._batch) - len(placed) - unwritable
        return AppendResult(len(kept) - collisions, duplicates, collisions, tuple(sorted(self._refused, key=_row)))

    def _head(self, name: str, areas: Mapping[str, str]) -> str | None:
        asset, _, metric = name.partition("/")
        try:
            return series_head(metric, point_tags(self._batch.site, name, areas.get(asset, "")))
        except UnwritableError:
            return None

    def _placed(self) -> tuple[list[Placed], int]:
        """What is to be written, by row; and how many rows have a name that cannot be."""
        unwritable = [row for row, point in enumerate(self._points) if self._heads[point] is None]
        for row in unwritable:
            said = f"the point {self._batch.points[self._points[row]]!r} has a name that InfluxDB cannot keep"
            self._refused.append(Refused(row, said))
        crowded = self._crowded()
        old = {
            number
            for number, begin in self._first_times().items()
            if self._heads[number] is not None
            and (self._newest.of(self._batch.points[number]) >= begin or number in crowded)
        }
        skipped = old | {self._points[row] for row in unwritable}
        placed = [
            Placed(row, self._times[row], self._qualities[row])
            for row, point in enumerate(self._points)
            if point not in skipped
        ]
        if old:
            placed += self._beside_what_is_stored(old)
            placed.sort(key=lambda one: one.row)
        return placed, len(unwritable)

    def _crowded(self) -> set[int]:
        """Points with two rows at one time."""
        order = np.lexsort((self._batch.time, self._batch.point))
        point, time = self._batch.point[order], self._batch.time[order]
        same = (point[1:] == point[:-1]) & (time[1:] == time[:-1])
        return set(point[1:][same].tolist())

    def _first_times(self) -> dict[int, int]:
        first = np.full(len(self._batch.points), np.iinfo(np.int64).max, np.int64)
        np.minimum.at(first, self._batch.point, self._batch.time)
        return {number: first[number].item() for number in np.unique(self._batch.point).tolist()}

    def _beside_what_is_stored(self, points: set[int]) -> list[Placed]:
        by_metric: dict[str, list[int]] = {}
        for row, point in enumerate(self._points):
            if point in points:
                by_metric.setdefault(self._batch.points[point].partition("/")[2], []).append(row)
        placed: list[Placed] = []
        for metric, rows in by_metric.items():
            for stretch in _stretches(sorted(rows, key=lambda row: self._times[row]), self._times):
                placed += self._place_stretch(metric, stretch)
        return placed

    def _place_stretch(self, metric: str, rows: Sequence[int]) -> list[Placed]:
        by_point: dict[int, list[Wanted]] = {}
        for row in rows:
            wanted = Wanted(row, self._times[row], self._values[row], self._qualities[row])
            by_point.setdefault(self._points[row], []).append(wanted)
        names = [self._batch.points[point] for point in by_point]
        start, end = self._times[rows[0]], self._times[rows[-1]] + MARGIN
        held = self._held(metric, names, start, end)
        placed = []
        for point, wanted_rows in by_point.items():
            name = self._batch.points[point]
            shelf = Shelf(held.get(name, ()), end, self._more(metric, name))
            placed += shelf.place(wanted_rows)
        return placed

    def _more(self, metric: str, name: str) -> Callable[[int, int], Iterable[Held]]:
        return lambda start, end: self._held(metric, [name], start, end).get(name, ())

    def _held(self, metric: str, names: Sequence[str], start: int, end: int) -> dict[str, list[Held]]:
        asked = names if len(names) <= MOST_NAMED_POINTS else ()
        tables = self._connection.query(influxql.held(metric, self._batch.site, asked, start, end))
        return {table.tags.get("point", ""): list(_held_rows(table)) for table in tables}

    def _lines(self, placed: Sequence[Placed]) -> Lines:
        rows, lines = [], []
        texts, received = self._batch.texts, self._batch.received
        for one in placed:
            row = one.row
            text = texts.get(row, "")
            if one.asked is not None:
                text = f"{COLLISION}: {text}" if text else COLLISION
            try:
                fields = reading_fields(self._values[row], one.quality, received, text, one.asked, self._qualities[row])
            except UnwritableError as error:
                self._refused.append(Refused(row, str(error)))
                continue
            rows.append(row)
            lines.append(f"{self._heads[self._points[row]]}{fields} {one.time}".encode())
        return rows, lines


def _stretches(rows: Sequence[int], times: Sequence[int]) -> Iterator[list[int]]:
    """The rows, which are in order of time, in stretches without a long pause."""
    stretch: list[int] = []
    for row in rows:
        if stretch and (
            times[row] - times[stretch[-1]] > STRETCH_GAP or times[row] - times[stretch[0]] > LONGEST_STRETCH
        ):
            yield stretch
            stretch = []
        stretch.append(row)
    if stretch:
        yield stretch


def _held_rows(table: Table) -> Iterator[Held]:
    for time, value, quality, asked, was in table.rows("time", "value", "quality", "asked", "was"):
        yield Held(
            int(time or 0),
            float("nan") if value is None else float(value),
            int(quality or 0),
            None if asked is None else int(asked),
            int(was or 0),
        )


def _row(refused: Refused) -> int:
    return refused.row
