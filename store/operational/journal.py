"""The journal and what runs along it: leases, positions, owners, cursors, the engine's snapshot, trimming."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from domain.batch import ReadingBatch, decode_batch, encode_batch
from domain.errors import FencedError
from domain.records import Clock, Commit, ConfigChange, EntryKind, JournalEntry, Position
from store.operational.upsert import upsert
from store.schema import cursors, journal, journal_ends, leases, owners, positions, snapshots

TRIM_CHUNK = 500  # entries per transaction, so that a commit never waits long for trimming
_CONTENT: dict[EntryKind, type[Clock] | type[ConfigChange]] = {EntryKind.CLOCK: Clock, EntryKind.CONFIG: ConfigChange}


def acquire(connection: Connection, site: str, worker: str, now: int, ttl: int, epoch: int | None) -> int | None:
    """Take or renew the site's lease; see `domain.ports.Ledger.acquire`."""
    held = connection.execute(select(leases).where(leases.c.site == site).with_for_update()).first()
    if epoch is not None:
        if held is None or held.epoch != epoch or held.worker != worker:
            return None
        granted = epoch
    elif held is not None and held.until > now and held.worker != worker:
        return None
    else:
        granted = 1 if held is None else held.epoch + 1
    row = {"site": site, "worker": worker, "epoch": granted, "until": now + ttl}
    upsert(connection, leases, [row], ("worker", "epoch", "until"))
    return granted


def check_lease(connection: Connection, commit: Commit) -> None:
    """FencedError when the commit's epoch is not the one of the site's lease."""
    held = connection.execute(select(leases).where(leases.c.site == commit.site).with_for_update()).first()
    if held is None or held.epoch != commit.epoch or held.worker != commit.worker:
        holder = "nobody" if held is None else f"{held.worker} (epoch {held.epoch})"
        raise FencedError(
            f"{commit.worker} (epoch {commit.epoch}) no longer holds the lease of {commit.site}: {holder} does",
            "acquire the lease again and start from the journal",
        )


def append(connection: Connection, commit: Commit) -> int:
    """Number and write the commit's entries; the number of the newest entry then."""
    last, size = _extent(connection, commit.site)
    if commit.entries:
        rows: list[dict[str, Any]] = [
            {"site": commit.site, "n": n, "received": commit.received, "kind": kind, "payload": _encode(content)}
            for n, (kind, content) in enumerate(commit.entries, last + 1)
        ]
        connection.execute(insert(journal), rows)
        last, size = last + len(rows), size + sum(len(row["payload"]) for row in rows)
        upsert(connection, journal_ends, [{"site": commit.site, "n": last, "bytes": size}], ("n", "bytes"))
    return last


def end(connection: Connection, site: str) -> int:
    """The number of the newest entry ever written; 0 when there was none."""
    return _extent(connection, site)[0]


def size(connection: Connection, site: str) -> int:
    """How many bytes of payload the site's journal holds."""
    return _extent(connection, site)[1]


def entries(connection: Connection, site: str, after: int, limit: int) -> list[JournalEntry]:
    """Entries with n > after, ascending."""
    where = (journal.c.site == site, journal.c.n > after)
    rows = connection.execute(select(journal).where(*where).order_by(journal.c.n).limit(limit))
    return [_entry(row) for row in rows]


def load_positions(connection: Connection, site: str) -> dict[str, Position]:
    """Each agent's position."""
    rows = connection.execute(select(positions).where(positions.c.site == site))
    return {row.agent: Position(row.agent, row.boot, row.through) for row in rows}


def save_positions(connection: Connection, site: str, moved: Sequence[Position]) -> None:
    """Write the positions; of several for one agent the last counts."""
    newest = {position.agent: position for position in moved}
    rows = [{"site": site, "agent": p.agent, "boot": p.boot, "through": p.through} for p in newest.values()]
    upsert(connection, positions, rows, ("boot", "through"))


def load_owners(connection: Connection, site: str) -> dict[str, str]:
    """Which agent owns each point."""
    rows = connection.execute(select(owners.c.point, owners.c.agent).where(owners.c.site == site))
    return {row.point: row.agent for row in rows}


def save_owners(connection: Connection, site: str, owned: Sequence[tuple[str, str]], since: int) -> None:
    """Give each point to the agent named with it, from `since` on."""
    rows = [{"site": site, "point": point, "agent": agent, "since": since} for point, agent in dict(owned).items()]
    upsert(connection, owners, rows, ("agent", "since"))


def load_cursor(connection: Connection, site: str, name: str) -> int:
    """How far the reader has come; 0 at first."""
    return connection.execute(select(cursors.c.n).where(cursors.c.site == site, cursors.c.name == name)).scalar() or 0


def save_cursor(connection: Connection, site: str, name: str, n: int) -> None:
    """Everything up to entry `n` is done."""
    upsert(connection, cursors, [{"site": site, "name": name, "n": n}], ("n",))


def load_snapshot(connection: Connection, site: str) -> tuple[int, bytes] | None:
    """The newest snapshot and its entry."""
    row = connection.execute(select(snapshots.c.n, snapshots.c.blob).where(snapshots.c.site == site)).first()
    return None if row is None else (row.n, bytes(row.blob))


def save_snapshot(connection: Connection, site: str, n: int, blob: bytes, now: int) -> None:
    """Replace the site's snapshot."""
    upsert(connection, snapshots, [{"site": site, "n": n, "blob": blob, "at": now}], ("n", "blob", "at"))


def trim_edge(connection: Connection, site: str, keep_after: int) -> int:
    """Up to which entry nobody needs the journal: 0 until a reader has set a cursor and a snapshot exists."""
    read = connection.execute(select(func.min(cursors.c.n)).where(cursors.c.site == site)).scalar()
    kept = connection.execute(select(snapshots.c.n).where(snapshots.c.site == site)).scalar()
    return min(keep_after, read or 0, kept or 0)


def trim_chunk(connection: Connection, site: str, edge: int) -> int:
    """Delete the oldest entries up to `edge`, at most `TRIM_CHUNK`; how many."""
    oldest = connection.execute(select(func.min(journal.c.n)).where(journal.c.site == site)).scalar()
    if oldest is None or oldest > edge:
        return 0
    old = (journal.c.site == site, journal.c.n <= min(edge, oldest + TRIM_CHUNK - 1))
    freed = connection.execute(select(func.sum(func.length(journal.c.payload))).where(*old)).scalar_one()
    connection.execute(
        update(journal_ends).where(journal_ends.c.site == site).values(bytes=journal_ends.c.bytes - freed)
    )
    return connection.execute(delete(journal).where(*old)).rowcount


def _extent(connection: Connection, site: str) -> tuple[int, int]:
    row = connection.execute(select(journal_ends).where(journal_ends.c.site == site)).first()
    return (0, 0) if row is None else (row.n, row.bytes)


def _encode(content: ReadingBatch | Clock | ConfigChange) -> bytes:
    return encode_batch(content) if isinstance(content, ReadingBatch) else msgspec.msgpack.encode(content)


def _entry(row: Any) -> JournalEntry:
    kind = EntryKind(row.kind)
    content: ReadingBatch | Clock | ConfigChange
    if kind is EntryKind.BATCH:
        content = decode_batch(row.payload)
    else:
        content = msgspec.msgpack.decode(row.payload, type=_CONTENT[kind])
    return JournalEntry(row.site, row.n, row.received, kind, content)
