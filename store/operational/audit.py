"""The audit trail: append-only, hash-chained per site, so that a changed, removed or inserted entry shows.

An entry's hash is SHA-256 over the previous entry's hash and the canonical JSON of the entry (keys sorted, no
spaces). The log of transitions hangs on the same chain: an entry names the transitions it covers by their ids and
carries the SHA-256 over their canonical JSON. What the chain cannot show by itself is that its newest entries were
cut off: `caretaker backup` writes the head of each chain into the manifest for that.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from domain.alarms import Transition
from store.operational import transitions as log
from store.operational.plain import plain_number, plain_text
from store.schema import audit

GENESIS = "0" * 64
TRANSITIONS = "transitions"

# What of a transition is under the seal. Fixed by name: a field that is added later must not break older seals, so it
# goes into the second list, which is sealed only where something is said.
_SEALED = (
    "id", "site", "key", "event", "source", "target", "reason", "priority", "level", "at", "detected_at", "retroactive",
    "answer_required", "by", "note", "rules_revision",
)  # fmt: skip

_SEALED_WHERE_SAID = ("until", "nuisance", "remedy", "food", "assignee")

Entry = dict[str, object]


def append(
    connection: Connection, site: str, at: int, by: str, action: str, subject: str, detail: dict[str, object]
) -> None:
    """Add one entry to the site's chain; the caller holds a writing transaction, and the site's lock."""
    words = {"by": plain_text(by), "action": plain_text(action), "subject": plain_text(subject)}
    body: Entry = {"site": site, "at": at, **words, "detail": detail}
    previous = head(connection, site)
    row = {**body, "detail": canonical(detail).decode(), "previous": previous, "hash": _hash(previous, body)}
    connection.execute(insert(audit), [row])


def append_transitions(connection: Connection, transitions: Sequence[Transition], at: int) -> None:
    """Add an entry that covers these transitions (of one site, in one transaction)."""
    if transitions:
        ids = [transition.id for transition in transitions]
        detail: dict[str, object] = {"ids": ids, "sha256": _digest(transitions)}
        append(connection, transitions[0].site, at, transitions[0].by, TRANSITIONS, "", detail)


def head(connection: Connection, site: str) -> str:
    """The hash of the site's newest entry."""
    statement = select(audit.c.hash).where(audit.c.site == site).order_by(audit.c.id.desc()).limit(1)
    return str(connection.execute(statement).scalar() or GENESIS)


def heads(connection: Connection) -> dict[str, str]:
    """The hash of each chain's newest entry, by site."""
    sites = connection.execute(select(audit.c.site).distinct().order_by(audit.c.site)).scalars()
    return {site: head(connection, site) for site in sites.all()}


def entries(connection: Connection, site: str | None, limit: int, before: int | None) -> list[Entry]:
    """Entries newest first, of one site or of all, with ids below `before`."""
    statement = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if site is not None:
        statement = statement.where(audit.c.site == site)
    if before is not None:
        statement = statement.where(audit.c.id < before)
    return [_entry(row._mapping) for row in connection.execute(statement)]


def verify(connection: Connection, site: str) -> str | None:
    """None when the site's chain holds together, else what is wrong and at which entry."""
    statement = select(audit).where(audit.c.site == site).order_by(audit.c.id)
    with connection.execute(statement.execution_options(yield_per=1000)) as rows:
        return _fault(connection, rows)


def _fault(connection: Connection, rows: Iterable[Any]) -> str | None:
    previous = GENESIS
    for row in rows:
        entry = _entry(row._mapping)
        body = {name: entry[name] for name in ("site", "at", "by", "action", "subject", "detail")}
        if entry["previous"] != previous:
            return f"entry {entry['id']} does not follow the one before it: an entry was removed or inserted"
        if _hash(previous, body) != entry["hash"]:
            return f"entry {entry['id']} was changed"
        if entry["action"] == TRANSITIONS and not _covers(connection, row.detail):
            return f"the transitions that entry {entry['id']} covers were changed or removed"
        previous = str(entry["hash"])
    return None


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces: one text per value."""
    return msgspec.json.encode(value, order="deterministic")


def _hash(previous: str, body: Entry) -> str:
    return hashlib.sha256(previous.encode() + canonical(body)).hexdigest()


def _digest(transitions: Sequence[Transition]) -> str:
    return hashlib.sha256(canonical([_sealed(transition) for transition in transitions])).hexdigest()


def _sealed(transition: Transition) -> Entry:
    seal: Entry = {name: getattr(transition, name) for name in _SEALED}
    said = {name: value for name in _SEALED_WHERE_SAID if (value := getattr(transition, name)) not in (None, "")}
    return {**seal, **said, "value": plain_number(transition.value)}


def _covers(connection: Connection, detail: str) -> bool:
    content = msgspec.json.decode(detail)
    return _digest(log.by_ids(connection, content["ids"])) == str(content["sha256"])


def _entry(row: Any) -> Entry:
    return {**row, "detail": msgspec.json.decode(row["detail"])}
