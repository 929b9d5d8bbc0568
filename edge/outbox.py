"""The agent's durable queue: a reading stays here until ingest's receipt says that it is settled.

It keeps readings in the order in which the sources gave them, hands out ranges of them, forgets what is settled, and
stays within its bounds: when it must drop it drops the oldest that no pack in flight holds, and leaves a gap record.
It must never lose a committed reading without such a record, nor wait for the network. One thread uses it; a second
process is refused. An append is on the disk when it returns; a settlement may be undone by a power cut (then readings
are sent again, which is harmless).
"""

import sqlite3
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from domain.readings import QualityCode, Reading
from domain.times import EARLIEST
from edge.outbox_file import OutboxCorruptError, OutboxFile
from wire.senml import GapRecord

MAX_GAP_POINTS = 200  # a gap of more points is said of all of the agent's points
MAX_GAPS = 256  # beyond it gaps become one, whatever lies between
DROP_CHUNK = 500

# What a row costs in the file beside its texts: numbers, header, its share of pages. A unit test holds it to the file.
ROW_BYTES = 48

_TOTAL = "SELECT count(*), coalesce(sum(length(CAST(point AS BLOB)) + length(CAST(text AS BLOB))), 0) FROM reading"
_ROWS = "SELECT id, upto, point, time, value, quality, text FROM reading "
_log = structlog.get_logger("edge.outbox")


class GapReason(StrEnum):
    """Why readings will never come."""

    OUTBOX_FULL = "outbox_full"
    OUTBOX_AGE = "outbox_age"
    OUTBOX_CORRUPT = "outbox_corrupt"
    DISK_ERROR = "disk_error"
    AGENT_STOPPED = "agent_stopped"
    AGENT_RESTARTED = "agent_restarted"


class Stored(NamedTuple):
    """A reading in the queue; nothing that was put in after it is earlier than `upto` (UTC ms)."""

    id: int
    upto: int
    reading: Reading


class HeldGap(NamedTuple):
    """A gap record in the queue."""

    id: int
    gap: GapRecord


