"""Revisions of the site catalogue and the rules, commissioning, and the points that nobody has catalogued yet."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, delete, func, insert, select

from domain.catalogue_file import load_catalogue
from domain.errors import InputError, NotFoundError
from domain.records import ConfigChange, Discovery, Revision
from store.operational import audit
from store.operational.plain import plain_number
from store.operational.upsert import new_column, upsert
from store.schema import commissioning, discoveries, rules_revisions, site_revisions

MAX_DISCOVERIES = 10_000  # per site; further new points are stored as readings but not listed here
NAN = float("nan")
Documents = Sequence[tuple[str, str]]


def sites(connection: Connection) -> list[str]:
    """Ids of the sites that have a catalogue."""
    return sorted(connection.execute(select(site_revisions.c.site).distinct()).scalars())


def site_revision(connection: Connection, site: str, number: int | None) -> Revision | None:
    """The catalogue's newest (or that) revision."""
    return _revision(connection, site_revisions, site, number)


def rules_revision(connection: Connection, site: str, number: int | None) -> Revision | None:
    """The rules' newest (or that) revision."""
    return _revision(connection, rules_revisions, site, number)


def apply_site(connection: Connection, site: str, documents: Documents, by: str, now: int) -> Revision:
    """Store a catalogue revision, and strike what it names off the discovery list."""
    revision = _apply(connection, site_revisions, "apply_site", site, documents, by, now)
    known: set[str] = set()
    for name, text in revision.documents:
        with suppress(InputError):  # whoever applied it has checked it; a text that is no catalogue names no points
            known.update(load_catalogue(text, name).by_name)
    for row in connection.execute(select(discoveries.c.point).where(discoveries.c.site == site)).all():
        if row.point in known:
            gone = (discoveries.c.site == site, discoveries.c.point == row.point)
            connection.execute(delete(discoveries).where(*gone))
    return revision


def rules_revisions_of(connection: Connection, site: str, limit: int, before: int | None) -> list[Revision]:
    """The rules' revisions, newest first; numbers below `before`."""
    statement = select(rules_revisions).where(rules_revisions.c.site == site)
    if before is not None:
        statement = statement.where(rules_revisions.c.number < before)
    rows = connection.execute(statement.order_by(rules_revisions.c.number.desc()).limit(limit))
    return [_of_row(row) for row in rows]


def apply_rules(connection: Connection, site: str, documents: Documents, by: str, now: int, why: str = "") -> Revision:
    """Store a rules revision. NotFoundError for a site without a catalogue."""
    _require(connection, site)
    return _apply(connection, rules_revisions, "apply_rules", site, documents, by, now, why)


def commission(connection: Connection, site: str, at: int | None, by: str, now: int) -> None:
    """Set when the site goes live. NotFoundError for a site without a catalogue."""
    _require(connection, site)
    before = commissioned_at(connection, site)
    upsert(connection, commissioning, [{"site": site, "at": at}], ("at",))
    audit.append(connection, site, now, by, "commission", site, {"from": before, "to": at})


def commissioned_at(connection: Connection, site: str) -> int | None:
    """When the site went live; None while it is being commissioned."""
    return connection.execute(select(commissioning.c.at).where(commissioning.c.site == site)).scalar()


def newest_change(connection: Connection, site: str) -> ConfigChange | None:
    """The newest revisions by number, and when the site went live; None for a site without a catalogue."""
    asked: list[Any] = [
        select(func.max(table.c.number)).where(table.c.site == site).scalar_subquery()
        for table in (site_revisions, rules_revisions)
    ]
    asked.append(select(commissioning.c.at).where(commissioning.c.site == site).scalar_subquery())
    number, rules, since = connection.execute(select(*asked)).one()
    return None if number is None else ConfigChange(number, rules or 0, since)


def discover(connection: Connection, site: str, found: Sequence[Discovery]) -> None:
    """List the points: first seen stays, the rest is of the newest sighting. Bounded by `MAX_DISCOVERIES`."""
    if not found:
        return
    known = set(connection.execute(select(discoveries.c.point).where(discoveries.c.site == site)).scalars())
    rows = {}
    for item in found:
        if item.point in known or len(known) < MAX_DISCOVERIES:
            known.add(item.point)
            rows[item.point] = {
                "site": site, "point": item.point, "agent": item.agent, "unit": item.unit,
                "first_seen": item.first_seen, "last_seen": item.last_seen,
                "value": plain_number(item.value),
            }  # fmt: skip
    newer = new_column("last_seen") >= discoveries.c.last_seen
    upsert(connection, discoveries, list(rows.values()), ("agent", "unit", "last_seen", "value"), newer)


def load_discoveries(connection: Connection, site: str) -> list[Discovery]:
    """The listed points, by name."""
    found = [
        Discovery(r.site, r.point, r.agent, r.unit, r.first_seen, r.last_seen, NAN if r.value is None else r.value)
        for r in connection.execute(select(discoveries).where(discoveries.c.site == site))
    ]
    return sorted(found, key=lambda row: row.point)


def _require(connection: Connection, site: str) -> None:
    if _revision(connection, site_revisions, site, None) is None:
        raise NotFoundError(f"there is no site {site!r}", "apply its catalogue first: caretaker site apply FILE")


def _revision(connection: Connection, table: Table, site: str, number: int | None) -> Revision | None:
    statement = select(table).where(table.c.site == site).order_by(table.c.number.desc()).limit(1)
    if number is not None:
        statement = statement.where(table.c.number == number)
    row = connection.execute(statement).first()
    return None if row is None else _of_row(row)


def _of_row(row: Any) -> Revision:
    documents = msgspec.json.decode(row.documents, type=tuple[tuple[str, str], ...])
    return Revision(row.site, row.number, documents, row.applied_at, row.applied_by, row.why)


def _apply(
    connection: Connection, table: Table, action: str, site: str, documents: Documents, by: str, now: int, why: str = ""
) -> Revision:
    wanted = tuple((name, text) for name, text in documents)
    present = _revision(connection, table, site, None)
    if present is not None and present.documents == wanted:
        return present
    newest = connection.execute(select(func.max(table.c.number)).where(table.c.site == site)).scalar() or 0
    revision = Revision(site, newest + 1, wanted, now, by, why)
    row = {"site": site, "number": revision.number, "applied_at": now, "applied_by": by, "why": why}
    connection.execute(insert(table), [{**row, "documents": msgspec.json.encode(wanted).decode()}])
    detail: dict[str, object] = {"revision": revision.number, "documents": [name for name, _ in wanted]}
    if why:
        detail["why"] = why
    audit.append(connection, site, now, by, action, site, detail)
    return revision
