"""Gap records in InfluxDB: one row each at the gap's start, or in the next free millisecond of its agent.

Gaps are few, so each write looks at what is there first. Decides when two gap records are the same: all of them equal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from domain.batch import Gap
from domain.errors import StoreRefusedError
from domain.times import MINUTE
from store.influx import influxql
from store.influx.connection import Connection
from store.influx.lines import gap_line


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored gap and the time of its row."""

    time: int
    gap: Gap


def add_gaps(connection: Connection, site: str, gaps: Sequence[Gap]) -> None:
    """Keep the gaps that are not kept yet. StoreRefusedError when the server refuses one."""
    for gap in gaps:
        # Milliseconds behind the start are taken only by gaps of the same agent that began at once with this one.
        kept = read_gaps(connection, influxql.gaps_beside(site, gap.start, gap.start + MINUTE))
        if any(one.gap == gap for one in kept):
            continue
        taken = {one.time for one in kept if one.gap.agent == gap.agent}
        free = next(time for time in range(gap.start, gap.start + MINUTE) if time not in taken)
        line = gap_line(site, gap, msgspec.json.encode(gap.points).decode(), free)
        for _, said in connection.write([line]):
            raise StoreRefusedError(f"InfluxDB refused a gap record: {said}")


def read_gaps(connection: Connection, text: str) -> list[Kept]:
    """The gaps that the query finds."""
    found = []
    for table in connection.query(text):
        agent = table.tags.get("agent", "")
        for time, start, end, count, reason, points in table.rows("time", "start", "end", "count", "reason", "points"):
            names = tuple(msgspec.json.decode(str(points or "[]"), type=list[str]))
            gap = Gap(agent, int(start or 0), int(end or 0), int(count or 0), str(reason or ""), names)
            found.append(Kept(int(time or 0), gap))
    return found


def gaps_of(kept: Iterable[Kept]) -> list[Gap]:
    """The gaps by start, end, agent and reason."""
    return sorted((one.gap for one in kept), key=lambda gap: (gap.start, gap.end, gap.agent, gap.reason))


def delete_ended_gaps(connection: Connection, site: str, before: int) -> None:
    """Delete the gaps that ended before that time; InfluxDB deletes by time and tags only, so one by one."""
    for one in read_gaps(connection, influxql.ended_gaps(site, before)):
        tags = (("agent", one.gap.agent), ("site", site))
        connection.delete(influxql.GAPS, tags, one.time, one.time + 1)