class Outbox:
    """The queue in one file. `held` and `held_bytes` are how many readings it holds and about how much they take."""

    def __init__(self, path: Path, max_bytes: int, max_age: int) -> None:
        self._file = OutboxFile(path)
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._sealed_gaps: set[int] = set()
        self._protected = 0
        self.held = 0
        self.held_bytes = 0
        self.cycle = 0  # UTC ms of the cycle whose readings are appended next; 0: of no sensors

    def open(self, now: int) -> None:
        """Open or create the file; a corrupt one is set aside. CaretakerError when another process uses it."""
        try:
            self._file.open()
            self._count()
        except OutboxCorruptError as error:
            self.start_anew(now, str(error))

    def append(self, rows: Sequence[tuple[Reading, int]], now: int) -> None:
        """Take readings, each with its `upto`; they are on the disk when this returns. `now`: what they age from."""
        if not rows:
            return
        with self._file.transaction(durable=True):
            self._file.execute_many(
                "INSERT INTO reading (point, time, value, quality, text, upto, kept) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(r.point, r.time, r.value, int(r.quality.code), r.text, upto, now) for r, upto in rows],
            )
            if self.cycle:
                self._file.execute("INSERT OR REPLACE INTO cycle VALUES (1, ?, 0)", (self.cycle,))
        self.held += len(rows)
        self.held_bytes += sum(_size(reading) for reading, _ in rows)

    def peek(self, after: int, limit: int) -> list[Stored]:
        """At most `limit` readings behind row `after`, in order."""
        return self._select("WHERE id > ? ORDER BY id LIMIT ?", (after, limit))

    def rows(self, first: int, last: int) -> list[Stored]:
        """The readings from row `first` to row `last`, both included."""
        return self._select("WHERE id BETWEEN ? AND ? ORDER BY id", (first, last))

    def protect(self, through: int) -> None:
        """Rows up to `through` are in packs in flight; to drop them would leave open whether they arrived."""
        self._protected = through

    def settle(self, through: int, gaps: Sequence[int] = ()) -> bool:
        """Forget rows up to `through` and those gap records: ingest has them. False when the disk refuses it now."""
        count, texts = self._file.fetch(_TOTAL + " WHERE id <= ?", (through,))[0]
        try:
            with self._file.transaction(durable=False):
                self._file.execute("DELETE FROM reading WHERE id <= ?", (through,))
                for gap in gaps:
                    self._file.execute("DELETE FROM gap WHERE id = ?", (gap,))
        except sqlite3.OperationalError as error:  # even deleting needs room on the disk
            _log.error("receipted readings cannot be deleted yet", error=str(error))
            return False
        self._sealed_gaps.difference_update(gaps)
        self.held -= count
        self.held_bytes -= texts + count * ROW_BYTES
        return True

    def gaps(self) -> list[HeldGap]:
        """All gap records that are not settled, oldest first."""
        found = self._file.fetch('SELECT id, start, "end", count, reason, points FROM gap ORDER BY id')
        return [
            HeldGap(number, GapRecord(start, end, count, reason, msgspec.json.decode(points, type=tuple[str, ...])))
            for number, start, end, count, reason, points in found
        ]

    def take_gaps(self, limit: int) -> list[HeldGap]:
        """At most `limit` gap records that no pack holds yet; from now on they grow no more."""
        found = [held for held in self.gaps() if held.id not in self._sealed_gaps][:limit]
        self._sealed_gaps.update(held.id for held in found)
        return found

    def add_gap(self, start: int, end: int, count: int, reason: GapReason, points: Iterable[str] = ()) -> None:
        """Record readings that were lost before they came here."""
        with self._file.transaction(durable=True):
            self._record(GapRecord(start, end, count, reason, _listed(points)), 0, 0)

    def last_cycle(self) -> tuple[int, bool] | None:
        """The newest cycle of sensors on the disk: its time (UTC ms), and whether a stop in good order followed."""
        found = self._file.fetch("SELECT time, stopped FROM cycle")
        return (int(found[0][0]), bool(found[0][1])) if found else None

    def stopped(self) -> None:
        """The agent ends in good order."""
        with self._file.transaction(durable=False):
            self._file.execute("UPDATE cycle SET stopped = 1")

    def trim(self, now: int) -> int:
        """Drop what is over the bounds, the oldest first; how many readings were dropped."""
        dropped = 0
        while doomed := self._doomed(now):
            rows, reason = doomed
            times = [row.reading.time for row in rows]
            gap = GapRecord(min(times), max(times), len(rows), reason, _listed(row.reading.point for row in rows))
            with self._file.transaction(durable=True):
                self._file.execute("DELETE FROM reading WHERE id BETWEEN ? AND ?", (rows[0].id, rows[-1].id))
                self._record(gap, rows[0].id, rows[-1].id)
            self.held -= len(rows)
            self.held_bytes -= sum(_size(row.reading) for row in rows)
            dropped += len(rows)
        if dropped:
            _log.warning("the outbox dropped its oldest readings", dropped=dropped, held=self.held)
        return dropped

    def start_anew(self, now: int, why: str) -> None:
        """Set the corrupt file aside and begin an empty one whose gap record says so; nothing of it is believed."""
        earliest = self._earliest(now)
        aside = self._file.set_aside(now)
        self._sealed_gaps, self._protected = set(), 0
        self._file.open()
        self._count()
        self.add_gap(earliest, now, 0, GapReason.OUTBOX_CORRUPT)
        _log.error("the outbox was corrupt and set aside: unsent readings in it are lost", file=str(aside), why=why)

    def close(self) -> None:
        """Close the file; what is in it stays."""
        self._file.close()

    def _count(self) -> None:
        self.held, texts = self._file.fetch(_TOTAL)[0]
        self.held_bytes = texts + self.held * ROW_BYTES

    def _doomed(self, now: int) -> tuple[list[Stored], GapReason] | None:
        """The next rows to drop and why; None when the queue is within its bounds, or all of it is in flight."""
        over = self.held_bytes - self._max_bytes
        if over > 0:
            rows, freed = self.peek(self._protected, DROP_CHUNK), 0
            for number, row in enumerate(rows):
                freed += _size(row.reading)
                if freed >= over:
                    return rows[: number + 1], GapReason.OUTBOX_FULL
            return (rows, GapReason.OUTBOX_FULL) if rows else None
        ages = self._file.fetch(
            "SELECT id, kept FROM reading WHERE id > ? ORDER BY id LIMIT ?", (self._protected, DROP_CHUNK)
        )
        old = [number for number, _ in takewhile(lambda row: row[1] < now - self._max_age, ages)]
        return (self.rows(old[0], old[-1]), GapReason.OUTBOX_AGE) if old else None

    def _record(self, gap: GapRecord, first: int, last: int) -> None:
        """Write a gap of rows `first` to `last`, or let the newest grow when they touch and no pack holds it yet."""
        newest = next(reversed(self.gaps()), None)
        if newest and newest.id not in self._sealed_gaps and self._touches(newest, gap.reason, first):
            grown = newest.gap
            points = _listed({*gap.points, *grown.points}) if gap.points and grown.points else ()
            self._file.execute(
                'UPDATE gap SET start = ?, "end" = ?, count = ?, points = ?, last_row = max(last_row, ?) WHERE id = ?',
                (min(gap.start, grown.start), max(gap.end, grown.end), gap.count + grown.count,
                 msgspec.json.encode(points).decode(), last, newest.id),
            )  # fmt: skip
            return
        self._file.execute(
            'INSERT INTO gap (start, "end", count, reason, points, first_row, last_row) VALUES (?, ?, ?, ?, ?, ?, ?)',
            (gap.start, gap.end, gap.count, gap.reason, msgspec.json.encode(gap.points).decode(), first, last),
        )

    def _touches(self, held: HeldGap, reason: str, first: int) -> bool:
        """Whether no surviving row lies between that gap and row `first`."""
        (count,) = self._file.fetch("SELECT count(*) FROM gap")[0]
        if count >= MAX_GAPS:
            return True
        (last,) = self._file.fetch("SELECT last_row FROM gap WHERE id = ?", (held.id,))[0]
        between = self._file.fetch("SELECT 1 FROM reading WHERE id > ? AND id < ? LIMIT 1", (last, first))
        return held.gap.reason == reason and not between

    def _earliest(self, now: int) -> int:
        """Since when readings may be missing: the damaged file's earliest time if that still can be read."""
        both = "SELECT min(t) FROM (SELECT min(time) AS t FROM reading UNION ALL SELECT min(start) FROM gap)"
        try:
            earliest = self._file.fetch(both)[0][0]
        except (OutboxCorruptError, sqlite3.Error, AssertionError):
            earliest = None
        plausible = isinstance(earliest, int) and EARLIEST <= earliest <= now
        return int(earliest) if plausible else now - self._max_age

    def _select(self, where: str, values: tuple[int, ...]) -> list[Stored]:
        found = self._file.fetch(_ROWS + where, values)
        return [
            # SQLite keeps NaN as NULL.
            Stored(n, upto, Reading(p, t, float("nan") if v is None else v, QualityCode(q).quality, text))
            for n, upto, p, t, v, q, text in found
        ]


def _size(reading: Reading) -> int:
    """About what the reading takes in the file, in bytes."""
    return ROW_BYTES + len(reading.point.encode()) + len(reading.text.encode())


def _listed(points: Iterable[str]) -> tuple[str, ...]:
    """The points once each, in order; none, which means all, when they are too many to name."""
    names = sorted(set(points))
    return tuple(names) if len(names) <= MAX_GAP_POINTS else ()
