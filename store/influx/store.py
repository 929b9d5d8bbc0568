"""The series store on InfluxDB 1.x, 2.x or 3 Core: `domain.ports.SeriesStore` for more than one machine.

Measurement per metric, one row per reading (see docs/influxdb.md). One process appends for a site at a time (its
lease); reading is free to all. It must not judge readings and never alters a value.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from domain.batch import Gap, ReadingBatch
from domain.ids import is_id
from domain.readings import QualityCode
from domain.records import AppendResult, Latest, Series, Windows
from store.influx import influxql
from store.influx.address import InfluxAddress
from store.influx.answers import Cell, Table
from store.influx.append import Append
from store.influx.connection import Connection, Refused
from store.influx.flight import Flight
from store.influx.gaps import add_gaps, delete_ended_gaps, gaps_of, read_gaps
from store.influx.heads import Heads
from store.influx.newest import TRUST_SECONDS, Newest
from store.influx.purge import Purge, read_summaries, read_windows
from store.summaries import SUMMARY_STEP, together

PAGE = 50_000  # rows per query

_QUALITY = {code.value: code.quality for code in QualityCode}


class InfluxSeriesStore:
    """`domain.ports.SeriesStore` on one database (1.x, 3) or bucket (2.x); safe to use from several threads.

    `areas` gives asset -> area of a site, for the tag. Every method raises StoreUnavailableError when the server is
    away and StoreRefusedError when it refuses; nothing is asked of it before the first use.
    """

    def __init__(
        self,
        address: InfluxAddress,
        areas: Callable[[str], Mapping[str, str]] = lambda _site: {},
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = Connection(address)
        self._flight = Flight(self._connection)
        self._areas, self._monotonic = areas, monotonic
        self._write_lock = threading.Lock()
        self._newest: dict[str, Newest] = {}
        self._heads = Heads()

    def append(self, batch: ReadingBatch) -> AppendResult:
        """Store the rows durably and idempotently; see `domain.ports.SeriesStore.append`. Rows that InfluxDB cannot
        keep come back as `refused`; all others are stored."""
        return self.append_all((batch,))[0]

    def append_all(self, batches: Sequence[ReadingBatch], *, unbroken: bool = False) -> list[AppendResult]:
        """As `append` for each, in order; the lines of the next one are made while the server takes those before.
        `unbroken`: what was remembered at the last append still holds; see `domain.ports.SeriesStore.append_all`."""
        results: list[AppendResult] = []
        with self._write_lock:
            try:
                for batch in batches:
                    self._append(batch, results.append, unbroken)
                self._flight.land()
            except BaseException:
                self._flight.abandon()
                for newest in self._newest.values():
                    newest.forget()
                raise
        return results

    def _append(self, batch: ReadingBatch, done: Callable[[AppendResult], None], unbroken: bool) -> None:
        """Send the batch on its way; `done` is told when it arrived."""
        if not len(batch):
            self._flight.land()
            done(AppendResult(0, 0, 0))
            return
        newest, lines = self._newest_of(batch.site), None
        heads = self._heads.of(batch.site, batch.points, self._areas(batch.site))
        while lines is None:
            newest.begin(unbroken=unbroken)
            one = Append(batch, self._ask, newest, heads)
            lines = one.lines()
            planned = self._monotonic()
            self._flight.land()
            if not unbroken and self._monotonic() - planned > TRUST_SECONDS:  # long on its way: look again
                newest.forget()
                lines = None

        def landed(refused: list[Refused]) -> None:
            newest.end()
            done(one.result(refused))

        self._flight.begin(lines, landed)

    def _ask(self, text: str) -> list[Table]:
        """What the server answers once it has everything that was sent."""
        self._flight.land()
        return self._connection.query(text)

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        """Readings with start <= time < end in ascending time; at most `limit`, the earliest first."""
        rows: list[tuple[Cell, ...]] = []
        metric = point.partition("/")[2]
        wanted = limit
        while start < end and wanted != 0 and metric:
            size = PAGE if wanted is None else min(PAGE, wanted)
            tables = self._connection.query(influxql.readings(metric, site, point, start, end, size))
            page = [row for table in tables for row in table.rows("time", "value", "quality", "text", "received")]
            # A row whose fields are still being written is not there yet.
            rows += [row for row in page if row[2] is not None and (row[1] is not None or row[2] == QualityCode.BAD)]
            if len(page) < size:
                break
            start = int(page[-1][0] or 0) + 1
            wanted = None if wanted is None else wanted - len(page)
        return Series(
            np.array([row[0] for row in rows], np.int64),
            np.array([row[1] for row in rows], np.float64),
            tuple(_QUALITY[int(row[2] or 0)] for row in rows),
            {index: str(row[3]) for index, row in enumerate(rows) if row[3]},
            np.array([int(row[4] or 0) for row in rows], np.int64),
        )

    def window(self, site: str, point: str, start: int, end: int, step: int) -> Windows:
        """Readings with start <= time < end per step ms, windows aligned to `start`. ValueError for step < 1. With a
        step of 15 minutes or more, what was purged is there as its summaries."""
        if step < 1:
            raise ValueError(f"a window is at least 1 ms long, not {step}")
        raw = read_windows(self._connection, site, point, start, end, step)
        if step < SUMMARY_STEP:
            return raw
        return together(raw, read_summaries(self._connection, site, point, start, end), start, step)

    def latest(self, site: str) -> list[Latest]:
        """The newest reading of every point of the site, by point."""
        return sorted(
            (row for metric in self._metrics() for row in self._latest(site, metric)),
            key=lambda row: row.point.partition("/"),
        )

    def add_gaps(self, site: str, gaps: Sequence[Gap]) -> None:
        """Keep gap records; the same gap again changes nothing."""
        if gaps:
            with self._write_lock:
                add_gaps(self._connection, site, gaps)

    def gaps(self, site: str, start: int, end: int) -> list[Gap]:
        """Gap records that overlap [start, end), by start."""
        return gaps_of(read_gaps(self._connection, influxql.gaps(site, start, end)))

    def purge(self, site: str, before: int) -> int:
        """Delete readings (and gaps that ended) older than `before`, after they were summed up; how many readings.
        StoreRefusedError on 3 Core, which cannot delete."""
        with self._write_lock:
            deleted = Purge(self._connection, site).run(self._metrics(), before)
            delete_ended_gaps(self._connection, site, before)
        return deleted

    def count(self, site: str) -> int:
        """How many readings of the site are stored; the server counts them."""
        metrics = self._metrics()
        if not metrics:
            return 0
        tables = self._connection.query(influxql.count(metrics, site))
        return sum(int(number or 0) for table in tables for (number,) in table.rows("count"))

    def close(self) -> None:
        """Close every connection."""
        with self._write_lock:
            self._flight.close()
        self._connection.close()

    def _newest_of(self, site: str) -> Newest:
        if site not in self._newest:
            self._newest[site] = Newest(lambda metric: self._newest_times(site, metric), self._monotonic)
        return self._newest[site]

    def _newest_times(self, site: str, metric: str) -> dict[str, int]:
        tables = self._ask(influxql.newest_times(metric, site))
        return {table.tags.get("point", ""): int(time or 0) for table in tables for (time,) in table.rows("time")}

    def _latest(self, site: str, metric: str) -> Iterator[Latest]:
        for table in self._connection.query(influxql.newest(metric, site)):
            for moment, value, quality, text, received in table.rows("time", "value", "quality", "text", "received"):
                yield Latest(
                    table.tags.get("point", ""),
                    int(moment or 0),
                    float("nan") if value is None else float(value),
                    _QUALITY[int(quality or 0)],
                    int(received or 0),
                    str(text or ""),
                )

    def _metrics(self) -> list[str]:
        tables = self._connection.query(influxql.show_measurements())
        return sorted(name for table in tables for (name,) in table.rows("name") if is_id(str(name)))  # type: ignore[misc]  # names are text
