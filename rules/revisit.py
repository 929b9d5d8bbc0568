"""Which stretch of the past late readings make doubtful, and what judging it again adds for one rule.

The stretch begins one lookback before the oldest of them (or where the running delay began, if that is earlier), with
the one reading in force there, and ends at the frontier. What is not kept in memory is asked of the history. Whether a
history that does not answer is asked again is `rules.doubts`' business.
"""

from dataclasses import dataclass

import numpy as np

from domain.ports import History
from domain.times import DAY, MINUTE
from rules.composite import again
from rules.condition import Change
from rules.frontier import merged
from rules.late import follow, judge_again, past_excursions, stretches
from rules.points import Track
from rules.recent import Columns

OLDEST_JUDGED = 7 * DAY
MOST_HISTORY = 50_000  # readings per stretch
IN_FORCE_WITHIN = DAY  # before a stretch: an older reading is not looked for
_LIKELY_WITHIN = 10 * MINUTE


@dataclass(slots=True)
class Counters:
    """What the engine did out of the ordinary; only ever counts up."""

    duplicates: int = 0
    late: int = 0
    unjudged: int = 0  # "backfilled, unjudged": readings that are too old, and stretches that nothing knows any more
    forced: int = 0  # readings that a full buffer let through before their agent's promise
    let_go: int = 0  # late readings that were too many to be kept until the history has them for certain


@dataclass(frozen=True, slots=True)
class Kept:
    """What memory has of a point: readings in ascending time; from `since` on there are no others (-NEVER: at all)."""

    point: int
    rows: Columns
    since: int


class Past:
    """The past of a site's points: the readings that are kept, and the history where they do not reach.

    `failed` says that the history was asked and did not answer; whoever cares clears it.
    """

    def __init__(self, site: str, history: History | None) -> None:
        self.site = site
        self.history = history
        self.failed = False

    def stretch(self, kept: Kept, name: str, start: int, oldest: int, ask: bool = True) -> tuple[Columns, bool] | None:
        """Readings from `start` with the one before; and whether they reach to the frontier.

        None when `oldest`, the first doubtful time, lies before all that is kept, and no history answers.
        """
        rows = kept.rows
        if kept.since > start:
            stored = self._with_the_one_before(kept.point, name, start, kept.since) if ask else None
            if stored is None and oldest < kept.since:
                return None
            if stored is not None and len(stored.time) >= MOST_HISTORY:
                end = stored.time[-1]
                return merged(rows.take(rows.time <= end), stored), False
            rows = rows if stored is None else merged(rows, stored)
        return since(rows, start), True

    def _with_the_one_before(self, point: int, name: str, start: int, end: int) -> Columns | None:
        stored = self._stored(point, name, start - _LIKELY_WITHIN, end)
        if stored is None or (len(stored.time) and stored.time[0] < start):
            return stored
        before = self._stored(point, name, start - IN_FORCE_WITHIN, start - _LIKELY_WITHIN)
        return None if before is None else merged(before, stored)

    def _stored(self, point: int, name: str, start: int, end: int) -> Columns | None:
        if self.history is None:
            return None
        try:
            series = self.history.read(self.site, name, start, end, MOST_HISTORY)
        except Exception:  # noqa: BLE001 - whatever a store raises; who handed it over says what is wrong with it
            self.failed = True
            return None
        quality = np.array([quality.code for quality in series.quality], np.uint8)
        owner = np.full(len(series.time), point, np.int64)
        return Columns(owner, np.asarray(series.time, np.int64), np.asarray(series.value, np.float64), quality)


def since(rows: Columns, start: int) -> Columns:
    """The readings from `start` on, and the one before that is in force there."""
    first = int(np.searchsorted(rows.time, start, "left"))
    if first and rows.time[first - 1] >= start - IN_FORCE_WITHIN:
        first -= 1
    return rows.take(slice(first, None))


def start_of(track: Track, oldest: int) -> int:
    """Where the stretch begins that a doubtful time makes doubtful for that rule."""
    return min(oldest - track.condition.plan.lookback, track.condition.pending_since())


def reconsider(
    track: Track, rows: Columns, start: int, frontier: int, merge: bool, until: int | None = None
) -> list[Change]:
    """Judge the stretch from `start` again for one rule; what the alarm's log lacks, oldest first.

    `rows` are the readings from `start` on, of each input with the one before that is in force there. They reach to the
    frontier, or only to `until`: then only what ended by then is said.
    """
    live, log = track.condition, track.log
    begin, moment = (start if live.plan.inputs or not len(rows.time) else int(rows.time[0])), log.moment
    level = live.level if begin >= moment else log.level_at(begin)
    end = frontier if until is None else until
    fresh, changes = judge_again(again(live, begin), begin, rows, end, level, merge)
    found = stretches(changes, level >= 0)
    if until is not None:
        return past_excursions(found, log, live.level >= 0, until)
    added = past_excursions(found, log, live.level >= 0, moment)
    track.condition, present = follow(live, moment, level, fresh, changes, rows, frontier, merge)
    for change in present:
        log.take(change)
    return added + present
