"""Moves an installation's data from the embedded stores to servers: every row of one, every reading of the other.

Decides what may not be overwritten: the operational data go only into a database that holds none. Readings are
appended as ingest appends them, so a copy that was broken off is begun again and stores nothing twice. The source is
only read (and brought to this program's schema).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, Table, func, insert, select, text

from domain.batch import ReadingBatch
from domain.errors import CaretakerError
from domain.ports import SeriesStore
from domain.readings import QualityCode
from domain.records import Series
from store.engine import Database
from store.operational import audit
from store.operational.store import OperationalStore
from store.schema import audit as audit_rows
from store.schema import leases, metadata, processes

ROWS = 1_000  # per statement
READINGS = 10_000  # per append
_ALL_TIME = (-(2**53), 2**53)  # ms
_CODES = {code.quality: code.value for code in QualityCode}


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the readings of one site; `present` were in the target already."""

    site: str
    points: int
    stored: int
    present: int
    refused: int


def move_operational(source: Path, target_url: str) -> dict[str, int]:
    """Copy the SQLite file into the empty database: rows by table. CaretakerError when the database holds data, or
    when an audit chain is not whole afterwards; then nothing was copied."""
    for url in (f"sqlite:///{source}", target_url):
        OperationalStore(url).close()  # both at this program's schema
    old, new = Database(f"sqlite:///{source}"), Database(target_url)
    try:
        with old.read() as reading, new.write() as writing:
            _refuse_data(writing, new.name)
            counts = {table.name: _copy(reading, writing, table) for table in metadata.sorted_tables}
            _go_on_counting(writing)
            _verify(writing)
    finally:
        old.close()
        new.close()
    return counts


def move_readings(source: SeriesStore, target: SeriesStore, sites: list[str], now: int) -> Iterator[Moved]:
    """Append every reading and gap of the sites to the target, a site at a time. `now`, UTC ms, counts as received."""
    for site in sites:
        points = [row.point for row in source.latest(site)]
        stored = present = refused = 0
        for point in points:
            for batch in _batches(source, site, point, now):
                done = target.append(batch)
                stored += done.stored + done.collisions
                present += done.duplicates
                refused += len(done.refused)
        target.add_gaps(site, source.gaps(site, *_ALL_TIME))
        yield Moved(site, len(points), stored, present, refused)


def _refuse_data(connection: Connection, name: str) -> None:
    for table in metadata.sorted_tables:
        if table is not processes and connection.execute(select(func.count()).select_from(table)).scalar_one():
            raise CaretakerError(
                f"{name} holds data already ({table.name}); nothing was copied",
                "name an empty database, or copy only the readings: caretaker move --readings",
            )


def _copy(reading: Connection, writing: Connection, table: Table) -> int:
    if table is processes:  # signs of life of processes that have ended
        return 0
    copied = 0
    for some in reading.execution_options(yield_per=ROWS).execute(select(table)).mappings().partitions():
        rows = [dict(row) for row in some]
        if table is leases:  # epochs go on: a commit of an old one must not be taken for a new one
            rows = [{**row, "until": 0} for row in rows]
        writing.execute(insert(table), rows)
        copied += len(rows)
    return copied


def _go_on_counting(connection: Connection) -> None:
    """Let ids that the server gives begin after those that were copied."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        newest = None if column is None else connection.execute(select(func.max(column))).scalar()
        if column is not None and newest is not None:
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:table, :column), :newest)"),
                {"table": table.name, "column": column.name, "newest": newest},
            )


def _verify(connection: Connection) -> None:
    for site in connection.execute(select(audit_rows.c.site).distinct()).scalars().all():
        wrong = audit.verify(connection, site)
        if wrong is not None:
            raise CaretakerError(f"the audit of {site} is not whole: {wrong}", "restore a backup, and move that")


def _batches(source: SeriesStore, site: str, point: str, now: int) -> Iterator[ReadingBatch]:
    start, end = _ALL_TIME
    while True:
        rows = source.read(site, point, start, end, READINGS)
        if len(rows.time):
            yield _batch(site, point, rows, now)
        if len(rows.time) < READINGS:
            return
        start = int(rows.time[-1]) + 1


def _batch(site: str, point: str, rows: Series, now: int) -> ReadingBatch:
    quality = np.array([_CODES[one] for one in rows.quality], np.uint8)
    return ReadingBatch(
        site, now, (point,), np.zeros(len(rows.time), np.int32), rows.time, rows.value, quality, texts=rows.texts
    )
