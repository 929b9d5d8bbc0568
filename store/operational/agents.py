"""Who is there: agents as they announced themselves, the board's newest readings, processes' signs of life.

Names are sorted here, because each PostgreSQL sorts texts by its own language.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, or_, select

from domain.readings import Quality
from domain.records import AgentRow, Commit, Latest, ProcessRow
from store.operational.plain import plain_number, plain_text
from store.operational.upsert import new_column, upsert, upsert_rows
from store.schema import agents, latest, positions, processes

_WORDS = {quality: quality.value for quality in Quality}


def note_agents(connection: Connection, commit: Commit) -> None:
    """Take over births and statuses; an agent that was only heard of by its packs is online with their boot."""
    site, received = commit.site, commit.received
    seen = [
        {"site": site, "agent": p.agent, "online": True, "since": received, "boot": p.boot, "birth": ""}
        for p in commit.positions
    ]
    upsert(connection, agents, seen, ())
    for agent, online, boot in commit.statuses:
        row = {"site": site, "agent": agent, "online": online, "since": received, "boot": boot, "birth": ""}
        changed = or_(agents.c.online != online, agents.c.boot != boot)
        # An offline speaks for its own boot only: a last will that comes late must not silence the successor.
        counts = changed if online else and_(changed, agents.c.boot == boot)
        upsert(connection, agents, [row], ("online", "since", "boot"), counts)
    births = [
        {"site": site, "agent": agent, "online": False, "since": received, "boot": "", "birth": _text(document)}
        for agent, document in commit.births
    ]
    for birth in births:
        upsert(connection, agents, [birth], ("birth",))


def load_agents(connection: Connection, site: str) -> list[AgentRow]:
    """Every agent seen at the site, by id."""
    place, agent = positions.c, agents.c
    same = and_(place.site == agent.site, place.agent == agent.agent, place.boot == agent.boot)
    statement = select(agents, place.through).outerjoin(positions, same).where(agent.site == site)
    found = [
        AgentRow(r.agent, r.online, r.since, r.boot, r.through or 0, r.birth) for r in connection.execute(statement)
    ]
    return sorted(found, key=lambda row: row.agent)


def flush_latest(connection: Connection, site: str, rows: Sequence[Latest]) -> None:
    """Write the newest readings; one that is not newer in event time than what is there changes nothing."""
    newest = {row.point: row for row in reversed(rows)}
    if len(newest) < len(rows):
        for row in rows:
            if row.time > newest[row.point].time:
                newest[row.point] = row
    # The driver takes a plain text much quicker than one of an enumeration.
    values = [
        (site, point, time, plain_number(value), _WORDS[quality], received, plain_text(text) if text else "")
        for point, time, value, quality, received, text in (newest[point] for point in sorted(newest))
    ]
    columns = ("time", "value", "quality", "received", "text")
    upsert_rows(connection, latest, values, columns, new_column("time") > latest.c.time)


def load_latest(connection: Connection, site: str) -> list[Latest]:
    """The newest reading of every point, by point."""
    found = [
        Latest(r.point, r.time, float("nan") if r.value is None else r.value, Quality(r.quality), r.received, r.text)
        for r in connection.execute(select(latest).where(latest.c.site == site))
    ]
    return sorted(found, key=lambda row: row.point)


def beat(connection: Connection, process: ProcessRow) -> None:
    """Write a process's sign of life; a name has one row."""
    row = {
        "name": process.name, "pid": process.pid, "started_at": process.started_at, "beat_at": process.beat_at,
        "info": process.info,
    }  # fmt: skip
    upsert(connection, processes, [row], ("pid", "started_at", "beat_at", "info"))


def load_processes(connection: Connection) -> list[ProcessRow]:
    """Every process that gave a sign of life, by name."""
    found = [ProcessRow(r.name, r.pid, r.started_at, r.beat_at, r.info) for r in connection.execute(select(processes))]
    return sorted(found, key=lambda row: row.name)


def _text(document: bytes) -> str:
    return document.decode("utf-8", "replace")
