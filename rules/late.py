"""Late readings: judge a stretch of the past again, and say only what the log of the alarm does not have yet.

What was said stands. Behind the moment of the last word nothing was said yet: there the alarm follows the past as it is
judged now, with the times that it would have had. Before that moment only excursions are added that overlap nothing.
The log of an alarm is bounded: of excursions older than what it remembers nothing is added any more.
"""

from typing import NamedTuple

import numpy as np

from domain.alarms import EventKind, Reason
from rules.composite import again
from rules.condition import Change, Condition
from rules.derived import Derived
from rules.kernel import fire_before
from rules.plan import NEVER, bad_rows
from rules.playing import play
from rules.recent import Columns

MOST_REMEMBERED = 64  # excursions per alarm


class Said(NamedTuple):
    """One excursion that was said: true since, raised at, cleared at (NEVER: still active), highest level."""

    since: int
    at: int
    end: int
    level: int


class Log:
    """What was said about one alarm, newest last; `last` is when it changed last, `floor` the end
    of the newest excursion that was forgotten."""

    __slots__ = ("floor", "last", "said")

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.floor = -NEVER
        self.last = -NEVER

    def take(self, change: Change) -> None:
        """Remember a live change."""
        self.last = change.at
        if change.kind is EventKind.RAISE:
            self.add(Said(change.since, change.at, NEVER, change.level))
        elif change.kind is EventKind.CLEAR:
            self.close(change.at)
        elif self.said and change.kind is EventKind.STEP_UP:
            self.said[-1] = self.said[-1]._replace(level=change.level)

    def add(self, said: Said) -> None:
        """Remember an excursion, forgetting the oldest when there are too many."""
        self.said.append(said)
        self.said.sort(key=lambda one: (one.end, one.at))
        if len(self.said) > MOST_REMEMBERED:
            self.floor = max(self.floor, self.said.pop(0).end)

    def close(self, at: int) -> None:
        """End what is active."""
        if self.said and self.said[-1].end == NEVER:
            self.said[-1] = self.said[-1]._replace(end=at)

    def level_at(self, time: int) -> int:
        """The highest level that was said to be active at that time, or -1."""
        return max((said.level for said in self.said if said.at <= time < said.end), default=-1)

    def knows(self, since: int, end: int) -> bool:
        """Whether an excursion over (since, end) overlaps one that was said or may have been forgotten."""
        return since < self.floor or any(said.since < end and since < said.end for said in self.said)

    @property
    def moment(self) -> int:
        """When the last word was said: nothing of what happens after it was; -NEVER when nothing ever was."""
        return max(self.last, self.floor, max((said.end for said in self.said if said.end < NEVER), default=-NEVER))


class Stretch(NamedTuple):
    """One excursion of the judged-again past; `first` is None when it was active from the start."""

    first: Change | None
    peak: Change | None
    clear: Change | None


def judge_again(
    fresh: Condition, begin: int, rows: Columns, frontier: int, level: int, merge: bool
) -> tuple[Condition, list[Change]]:
    """The condition (at its beginning) at the frontier and all its changes since `begin`, where `level` was active,
    from those readings and what it remembers. Readings of several inputs may be from before `begin`: of each the one in
    force there. They are heard, but say nothing: what the other inputs said meanwhile is not among them."""
    changes: list[Change] = []

    def keep(_: Condition, change: Change) -> None:
        changes.append(change)

    heard = int(np.searchsorted(rows.time, begin, "left"))
    if heard and isinstance(fresh, Derived):
        _stand(fresh, rows.take(slice(0, heard)), begin, begin, level, merge)
        rows = rows.take(slice(heard, None))
    else:
        fresh.seed(level)
    play(fresh, rows, keep, merge)
    fire_before(fresh, frontier, keep)
    return fresh, changes


def _stand(own: Derived, before: Columns, until: int, at: int, level: int, merge: bool) -> None:
    """Let it hear what was before, whatever it says of that, and stand at that level at `at`."""

    def drop(_: Condition, change: Change) -> None:
        """What led there is not asked."""

    play(own, before, drop, merge)
    fire_before(own, until, drop)
    own.stand(level, at)


