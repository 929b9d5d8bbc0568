"""Who is told of a transition: page, summary or nobody, each with its reason in one word.

Decides only; `notify.worker` sends. Pure: the alarm's present, what was paged before and the time are arguments.
Nobody is paged for last night's news, nothing is missed, and a chattering alarm does not page at each chatter.
Escalation by time is `notify.escalate`'s.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.alarms import Alarm, AlarmKey, AlarmState, EventKind, OverlayKind, Transition
from domain.lifecycle import LIFTS
from domain.times import MINUTE

REPEAT_WINDOW = 30 * MINUTE  # a raise this soon after a page of the same alarm and no lower priority is not paged again
LATE_GRACE = 2 * MINUTE  # how long a late raise may wait for its own end to come out of the same backlog
MOST_REMEMBERED = 10_000  # alarms; beyond it the one paged longest ago is forgotten, and might be paged once too often


class Action(StrEnum):
    """What is done about a transition."""

    PAGE = "page"
    SUMMARY = "summary"  # told, without urgency
    NONE = "none"
    WAIT = "wait"  # not decided yet: ask again


class Why(StrEnum):
    """The reason of a verdict: the same word in the delivery log, the process log and the test."""

    RAISED = "raised"
    STEPPED_UP = "stepped_up"
    FOUND_LATE = "found_late"  # it began in the past and is still out of limit
    OVERLAY_LIFTED = "overlay_lifted"  # it came off the shelf (or back into service) active and unanswered
    PAST_EXCURSION = "past_excursion"
    RETURNED_UNANSWERED = "returned_unanswered"
    MAY_BE_OVER = "may_be_over"
    NO_ANSWER_REQUIRED = "no_answer_required"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"
    ANSWERED_ALREADY = "answered_already"
    SILENCED = "silenced"
    REPEATED = "repeated"
    RETURNED = "returned"
    STEPPED_DOWN = "stepped_down"
    CLOSED = "closed"
    COMMAND = "command"
    MAY_HAVE_A_CAUSE = "may_have_a_cause"  # an incident may still claim it
    INCIDENT = "incident"  # the first of several alarms with one cause
    INCIDENT_GRAVER = "incident_graver"
    IN_INCIDENT = "in_incident"
    ESCALATED = "escalated"  # nobody has answered: a later role is told


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is done, and why."""

    action: Action
    why: Why

    def __str__(self) -> str:
        return f"{self.action}: {self.why}"


@dataclass(frozen=True, slots=True)
class Paged:
    """The last page of an alarm: when that was detected and when it was decided (UTC ms), its rank, and whether its
    return was told."""

    at: int
    rank: int
    decided: int
    return_told: bool = False


class RecentPages:
    """What was paged lately, by alarm; bounded, and empty again after a restart."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._pages: OrderedDict[tuple[str, AlarmKey], Paged] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._pages)

    def last(self, transition: Transition) -> Paged | None:
        """The last page of the transition's alarm."""
        return self._pages.get((transition.site, transition.key))

    def note(self, transition: Transition, verdict: Verdict, now: int) -> None:
        """Remember what the verdict, given at `now` (UTC ms), does."""
        name = (transition.site, transition.key)
        if verdict.action is Action.PAGE:
            self._pages[name] = Paged(transition.detected_at, _rank(transition), now)
            self._pages.move_to_end(name)
        elif verdict.why is Why.RETURNED_UNANSWERED and name in self._pages:
            self._pages[name] = replace(self._pages[name], return_told=True)
        while len(self._pages) > self._most:
            self._pages.popitem(last=False)


UNANSWERED = frozenset(
    {AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED, AlarmState.LATCHED_UNACKNOWLEDGED}
)
_OVERLAYS = {
    OverlayKind.OUT_OF_SERVICE: Why.OUT_OF_SERVICE,
    OverlayKind.SUPPRESSED: Why.SUPPRESSED,
    OverlayKind.SHELVED: Why.SHELVED,
}


