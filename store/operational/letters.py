"""Dead letters, bounded per home site: the newest are kept, and how many were dropped is counted."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from domain.records import DeadLetter, DeadReason
from store.operational.upsert import upsert
from store.schema import dead_letter_counts, dead_letters

MAX_LETTERS = 10_000
MAX_BYTES = 64 * 1024 * 1024
_LOOK = 200  # oldest letters that are looked at in one go when room is made


def keep(connection: Connection, home: str, letters: Sequence[DeadLetter]) -> None:
    """Keep the letters that the site `home` brought; beyond either bound the oldest make room."""
    if not letters:
        return
    rows = [
        {
            "home": home, "site": letter.site, "received": letter.received, "topic": letter.topic,
            "payload": letter.payload, "reason": letter.reason, "detail": letter.detail,
        }
        for letter in letters
    ]  # fmt: skip
    connection.execute(insert(dead_letters), rows)
    present = connection.execute(select(dead_letter_counts).where(dead_letter_counts.c.home == home)).first()
    kept, size, gone = (present.kept, present.kept_bytes, present.dropped) if present else (0, 0, 0)
    kept, size = kept + len(letters), size + sum(len(letter.payload) for letter in letters)
    while kept > MAX_LETTERS or size > MAX_BYTES:
        number, freed = _drop_oldest(connection, home, kept - MAX_LETTERS, size - MAX_BYTES)
        kept, size, gone = kept - number, size - freed, gone + number
    row = {"home": home, "kept": kept, "kept_bytes": size, "dropped": gone}
    upsert(connection, dead_letter_counts, [row], ("kept", "kept_bytes", "dropped"))


def find(connection: Connection, site: str | None, limit: int, before: int | None) -> list[DeadLetter]:
    """Newest first, of one site or of all, with ids below `before`."""
    statement = select(dead_letters).order_by(dead_letters.c.id.desc()).limit(limit)
    if site is not None:
        statement = statement.where(dead_letters.c.site == site)
    if before is not None:
        statement = statement.where(dead_letters.c.id < before)
    return [_letter(row) for row in connection.execute(statement)]


def ask_replay(connection: Connection, ids: Sequence[int], now: int) -> int:
    """Ask for the replay of those that were neither asked for nor replayed; how many that were."""
    fresh = (dead_letters.c.replay_asked.is_(None), dead_letters.c.replayed.is_(None))
    asked = 0
    for start in range(0, len(ids), _LOOK):
        some = dead_letters.c.id.in_(ids[start : start + _LOOK])
        asked += connection.execute(update(dead_letters).where(some, *fresh).values(replay_asked=now)).rowcount
    return asked


def asked_for(connection: Connection, beginning: str, limit: int) -> list[DeadLetter]:
    """Those whose replay was asked for, oldest first, with topics that begin so."""
    open_ = (dead_letters.c.replay_asked.is_not(None), dead_letters.c.replayed.is_(None))
    of_site = dead_letters.c.topic.startswith(beginning, autoescape=True)
    statement = select(dead_letters).where(*open_, of_site).order_by(dead_letters.c.id).limit(limit)
    return [_letter(row) for row in connection.execute(statement)]


def settle_replays(connection: Connection, ids: Sequence[int], now: int) -> None:
    """These were put through acceptance again."""
    if ids:
        connection.execute(update(dead_letters).where(dead_letters.c.id.in_(ids)).values(replayed=now))


def dropped(connection: Connection) -> int:
    """How many letters were dropped since the store was made."""
    return int(connection.execute(select(func.coalesce(func.sum(dead_letter_counts.c.dropped), 0))).scalar_one())


def _drop_oldest(connection: Connection, home: str, too_many: int, too_large: int) -> tuple[int, int]:
    size = func.length(dead_letters.c.payload).label("size")
    oldest = select(dead_letters.c.id, size).where(dead_letters.c.home == home).order_by(dead_letters.c.id).limit(_LOOK)
    number = freed = edge = 0
    for row in connection.execute(oldest).all():
        if number >= too_many and freed >= too_large:
            break
        number, freed, edge = number + 1, freed + row.size, row.id
    connection.execute(delete(dead_letters).where(dead_letters.c.home == home, dead_letters.c.id <= edge))
    return number, freed


def _letter(row: Any) -> DeadLetter:
    reason, payload = DeadReason(row.reason), bytes(row.payload)
    return DeadLetter(row.site, row.received, row.topic, payload, reason, row.detail, row.id, row.replayed)
