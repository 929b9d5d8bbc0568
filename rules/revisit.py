"""Where late readings go: into the recent ones of their point, and which stretch of the past they make doubtful.

The stretch begins one lookback before the oldest of them (or where the running delay began, if that is earlier), with
the one reading in force there, and ends at the frontier. What the ring has dropped is asked of the history; without a
history, or while it does not answer, such readings are stored unjudged and counted: a store that is away must not stop
the alarms of the site.
"""

from dataclasses import dataclass

import numpy as np

from domain.ports import History
from domain.times import DAY
from rules.condition import Change
from rules.frontier import free_place, merged
from rules.late import judge_again, past_excursions, present_change, stretches
from rules.plan import NEVER
from rules.points import PointTable, Track
from rules.recent import Columns

OLDEST_JUDGED = 7 * DAY
MOST_HISTORY = 50_000  # readings per stretch


@dataclass(slots=True)
class Counters:
    """What the engine did out of the ordinary; only ever counts up."""

    duplicates: int = 0
    late: int = 0
    unjudged: int = 0  # "backfilled, unjudged": too old, or older than what is kept and no history that answers
    forced: int = 0  # readings that a full buffer let through before their agent's promise


@dataclass(frozen=True, slots=True)
class Doubt:
    """What late readings make doubtful: all recent readings of the point with them, and the oldest new time."""

    point: int
    rows: Columns
    oldest: int
    complete: bool


def enter(table: PointTable, point: int, rows: Columns, frontier: int, counters: Counters) -> tuple[Doubt, Columns]:
    """Enter one point's late readings (in order of arrival); also those that a collision moved beyond the frontier."""
    held = table.recent.read(point)
    taken = dict(zip(held.time.tolist(), zip(held.value.tolist(), held.quality.tolist(), strict=True), strict=True))
    time, quality = rows.time.copy(), rows.quality.copy()
    kept = np.ones(len(time), np.bool_)
    for row in range(len(time)):
        place = free_place(taken, int(time[row]), float(rows.value[row]), int(quality[row]))
        if place is None:
            kept[row] = False
        else:
            time[row], quality[row] = place
    counters.duplicates += int((~kept).sum())
    new = Columns(rows.point, time, rows.value, quality).take(kept)
    beyond = new.time > frontier
    new, ahead = new.take(~beyond), new.take(beyond)
    counters.late += len(new.time)
    complete = table.recent.complete(point)
    everything = merged(held, new)
    if len(new.time):
        table.recent.replace(point, everything)
        table.last_time[point] = max(int(table.last_time[point]), int(new.time.max()))
        table.last_value[point] = np.nan
    oldest = int(new.time.min()) if len(new.time) else NEVER
    known_from = int(held.time[0]) if len(held.time) else -NEVER
    return Doubt(point, everything, oldest, complete or oldest >= known_from), ahead


class Past:
    """The past of a site's points: the recent readings, and the history where they do not reach."""

    def __init__(self, site: str, history: History | None) -> None:
        self.site = site
        self.history = history

    def stretch(self, doubt: Doubt, name: str, start: int, whole: bool) -> tuple[Columns, bool] | None:
        """Readings from `start` with the one before; and whether they reach to the frontier.

        `whole` says that the ring never dropped anything, so that the history has nothing to add. None when the doubt
        reaches further back than what is kept, and no history answers.
        """
        rows = doubt.rows
        reaches = whole or (doubt.complete and len(rows.time) > 0 and rows.time[0] <= start)
        if not reaches:
            stored = self._stored(doubt.point, name, start, int(rows.time[-1]) + 1 if len(rows.time) else NEVER)
            if stored is None and not doubt.complete:
                return None
            if stored is not None and len(stored.time) >= MOST_HISTORY:
                end = stored.time[-1]
                return merged(stored, rows.take(rows.time <= end)), False
            rows = rows if stored is None else merged(rows, stored)
        first = int(np.searchsorted(rows.time, start, "left"))
        return rows.take(slice(max(0, first - 1), None)), True

    def _stored(self, point: int, name: str, start: int, end: int) -> Columns | None:
        if self.history is None:
            return None
        try:
            series = self.history.read(self.site, name, start, end, MOST_HISTORY)
        except Exception:  # noqa: BLE001 - whatever a store raises; who handed it over says what is wrong with it
            return None
        quality = np.array([quality.code for quality in series.quality], np.uint8)
        owner = np.full(len(series.time), point, np.int64)
        return Columns(owner, np.asarray(series.time, np.int64), np.asarray(series.value, np.float64), quality)


def reconsider(
    track: Track, past: Past, doubt: Doubt, name: str, frontier: int, whole: bool, merge: bool
) -> list[Change] | None:
    """Judge the doubtful stretch again for one rule; what the alarm's log lacks, oldest first.

    None when it cannot be judged, since nobody knows what was before.
    """
    plan, live = track.condition.plan, track.condition
    start = min(doubt.oldest - plan.lookback, live.pending_since())
    known = past.stretch(doubt, name, start, whole)
    if known is None:
        return None
    rows, to_the_end = known
    begin = int(rows.time[0]) if len(rows.time) else start
    level = track.log.level_at(begin)
    fresh, changes = judge_again(plan, rows, frontier if to_the_end else int(rows.time[-1]), level, merge)
    found = stretches(changes, level >= 0)
    added = past_excursions(found, track.log, live.level >= 0)
    if not to_the_end or fresh.level < live.level:
        return added
    present = present_change(found, track.log, live.level, fresh)
    if present is not None:
        track.log.take(present)
        added.append(present)
    track.condition = fresh
    return added