def decide(
    transition: Transition, alarm: Alarm | None, last: Paged | None, now: int, *, may_wait: bool = True
) -> Verdict:
    """The verdict on one transition.

    `alarm` is the alarm's present (None: unknown, then the transition's word counts), `last` its last page, `now` in
    UTC ms. Without `may_wait` a late raise is decided by the alarm's present at once.
    """
    judge = _JUDGES.get(transition.event)
    if judge is None:
        return Verdict(Action.NONE, Why.COMMAND)
    if not transition.answer_required:
        return Verdict(Action.NONE, Why.NO_ANSWER_REQUIRED)
    if alarm is not None:
        for kind, why in _OVERLAYS.items():
            if (overlay := alarm.overlay(kind)) is not None and overlay.lies(now):
                return Verdict(Action.NONE, why)
        if alarm.silenced_at is not None:  # whatever came after the silence that it does not cover has ended it
            return Verdict(Action.NONE, Why.SILENCED)
    verdict = judge(transition, alarm, last)
    if verdict.why is Why.FOUND_LATE and may_wait and now - transition.detected_at < LATE_GRACE:
        return Verdict(Action.WAIT, Why.MAY_BE_OVER)
    return verdict


def _raised(transition: Transition, alarm: Alarm | None, last: Paged | None) -> Verdict:
    if alarm is not None and alarm.state not in UNANSWERED:
        return Verdict(Action.NONE, Why.ANSWERED_ALREADY)
    if transition.retroactive and (alarm is None or not alarm.active):
        return Verdict(Action.SUMMARY, Why.PAST_EXCURSION)
    if last is not None and transition.detected_at - last.at < REPEAT_WINDOW and _rank(transition) <= last.rank:
        return Verdict(Action.NONE, Why.REPEATED)
    if transition.retroactive:
        return Verdict(Action.PAGE, Why.FOUND_LATE)
    return Verdict(Action.PAGE, Why.STEPPED_UP if transition.event is EventKind.STEP_UP else Why.RAISED)


def _past_raised(transition: Transition, alarm: Alarm | None, last: Paged | None) -> Verdict:
    if alarm is not None and alarm.state not in UNANSWERED:
        return Verdict(Action.NONE, Why.ANSWERED_ALREADY)
    return Verdict(Action.SUMMARY, Why.PAST_EXCURSION)


def _cleared(transition: Transition, alarm: Alarm | None, last: Paged | None) -> Verdict:
    """Whoever was paged is told once that it is over and still wants an answer."""
    unanswered = transition.target in UNANSWERED and (alarm is None or alarm.state in UNANSWERED)
    if transition.retroactive or not unanswered or last is None or last.return_told:
        return Verdict(Action.NONE, Why.RETURNED)
    if alarm is not None and alarm.active:  # it is out of limit again by now
        return Verdict(Action.NONE, Why.RETURNED)
    return Verdict(Action.SUMMARY, Why.RETURNED_UNANSWERED)


def _lifted(transition: Transition, alarm: Alarm | None, last: Paged | None) -> Verdict:
    """What comes from under its last overlay is told as fresh, once: under the overlay nobody was told of it."""
    if alarm is None or alarm.state not in UNANSWERED:
        return Verdict(Action.NONE, Why.COMMAND)
    if not alarm.active:
        return Verdict(Action.SUMMARY, Why.RETURNED_UNANSWERED)
    if last is not None and last.decided >= transition.detected_at:  # by a raise, or another overlay, of this round
        return Verdict(Action.NONE, Why.REPEATED)
    return Verdict(Action.PAGE, Why.OVERLAY_LIFTED)


def _silent(why: Why) -> Callable[[Transition, Alarm | None, Paged | None], Verdict]:
    return lambda transition, alarm, last: Verdict(Action.NONE, why)


_JUDGES: dict[EventKind, Callable[[Transition, Alarm | None, Paged | None], Verdict]] = {
    EventKind.RAISE: _raised,
    EventKind.STEP_UP: _raised,
    EventKind.PAST_RAISE: _past_raised,
    EventKind.CLEAR: _cleared,
    EventKind.PAST_CLEAR: _silent(Why.RETURNED),
    EventKind.STEP_DOWN: _silent(Why.STEPPED_DOWN),
    EventKind.CLOSE: _silent(Why.CLOSED),
    **dict.fromkeys(LIFTS, _lifted),
}


def _rank(transition: Transition) -> int:
    return -1 if transition.priority is None else transition.priority.rank
