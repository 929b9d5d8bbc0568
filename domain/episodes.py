"""From the alarm log to episodes: each time an alarm was raised, until it cleared, with what people did about it.

Alarm quality and the comparison of two rule sets both count episodes; what counts as one is decided here alone. Pure:
transitions in, values out. A raise under an overlay (shelved, suppressed, out of service) is an episode too, marked
`hidden`: it was logged and nobody was told.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from domain.alarms import AlarmKey, EventKind, Nuisance, OverlayKind, Priority, Transition
from domain.lifecycle import LAYS, LIFTS

_ENDS = (EventKind.CLEAR, EventKind.CLOSE)


@dataclass(frozen=True, slots=True)
class Episode:
    """One time an alarm stood; times are UTC ms.

    `raised_at` and `cleared_at` (None: still active) are event times; `known_at` is when the system knew of the raise,
    `priority` and `level` the highest it reached. `owed`: an answer was required. `past`: it had cleared before it was
    known. `answered_at`: the first acknowledgement after the raise,
    `nuisance` what it was according to whoever gave it.
    """

    key: AlarmKey
    raised_at: int
    known_at: int
    cleared_at: int | None
    priority: Priority
    level: int
    owed: bool = True
    hidden: bool = False
    past: bool = False
    answered_at: int | None = None
    answered_by: str = ""
    nuisance: Nuisance | None = None

    def active_for(self, until: int) -> int:
        """How long it was active (ms), up to `until` when it still is; never negative."""
        return max(0, (until if self.cleared_at is None else self.cleared_at) - self.raised_at)

    def overlaps(self, other: "Episode") -> bool:
        """Whether both stood at one time."""
        return (other.cleared_at is None or self.raised_at <= other.cleared_at) and (
            self.cleared_at is None or other.raised_at <= self.cleared_at
        )


def episodes(transitions: Iterable[Transition]) -> list[Episode]:
    """Every episode of the log, by the time it was known. `transitions` in the order of the log (one site)."""
    reading = _Reading()
    for transition in transitions:
        reading.take(transition)
    return sorted(reading.found, key=lambda one: (one.known_at, one.raised_at, one.key))


class _Reading:
    """The log while it is read: which episode of each alarm is open, and which overlays lie over it."""

    def __init__(self) -> None:
        self.found: list[Episode] = []
        self._open: dict[AlarmKey, int] = {}
        self._past: dict[AlarmKey, int] = {}
        self._unanswered: dict[AlarmKey, list[int]] = {}
        self._overlays: dict[AlarmKey, set[OverlayKind]] = {}

    def take(self, one: Transition) -> None:
        """Enter the next transition."""
        if one.event in (EventKind.RAISE, EventKind.PAST_RAISE):
            self._begin(one, self._past if one.event is EventKind.PAST_RAISE else self._open)
        elif one.event in _ENDS:
            self._end(one, self._open)
        elif one.event is EventKind.PAST_CLEAR:
            self._end(one, self._past)
        elif one.event is EventKind.STEP_UP:
            self._higher(one)
        elif one.event is EventKind.ACKNOWLEDGE:
            self._answer(one)
        elif one.event in LAYS:
            self._overlays.setdefault(one.key, set()).add(LAYS[one.event])
        elif one.event in LIFTS:
            self._overlays.get(one.key, set()).discard(LIFTS[one.event])

    def _begin(self, one: Transition, where: dict[AlarmKey, int]) -> None:
        where[one.key] = len(self.found)
        self._unanswered.setdefault(one.key, []).append(len(self.found))
        hidden = bool(self._overlays.get(one.key))
        priority, level = one.priority or Priority.LOW, one.level or 0
        episode = Episode(one.key, one.at, one.detected_at, None, priority, level, one.answer_required, hidden)
        self.found.append(episode)

    def _end(self, one: Transition, where: dict[AlarmKey, int]) -> None:
        place = where.pop(one.key, None)
        if place is None:
            return  # it was raised before the log that was given begins
        begun = self.found[place]
        self.found[place] = replace(begun, cleared_at=one.at, past=one.at < begun.known_at)

    def _higher(self, one: Transition) -> None:
        place = self._open.get(one.key)
        if place is None:
            return
        begun = self.found[place]
        priority = max(begun.priority, one.priority or begun.priority, key=lambda each: each.rank)
        self.found[place] = replace(begun, level=max(begun.level, one.level or 0), priority=priority)

    def _answer(self, one: Transition) -> None:
        for place in self._unanswered.pop(one.key, ()):
            self.found[place] = replace(
                self.found[place], answered_at=one.at, answered_by=one.by, nuisance=one.nuisance
            )
