"""The series store on SQLite: where readings are kept in the embedded product mode, for ingest and web at once.

One file in WAL mode. A reading's home is `readings(point, time)`; a reading whose millisecond was taken by another
value sits in the next free one, and `moved` says where it wanted to be: that is how appending it again finds it.
Writers take turns (one connection, one lock, `BEGIN IMMEDIATE`); readers use connections of their own from a small
pool. It must not judge readings and never alters a value.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from domain.batch import Gap, ReadingBatch
from domain.errors import CaretakerError
from domain.readings import Quality, QualityCode
from domain.records import AppendResult, Latest, Series, Windows
from store import series_sql as sql
from store.sqlite_files import BUSY_MS, prepare
from store.summaries import SUMMARY_STEP, Summary, together

COLLISION = "time_collision"
IDLE_READERS = 8  # connections kept open between reads; more are opened when needed and closed after
PURGE_CHUNK = 20_000  # rows per transaction, so that ingest never waits long for a purge

_QUALITY = {code.value: code.quality for code in QualityCode}
_Row = tuple[int, int, float, int, str | None, int]


class SqliteSeriesStore:
    """`domain.ports.SeriesStore` on one SQLite file; safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._write_lock = threading.Lock()
        self._pool_lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._ids: dict[tuple[str, str], int] = {}
        self._writer = _open(path)
        try:
            self._prepare()
        except BaseException:
            self._writer.close()
            raise

    def append(self, batch: ReadingBatch) -> AppendResult:
        """Store the rows durably and idempotently; see `domain.ports.SeriesStore.append`."""
        if len(batch) == 0:
            return AppendResult(0, 0, 0)
        with self._writing() as connection:
            ids = self._point_ids(connection, batch.site, batch.points)
            rows = _rows(batch, ids)
            before = connection.total_changes
            connection.executemany(sql.INSERT, rows)
            stored = connection.total_changes - before
            collisions = 0 if stored == len(rows) else _place_conflicts(connection, rows)
            connection.execute(sql.ADD_COUNT, (batch.site, stored + collisions))
        self._ids.update({(batch.site, name): number for name, number in zip(batch.points, ids, strict=True)})
        return AppendResult(stored, len(batch) - stored - collisions, collisions)

    def append_all(self, batches: Sequence[ReadingBatch], *, unbroken: bool = False) -> list[AppendResult]:
        """As `append` for each, in order."""
        return [self.append(batch) for batch in batches]

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        """Readings with start <= time < end in ascending time; at most `limit`, the earliest first."""
        with self._reading() as connection:
            number = _point_id(connection, site, point)
            asked = (number, start, end, -1 if limit is None else limit)
            rows = [] if number is None else connection.execute(sql.READ, asked).fetchall()
        return Series(
            np.array([row[0] for row in rows], np.int64),
            np.array([row[1] for row in rows], np.float64),
            tuple(_QUALITY[row[2]] for row in rows),
            {index: row[3] for index, row in enumerate(rows) if row[3]},
            np.array([row[4] for row in rows], np.int64),
        )

    def window(self, site: str, point: str, start: int, end: int, step: int) -> Windows:
        """Readings with start <= time < end per step ms, windows aligned to `start`. ValueError for step < 1. With a
        step of 15 minutes or more, what was purged is there as its summaries."""
        if step < 1:
            raise ValueError(f"a window is at least 1 ms long, not {step}")
        with self._reading() as connection:
            number = _point_id(connection, site, point)
            asked = {"point": number, "start": start, "end": end, "step": step}
            rows = [] if number is None else connection.execute(sql.WINDOW, asked).fetchall()
            purged = [] if step < SUMMARY_STEP else connection.execute(sql.SUMMARIES, asked).fetchall()
        index, low, mean, high, last, count, bad = zip(*rows, strict=True) if rows else ((),) * 7
        raw = Windows(
            np.array(index, np.int64) * step + start,
            np.array(low, np.float64),
            np.array(mean, np.float64),
            np.array(high, np.float64),
            np.array(last, np.float64),
            np.array(count, np.int64),
            np.array(bad, np.int64),
        )
        return together(raw, [_summary(row) for row in purged], start, step)

    def latest(self, site: str) -> list[Latest]:
        """The newest reading of every point of the site, by point."""
        with self._reading() as connection:
            rows = connection.execute(sql.LATEST, (site,)).fetchall()
        return [
            Latest(name, time, _value(value), _QUALITY[quality], received, text or "")
            for name, time, value, quality, received, text in rows
        ]

    def add_gaps(self, site: str, gaps: Sequence[Gap]) -> None:
        """Keep gap records; the same gap again changes nothing."""
        if gaps:
            with self._writing() as connection:
                connection.executemany(sql.INSERT_GAP, [(site, *_gap_row(gap)) for gap in gaps])

    def gaps(self, site: str, start: int, end: int) -> list[Gap]:
        """Gap records that overlap [start, end), by start."""
        with self._reading() as connection:
            rows = connection.execute(sql.GAPS, (site, end, start)).fetchall()
        return [
            Gap(agent, first, last, count, reason, tuple(msgspec.json.decode(points)))
            for agent, first, last, count, reason, points in rows
        ]

    def purge(self, site: str, before: int) -> int:
        """Delete readings (and gaps that ended) older than `before`, in short transactions, each with what it adds to
        the summaries; how many readings."""
        deleted = 0
        with self._reading() as connection:
            numbers = [row[0] for row in connection.execute(sql.POINTS_OF_SITE, (site,))]
        for number in numbers:
            while chunk := self._purge_chunk(site, number, before):
                deleted += chunk
        with self._writing() as connection:
            connection.execute(sql.PURGE_GAPS, (site, before))
        return deleted

    def count(self, site: str) -> int:
        """How many readings of the site are stored; kept beside them, so that it costs nothing to ask."""
        with self._reading() as connection:
            row = connection.execute(sql.COUNT, (site,)).fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Close every connection; a store that is closed refuses further use."""
        with self._write_lock, self._pool_lock:
            self._closed = True
            for connection in (*self._idle, self._writer):
                connection.close()
            self._idle.clear()

    def _prepare(self) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version > sql.VERSION:
            raise CaretakerError(
                f"{self._path} has series format {version}, this Caretaker reads up to {sql.VERSION}",
                "run the newer version, or restore a backup of the older one",
            )
        self._writer.execute(sql.TEMPORARY)
        if version < sql.VERSION:
            # Two processes may start at once: the second waits here, and finds everything made.
            with self._writing() as connection:
                for statement in sql.TABLES:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {sql.VERSION}")

    def _point_ids(self, connection: sqlite3.Connection, site: str, names: Sequence[str]) -> list[int]:
        ids = []
        for name in names:
            number = self._ids.get((site, name)) or _point_id(connection, site, name)
            if number is None:
                asset, _, metric = name.partition("/")
                number = connection.execute(sql.INSERT_POINT, (site, asset, metric)).lastrowid
            assert number is not None
            ids.append(number)
        return ids

    def _purge_chunk(self, site: str, number: int, before: int) -> int:
        with self._writing() as connection:
            asked = (number, before, PURGE_CHUNK)
            row = connection.execute(sql.PURGE_EDGE, asked).fetchone()
            if row[0] is None:
                return 0
            connection.execute(sql.SUM_UP, {"point": number, "edge": row[0], "step": SUMMARY_STEP})
            deleted = connection.execute(sql.PURGE, (number, row[0])).rowcount
            connection.execute(sql.PURGE_MOVED, (number, row[0]))
            connection.execute(sql.ADD_COUNT, (site, -deleted))
        return deleted

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._write_lock:
            self._refuse_closed()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._pool_lock:
            self._refuse_closed()
            connection = self._idle.pop() if self._idle else None
        connection = connection or _open(self._path, read_only=True)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._pool_lock:
            if not self._closed and len(self._idle) < IDLE_READERS:
                self._idle.append(connection)
                return
        connection.close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise RuntimeError(f"the series store {self._path} is closed")


def _open(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    # A connection moves between threads but is used by one at a time: the locks above see to that.
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        prepare(connection, sql.READER_PRAGMAS if read_only else sql.WRITER_PRAGMAS)
    except BaseException:
        connection.close()
        raise
    return connection


def _point_id(connection: sqlite3.Connection, site: str, name: str) -> int | None:
    asset, _, metric = name.partition("/")
    row = connection.execute(sql.POINT, (site, asset, metric)).fetchone()
    return None if row is None else int(row[0])


def _rows(batch: ReadingBatch, ids: Sequence[int]) -> list[_Row]:
    """The batch's rows by point and time, as the tree wants them; among equals the first to arrive stays first."""
    point = np.array(ids, np.int64)[batch.point]
    order = np.lexsort((batch.time, point))
    texts: list[str | None] = [None] * len(batch)
    for row, text in batch.texts.items():
        texts[row] = text
    ordered = [texts[row] for row in order.tolist()] if batch.texts else texts
    return list(
        zip(
            point[order].tolist(),
            batch.time[order].tolist(),
            batch.value[order].tolist(),  # SQLite stores NaN as NULL, and `IS` finds NULL equal to NULL
            batch.quality[order].tolist(),
            ordered,
            [batch.received] * len(batch),
            strict=True,
        )
    )


