"""The journal and what runs along it: positions, owners, cursors, the engine's snapshot, trimming."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, select, update

from domain.batch import ReadingBatch, decode_batch, encode_batch
from domain.records import Clock, Commit, ConfigChange, Content, EntryKind, JournalEntry, Position, Review
from store.operational.upsert import new_column, upsert
from store.schema import cursors, journal, journal_ends, owners, positions, snapshots

TRIM_CHUNK = 500  # entries per transaction, so that a commit never waits long for trimming
_CONTENT: dict[EntryKind, type[Clock] | type[ConfigChange] | type[Review]] = {
    EntryKind.CLOCK: Clock,
    EntryKind.CONFIG: ConfigChange,
    EntryKind.REVIEW: Review,
}


@dataclass(frozen=True, slots=True)
class End:
    """The journal's newest number, the bytes it holds, and the newest commit: its name and its transitions' ids."""

    n: int = 0
    bytes: int = 0
    epoch: int = 0
    serial: int = 0
    first_transition: int = 0
    last_transition: int = 0

    def is_of(self, commit: Commit) -> bool:
        """Whether this very commit was the newest: it is being tried again, and took place the first time."""
        return commit.serial > 0 and (self.epoch, self.serial) == (commit.epoch, commit.serial)


def lock(connection: Connection, site: str) -> End:
    """The journal's end, and nobody else moves it until the transaction's end (where the database has row locks)."""
    return _end(connection, select(journal_ends).where(journal_ends.c.site == site).with_for_update())


def append(connection: Connection, commit: Commit, end: End) -> End:
    """Number and write the commit's entries; the journal's end then, which `save_end` writes."""
    rows: list[dict[str, Any]] = [
        {"site": commit.site, "n": n, "received": commit.received, "kind": kind, "payload": _encode(content)}
        for n, (kind, content) in enumerate(commit.entries, end.n + 1)
    ]
    if rows:
        connection.execute(insert(journal), rows)
    return End(end.n + len(rows), end.bytes + sum(len(row["payload"]) for row in rows), commit.epoch, commit.serial)


def save_end(connection: Connection, site: str, end: End) -> None:
    """Write the journal's end."""
    values = asdict(end)
    upsert(connection, journal_ends, [{"site": site, **values}], tuple(values))


def end(connection: Connection, site: str) -> End:
    """The journal's end; all zeros when nothing was ever written."""
    return _end(connection, select(journal_ends).where(journal_ends.c.site == site))


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
    """Replace the site's snapshot, unless it is a newer one: a worker that lost its lease may come late."""
    row = {"site": site, "n": n, "blob": blob, "at": now}
    upsert(connection, snapshots, [row], ("n", "blob", "at"), new_column("n") >= snapshots.c.n)


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
    freed = int(connection.execute(select(func.sum(func.length(journal.c.payload))).where(*old)).scalar_one())
    connection.execute(
        update(journal_ends).where(journal_ends.c.site == site).values(bytes=journal_ends.c.bytes - freed)
    )
    return connection.execute(delete(journal).where(*old)).rowcount


def _end(connection: Connection, statement: Select[Any]) -> End:
    row = connection.execute(statement).first()
    return End(*(getattr(row, name) for name in End.__slots__)) if row else End()


def _encode(content: Content) -> bytes:
    return encode_batch(content) if isinstance(content, ReadingBatch) else msgspec.msgpack.encode(content)


def _entry(row: Any) -> JournalEntry:
    kind = EntryKind(row.kind)
    content: Content
    if kind in (EntryKind.BATCH, EntryKind.UNJUDGED):
        content = decode_batch(row.payload)
    else:
        content = msgspec.msgpack.decode(row.payload, type=_CONTENT[kind])
    return JournalEntry(row.site, row.n, row.received, kind, content)
