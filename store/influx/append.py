"""One batch into InfluxDB: which rows are new, which are duplicates, which must move; then one line for each.

New readings go straight to lines, in columns: this is the busiest path of the store. Only points with a row that is not
newer than all that is stored, or with two rows at one time, are looked up: one query per metric and stretch of time. A
stretch ends where nothing follows for a minute, so that what a query answers is in proportion to the batch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from domain.batch import Int64s, ReadingBatch
from domain.records import AppendResult, Refused
from domain.times import HOUR, MINUTE
from store.influx import influxql
from store.influx.answers import Table
from store.influx.connection import Refused as RefusedLine
from store.influx.lines import UnwritableError, reading_fields
from store.influx.newest import NOTHING_STORED, Newest
from store.influx.placing import MARGIN, Held, Placed, Shelf, Wanted

COLLISION = "time_collision"
STRETCH_GAP = MINUTE
LONGEST_STRETCH = 6 * HOUR
MOST_NAMED_POINTS = 100  # beyond it a query asks for all points of the metric


class Append:
    """One batch on its way: `lines` first, then `result` with what the server refused of them.

    `query` asks the server, which must know everything that was sent before. `heads`: what a line of each of the
    batch's points begins with; None where the name cannot be written.
    """

    def __init__(
        self, batch: ReadingBatch, query: Callable[[str], list[Table]], newest: Newest, heads: Sequence[str | None]
    ) -> None:
        self._batch, self._query, self._newest, self._heads = batch, query, newest, heads
        self._refused: list[Refused] = []
        self._rows = np.zeros(0, np.int64)
        self._moved: dict[int, Placed] = {}
        self._duplicates = 0

    def lines(self) -> list[str]:
        """A line for each row that is not stored yet; the memory of newest times takes them as stored from now on."""
        rows, self._moved = self._plan()
        self._duplicates = len(self._batch) - len(rows) - len(self._refused)
        self._rows, lines = self._lines(rows, self._moved)
        return lines

    def result(self, refused: Sequence[RefusedLine]) -> AppendResult:
        """What became of the batch; `refused` are those of its lines that the server refused."""
        lost = {int(self._rows[index]): said for index, said in refused}
        self._refused += [Refused(row, said) for row, said in lost.items()]
        written = set(self._rows.tolist()).difference(lost) if self._moved else set()
        collisions = sum(1 for row in self._moved if row in written)
        stored = len(self._rows) - len(lost) - collisions
        return AppendResult(stored, self._duplicates, collisions, tuple(sorted(self._refused, key=lambda one: one.row)))

    def _plan(self) -> tuple[Int64s, dict[int, Placed]]:
        """The rows to write, ascending; and where those go that cannot stay at their own time."""
        batch = self._batch
        skipped = np.array([head is None for head in self._heads], bool)
        for row in np.flatnonzero(skipped[batch.point]).tolist():
            said = f"the point {batch.points[batch.point[row]]!r} has a name that InfluxDB cannot keep"
            self._refused.append(Refused(row, said))
        old = self._points_to_look_at(skipped)
        skipped[old] = True
        rows = np.flatnonzero(~skipped[batch.point]).astype(np.int64)
        if not old:
            return rows, {}
        placed = self._beside_what_is_stored(np.flatnonzero(np.isin(batch.point, old)).tolist())
        self._remember_moved(placed)
        rows = np.sort(np.concatenate([rows, np.array([one.row for one in placed], np.int64)]))
        return rows, {one.row: one for one in placed if one.asked is not None}

    def _points_to_look_at(self, skipped: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[int]:
        """Points with a row that is not newer than all that they have, or with two rows at one time. The memory of
        newest times then knows those of the batch."""
        batch, nothing = self._batch, NOTHING_STORED
        first = np.full(len(batch.points), np.iinfo(np.int64).max, np.int64)
        np.minimum.at(first, batch.point, batch.time)
        last = np.full(len(batch.points), nothing, np.int64)
        np.maximum.at(last, batch.point, batch.time)
        asked = [name for name, no in zip(batch.points, skipped.tolist(), strict=True) if not no]
        known = np.full(len(batch.points), nothing, np.int64)
        known[~skipped] = self._newest.of(asked)
        self._newest.stored(asked, np.maximum(known, last)[~skipped].tolist())
        looked_at = first <= known
        looked_at[_crowded(batch)] = True
        return np.flatnonzero(looked_at & (last > nothing) & ~skipped).tolist()

    def _remember_moved(self, placed: Sequence[Placed]) -> None:
        """A reading that was moved may be the newest of its point now."""
        points = self._batch.points
        for one in placed:
            name = points[self._batch.point[one.row]]
            if one.asked is not None and one.time > self._newest.of([name])[0]:
                self._newest.stored([name], [one.time])

    def _beside_what_is_stored(self, rows: Sequence[int]) -> list[Placed]:
        batch = self._batch
        metrics = [name.partition("/")[2] for name in batch.points]
        by_metric: dict[str, list[int]] = {}
        for row in rows:
            by_metric.setdefault(metrics[batch.point[row]], []).append(row)
        times = batch.time.tolist()
        placed: list[Placed] = []
        for metric, some in by_metric.items():
            for stretch in stretches(sorted(some, key=lambda row: times[row]), times):
                placed += self._place_stretch(metric, stretch)
        return placed

    def _place_stretch(self, metric: str, rows: Sequence[int]) -> list[Placed]:
        batch = self._batch
        by_point: dict[str, list[Wanted]] = {}
        for row in rows:
            wanted = Wanted(row, int(batch.time[row]), float(batch.value[row]), int(batch.quality[row]))
            by_point.setdefault(batch.points[batch.point[row]], []).append(wanted)
        start, end = int(batch.time[rows[0]]), int(batch.time[rows[-1]]) + MARGIN
        held = self._held(metric, list(by_point), start, end)
        placed: list[Placed] = []
        for name, some in by_point.items():
            placed += Shelf(held.get(name, ()), end, self._more(metric, name)).place(some)
        return placed

    def _more(self, metric: str, name: str) -> Callable[[int, int], Iterable[Held]]:
        return lambda start, end: self._held(metric, [name], start, end).get(name, ())

    def _held(self, metric: str, names: Sequence[str], start: int, end: int) -> dict[str, list[Held]]:
        asked = names if len(names) <= MOST_NAMED_POINTS else ()
        tables = self._query(influxql.held(metric, self._batch.site, asked, start, end))
        return {table.tags.get("point", ""): list(_held_rows(table)) for table in tables}

    def _lines(self, rows: Int64s, moved: Mapping[int, Placed]) -> tuple[Int64s, list[str]]:
        """A line for each row; rows that cannot be written are refused and left out."""
        batch = self._batch
        points, values = batch.point[rows].tolist(), batch.value[rows].tolist()
        qualities, times = batch.quality[rows].tolist(), batch.time[rows].tolist()
        tails = [f",quality={quality},received={batch.received} " for quality in range(3)]
        heads = self._heads
        lines = [
            f"{heads[point]}value={value!r}{tails[quality]}{time}"
            for point, value, quality, time in zip(points, values, qualities, times, strict=True)
        ]
        special = ~np.isfinite(batch.value[rows])
        if batch.texts or moved:
            special |= np.isin(rows, np.array([*batch.texts, *moved], np.int64))
        unwritable = []
        for index in np.flatnonzero(special).tolist():
            row = int(rows[index])
            try:
                lines[index] = f"{heads[points[index]]}{self._fields(row, moved.get(row))}"
            except UnwritableError as error:
                self._refused.append(Refused(row, str(error)))
                unwritable.append(index)
        for index in reversed(unwritable):
            del lines[index]
        return np.delete(rows, unwritable), lines

    def _fields(self, row: int, moved: Placed | None) -> str:
        """Fields and time of a row that has a text, no value, or another place."""
        batch = self._batch
        value, quality, text = float(batch.value[row]), int(batch.quality[row]), batch.texts.get(row, "")
        if moved is None:
            return f"{reading_fields(value, quality, batch.received, text, None, 0)} {batch.time[row]}"
        text = f"{COLLISION}: {text}" if text else COLLISION
        return f"{reading_fields(value, moved.quality, batch.received, text, moved.asked, quality)} {moved.time}"


def _crowded(batch: ReadingBatch) -> Int64s:
    """Numbers of the points with two rows at one time."""
    order = np.lexsort((batch.time, batch.point))
    point, time = batch.point[order], batch.time[order]
    same = (point[1:] == point[:-1]) & (time[1:] == time[:-1])
    return np.unique(point[1:][same]).astype(np.int64)


def stretches(rows: Sequence[int], times: Sequence[int]) -> Iterator[list[int]]:
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