def _place_conflicts(connection: sqlite3.Connection, rows: Sequence[_Row]) -> int:
    """Move the rows whose millisecond holds another reading to the next free one; how many were moved now."""
    connection.execute(sql.CLEAR_INCOMING)
    connection.executemany(sql.INSERT_INCOMING, [(index, *row[:4]) for index, row in enumerate(rows)])
    conflicts = [rows[found[0]] for found in connection.execute(sql.CONFLICTS)]
    connection.execute(sql.CLEAR_INCOMING)
    return sum(_place(connection, row) for row in conflicts)


def _place(connection: sqlite3.Connection, row: _Row) -> bool:
    point, asked, value, quality, text, received = row
    if connection.execute(sql.FIND_MOVED, (point, asked, quality, value)).fetchone() is not None:
        return False
    begin = connection.execute(sql.LAST_MOVED, (point, asked)).fetchone()[0]
    free = connection.execute(sql.NEXT_FREE, (point, asked if begin is None else begin)).fetchone()[0]
    # A bad reading stays bad: `uncertain` is judged like good.
    marked = QualityCode.BAD if quality == QualityCode.BAD else Quality.UNCERTAIN.code
    note = f"{COLLISION}: {text}" if text else COLLISION
    connection.execute(sql.INSERT, (point, free, value, int(marked), note, received))
    connection.execute(sql.INSERT_MOVED, (point, free, asked, quality))
    return True


def _gap_row(gap: Gap) -> tuple[str, int, int, int, str, str]:
    return gap.agent, gap.start, gap.end, gap.count, gap.reason, msgspec.json.encode(gap.points).decode()


def _summary(row: tuple[int, float | None, float | None, float | None, float | None, int, int]) -> Summary:
    start, low, mean, high, last, count, bad = row
    return Summary(start, _value(low), _value(mean), _value(high), _value(last), count, bad)


def _value(stored: float | None) -> float:
    return float("nan") if stored is None else stored
