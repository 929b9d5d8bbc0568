"""What of the operational store may be deleted when it is old, and how old it must be. Everything else stays for ever.

Transitions and the audit are never deleted: the audit's chain covers both, and together they are the evidence.
The journal is no archive: `Ledger.trim` removes it behind its readers. Each deletion is one short transaction that
also writes its audit entry.
"""

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, func, select

from domain.errors import CaretakerError
from domain.records import Purgeable
from domain.times import DAY, iso
from store.operational import audit
from store.operational.upsert import upsert
from store.schema import (
    dead_letter_counts,
    dead_letters,
    discoveries,
    excursions,
    food_decisions,
    notices,
    sent_once,
    transitions,
)

CHUNK = 5_000  # rows per transaction, so that a commit never waits long for it
TWO_YEARS = 731 * DAY
# Evidence of food safety is asked for up to two years later; the rest may go at once.
KEPT_FOR = {Purgeable.EXCURSIONS: TWO_YEARS, Purgeable.NOTICES: TWO_YEARS}


def check(what: Purgeable, before: int, now: int) -> None:
    """CaretakerError when records of this kind are kept for longer than since `before`."""
    edge = now - KEPT_FOR.get(what, 0)
    if before > edge:
        raise CaretakerError(
            f"{what} after {iso(edge)} are kept: nothing was deleted", f"name a time up to {iso(edge)}"
        )


def purge(connection: Connection, site: str, what: Purgeable, before: int, by: str, now: int) -> int:
    """Delete at most `CHUNK` of the oldest, with an audit entry when there were any; how many."""
    match what:
        case Purgeable.DEAD_LETTERS:
            deleted = _letters(connection, site, before)
        case Purgeable.DISCOVERIES:
            gone = (discoveries.c.site == site, discoveries.c.last_seen < before)
            deleted = connection.execute(delete(discoveries).where(*gone)).rowcount
        case Purgeable.EXCURSIONS:
            # An open one is not over, and an end of the past that is still to be told needs its row.
            over = (excursions.c.site == site, excursions.c.end < before, ~excursions.c.past)
            connection.execute(delete(food_decisions).where(food_decisions.c.excursion.in_(_chosen(excursions, *over))))
            deleted = _oldest(connection, excursions, *over)
        case Purgeable.NOTICES:
            mine = notices.c.transition_id.in_(select(transitions.c.id).where(transitions.c.site == site))
            deleted = _oldest(connection, notices, notices.c.at < before, mine)
            once = (sent_once.c.site == site, sent_once.c.at < before)
            deleted += connection.execute(delete(sent_once).where(*once)).rowcount
    if deleted:
        detail: dict[str, object] = {"before": before, "deleted": deleted}
        audit.append(connection, site, now, by, "purge", what, detail)
    return deleted


def _oldest(connection: Connection, table: Table, *where: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(table.c.id.in_(_chosen(table, *where)))).rowcount


def _chosen(table: Table, *where: ColumnElement[bool]) -> Select[tuple[int]]:
    return select(table.c.id).where(*where).order_by(table.c.id).limit(CHUNK)


def _letters(connection: Connection, home: str, before: int) -> int:
    old = (dead_letters.c.home == home, dead_letters.c.received < before)
    deleted = _oldest(connection, dead_letters, *old)
    if deleted:
        size = func.coalesce(func.sum(func.length(dead_letters.c.payload)), 0)
        kept = connection.execute(select(func.count(), size).where(dead_letters.c.home == home)).one()
        row = {"home": home, "kept": kept[0], "kept_bytes": int(kept[1]), "dropped": 0}
        upsert(connection, dead_letter_counts, [row], ("kept", "kept_bytes"))
    return deleted
