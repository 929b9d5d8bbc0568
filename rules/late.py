"""Late readings: judge a stretch of the past again, and say only what the log of the alarm does not have yet.

It adds excursions and may raise what should be active now; it never removes or re-dates what was said. The log of an
alarm is bounded: of excursions older than what it remembers nothing is added any more.
"""

from typing import NamedTuple

from domain.alarms import EventKind, Reason
from rules.composite import condition_of
from rules.condition import Change, Condition
from rules.kernel import fire_before, run
from rules.plan import NEVER, Plan
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

    def ended_since(self, since: int) -> int:
        """When the newest excursion that ended after `since` was said to end, or -NEVER."""
        return max((said.end for said in self.said if since < said.end < NEVER), default=-NEVER)


class Stretch(NamedTuple):
    """One excursion of the judged-again past; `first` is None when it was active from the start."""

    first: Change | None
    peak: Change | None
    clear: Change | None


def judge_again(plan: Plan, rows: Columns, frontier: int, level: int, merge: bool) -> tuple[Condition, list[Change]]:
    """The condition at the frontier and all its changes, from those readings alone; `level` was active before them."""
    fresh = condition_of(plan)
    fresh.seed(level)
    changes: list[Change] = []

    def keep(_: Condition, change: Change) -> None:
        changes.append(change)

    run(fresh, rows.time, rows.value, rows.quality, keep, merge)
    fire_before(fresh, frontier, keep)
    return fresh, changes


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


def past_excursions(found: list[Stretch], log: Log, active: bool) -> list[Change]:
    """A raise and a clear for each ended excursion that the log does not know; they are entered into the log."""
    added: list[Change] = []
    kinds = (EventKind.PAST_RAISE, EventKind.PAST_CLEAR) if active else (EventKind.RAISE, EventKind.CLEAR)
    for first, peak, clear in found:
        if first is None or peak is None or clear is None or log.knows(first.since, clear.at):
            continue
        added.append(first._replace(kind=kinds[0], level=peak.level, value=peak.value))
        added.append(clear._replace(kind=kinds[1], level=peak.level))
        log.add(Said(first.since, first.at, clear.at, peak.level))
    return added


def present_change(found: list[Stretch], log: Log, live: int, now: Condition) -> Change | None:
    """The raise or step that makes the live level (`live`) what the judged-again past says it is, if that is higher."""
    if now.level <= live or not found:
        return None
    first, peak = found[-1].first, found[-1].peak
    value = now.value if peak is None else peak.value
    if live >= 0:
        # What was said after it (a step down that should not have been) keeps its time: it steps up again from there.
        at, since = (log.last, log.last) if peak is None else (max(peak.at, log.last), max(peak.since, log.last))
        return Change(EventKind.STEP_UP, Reason.STEPPED_UP, at, since, now.level, value)
    at, since = (-NEVER, -NEVER) if first is None else (first.at, first.since)
    # What was said to have ended within this excursion keeps its end: it is raised again from there.
    ended = log.ended_since(since)
    reason = now.plan.entered(now.level)
    return Change(EventKind.RAISE, reason, max(at, ended), max(since, ended), now.level, value)
