"""Late readings on their way to judgement: which points are in doubt since when, and what must be kept until then.

Taking late readings and judging them are two steps, so that it does not matter how they were cut into packs and
batches: whoever drives the engine says when (`Engine.review`), and notes that in the journal. A late reading goes into
the recent ones of its point, and is kept apart for a while, because the history learns of it only later.
A stretch that cannot be judged while the history is away stays in doubt and is tried again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from domain.times import MINUTE, SECOND
from rules.condition import Change
from rules.frontier import free_place, merged
from rules.plan import NEVER
from rules.points import PointTable, Track
from rules.recent import Columns
from rules.revisit import OLDEST_JUDGED, Counters, Kept, Past, reconsider, since, start_of

KEPT_FOR = 10 * MINUTE  # of a late reading, for which the history may lag behind the journal
MOST_APART_OF_A_POINT, MOST_APART = 4_096, 50_000  # readings that are kept apart, and those of the whole site
ASK_AGAIN = 30 * SECOND  # after a history that did not answer
MOST_REVIEWED = 500  # points at once

Found = tuple[int, list[tuple[Track, Change]]]  # point, what its rules say


@dataclass(slots=True)
class Apart:
    """Late readings of one point in ascending time, and others that they pushed out of its ring.

    `received`: when the last came. With the ring they are all there are from `since` on, as long as the ring begins at
    `edge`.
    """

    rows: Columns
    received: int
    since: int
    edge: int


class Doubts:
    """All doubtful stretches of a site: `oldest` maps a point to its oldest late time that is not judged."""

    def __init__(self) -> None:
        self.oldest: dict[int, int] = {}
        self.apart: dict[int, Apart] = {}
        self.ask_at = 0  # no part of the state: it only decides whether a question is worth while

    def kept(self, table: PointTable, point: int) -> Kept:
        """Everything of the point that is in memory."""
        rows, apart = table.recent.read(point), self.apart.get(point)
        return Kept(point, rows if apart is None else merged(rows, apart.rows), self._since(table, point))

    def _since(self, table: PointTable, point: int) -> int:
        """From when on everything of the point is in memory."""
        edge, apart = table.recent.oldest(point), self.apart.get(point)
        if apart is not None and apart.edge == edge:
            return apart.since
        return -NEVER if table.recent.complete(point) else edge

    def enter(
        self, table: PointTable, rows: Columns, frontier: int, received: int, counters: Counters
    ) -> tuple[Columns, Columns]:
        """Take one point's late readings, in order of arrival; those that a collision moved beyond the frontier, and
        the others as they are kept."""
        point = int(rows.point[0])
        kept = self.kept(table, point)
        near = kept.rows.take(kept.rows.time >= rows.time.min())
        pairs = zip(near.value.tolist(), near.quality.tolist(), strict=True)
        taken = dict(zip(near.time.tolist(), pairs, strict=True))
        time, quality = rows.time.copy(), rows.quality.copy()
        new = np.ones(len(time), np.bool_)
        for row in range(len(time)):
            place = free_place(taken, int(time[row]), float(rows.value[row]), int(quality[row]))
            if place is None:
                new[row] = False
            else:
                time[row], quality[row] = place
        counters.duplicates += int((~new).sum())
        placed = Columns(rows.point, time, rows.value, quality).take(new)
        beyond = placed.time > frontier
        placed, ahead = placed.take(~beyond), placed.take(beyond)
        if len(placed.time):
            counters.late += len(placed.time)
            self._keep(table, kept, placed, received, counters)
            self.oldest[point] = min(self.oldest.get(point, NEVER), int(placed.time.min()))
            table.last_time[point] = max(int(table.last_time[point]), int(placed.time.max()))
            table.last_value[point] = np.nan
        return ahead, placed

    def _keep(self, table: PointTable, kept: Kept, placed: Columns, received: int, counters: Counters) -> None:
        """In the ring, as far as it has room, and apart, as far as they are not too many."""
        point, rows = kept.point, merged(kept.rows, placed)
        table.recent.replace(point, rows)
        # Also what the ring has room for now: newer readings may push it out before the history has it.
        before, since = self.apart.get(point), kept.since
        apart = merged(rows.take(slice(0, max(0, len(rows.time) - table.recent.room(point)))), placed)
        apart = apart if before is None else merged(before.rows, apart)
        excess = len(apart.time) - MOST_APART_OF_A_POINT
        if excess > 0:
            counters.let_go += excess
            apart = apart.take(slice(excess, None))
            since = max(since, int(apart.time[0]))
        self.apart[point] = Apart(apart, received, since, table.recent.oldest(point))
        while sum(len(one.rows.time) for one in self.apart.values()) > MOST_APART:
            idlest = min(self.apart, key=lambda one: self.apart[one].received)
            counters.let_go += len(self.apart.pop(idlest).rows.time)

    def review(
        self, table: PointTable, past: Past, frontier: Callable[[int], int], now: int, counters: Counters, merge: bool,
        points: Sequence[int] | None,
    ) -> list[Found]:  # fmt: skip
        """Judge what is in doubt, or (in a replay) exactly those points; what each of them says."""
        self._tidy(now)
        found: list[Found] = []
        for point in list(self.oldest) if points is None else points:
            if point not in self.oldest:
                continue
            if points is None and len(found) == MOST_REVIEWED:
                break
            oldest, limit = self.oldest[point], frontier(point) - OLDEST_JUDGED
            ask = points is not None or now >= self.ask_at
            if not ask and oldest < self._since(table, point):
                continue
            kept = self.kept(table, point)
            past.failed = False
            said = _judge(table.alone(point), past, kept, table.names[point], max(oldest, limit), frontier(point),
                          ask, merge)  # fmt: skip
            if past.failed:
                self.ask_at = now + ASK_AGAIN
            if said is None and past.failed and points is None:
                continue  # it stays in doubt
            counters.unjudged += (said is None) + (oldest < limit)
            del self.oldest[point]
            found.append((point, said or []))
        return found

    def _tidy(self, now: int) -> None:
        """Let go of what the history has had time to learn."""
        for point in [point for point, apart in self.apart.items() if apart.received < now - KEPT_FOR]:
            if point not in self.oldest:
                del self.apart[point]


def _judge(
    tracks: Sequence[Track], past: Past, kept: Kept, name: str, oldest: int, frontier: int, ask: bool, merge: bool
) -> list[tuple[Track, Change]] | None:
    """What the rules of one point say; None when nobody knows what was before."""
    if not tracks:
        return []
    starts = [start_of(track, oldest) for track in tracks]
    known = past.stretch(kept, name, min(starts), oldest, ask)
    if known is None:
        return None
    rows, to_the_end = known
    until = None if to_the_end else int(rows.time[-1])
    return [
        (track, change)
        for track, start in zip(tracks, starts, strict=True)
        for change in reconsider(track, since(rows, start), start, frontier, merge, until)
    ]