def stretches(changes: list[Change], seeded: bool) -> list[Stretch]:
    """The changes as excursions in order; the last one has no clear when it lasts."""
    found: list[Stretch] = []
    current = Stretch(None, None, None) if seeded else None
    for change in changes:
        if change.kind is EventKind.RAISE:
            current = Stretch(change, change, None)
        elif change.kind is EventKind.STEP_UP and current is not None:
            higher = current.peak is None or change.level > current.peak.level
            current = current._replace(peak=change if higher else current.peak)
        elif change.kind is EventKind.CLEAR and current is not None:
            found.append(current._replace(clear=change))
            current = None
    return found if current is None else [*found, current]


def past_excursions(found: list[Stretch], log: Log, active: bool, until: int = NEVER) -> list[Change]:
    """A raise and a clear for each excursion that ended by `until` and that the log does not know; it does then."""
    added: list[Change] = []
    kinds = (EventKind.PAST_RAISE, EventKind.PAST_CLEAR) if active else (EventKind.RAISE, EventKind.CLEAR)
    for first, peak, clear in found:
        if first is None or peak is None or clear is None or clear.at > until or log.knows(first.since, clear.at):
            continue
        added.append(first._replace(kind=kinds[0], level=peak.level, value=peak.value))
        added.append(clear._replace(kind=kinds[1], level=peak.level))
        log.add(Said(first.since, first.at, clear.at, peak.level))
    return added


def follow(
    live: Condition, moment: int, level: int, fresh: Condition, changes: list[Change], rows: Columns, frontier: int,
    merge: bool,
) -> tuple[Condition, list[Change]]:  # fmt: skip
    """The condition that is live from now on, and what it says of the time after `moment`, the last word.

    `live` stood at its level then; `changes` led from `level` to `fresh`, by `rows` judged again up to the frontier.
    """
    after = [change for change in changes if change.at > moment]
    for change in changes[: len(changes) - len(after)]:
        level = -1 if change.kind is EventKind.CLEAR else change.level
    if level < live.level:
        return _on_its_own(live, moment, rows, frontier, merge)
    if level > live.level:
        # It had been said to be lower by then: that keeps its time, and from there it is as it should have been.
        kind, reason = EventKind.STEP_UP, Reason.STEPPED_UP
        if live.level < 0:
            kind, reason = EventKind.RAISE, live.plan.entered(level)
        own = rows.take(rows.point == 0) if live.plan.inputs else rows
        after.insert(0, Change(kind, reason, moment, moment, level, _in_force(own, moment)))
    return fresh, after


def _on_its_own(
    live: Condition, moment: int, rows: Columns, frontier: int, merge: bool
) -> tuple[Condition, list[Change]]:
    """What was said should not have been, but stands: it ends when the readings after it say so."""
    first = int(np.searchsorted(rows.time, moment, "right"))
    own = again(live, int(rows.time[0]) if len(rows.time) else moment)
    before = rows.take(slice(0, first))
    changes: list[Change] = []

    def keep(_: Condition, change: Change) -> None:
        changes.append(change)

    if isinstance(own, Derived):
        _stand(own, before, moment + 1, moment, live.level, merge)
    else:
        own.seed(live.level)
        _see(own, before, moment)
    play(own, rows.take(slice(first, None)), keep, merge)
    fire_before(own, frontier, keep)
    return own, changes


def _see(own: Condition, before: Columns, moment: int) -> None:
    """Let the condition begin with the reading in force at that moment, if that is known."""
    if not len(before.time) or bad_rows(before.value[-1:], before.quality[-1:])[0]:
        return
    time, value = int(before.time[-1]), float(before.value[-1])
    if own.plan.max_gap is None or time + own.plan.max_gap >= moment:
        own.read(moment, own.plan.code(value), value, time)


def _in_force(rows: Columns, moment: int) -> float:
    """The value of the newest good reading not after that moment; NaN when there is none."""
    good = np.flatnonzero((rows.time <= moment) & ~bad_rows(rows.value, rows.quality))
    return float(rows.value[good[-1]]) if len(good) else float("nan")
