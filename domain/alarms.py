"""The words of alarms: priority, state, event, transition, and the alarm itself as a frozen value.

An alarm is (site, rule, point): never value or priority. What the point is *now* (`active`) and what people still
*owe* (the state) are two things. Which event is legal in which state is decided in `domain.lifecycle` alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Priority(StrEnum):
    """How soon somebody must act; compare with `rank`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"

    @property
    def rank(self) -> int:
        """0 for low to 3 for urgent."""
        return list(Priority).index(self)


class AlarmState(StrEnum):
    """The ISA-18.2 states; shelved, suppressed and out of service lie over them as an `Overlay`."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned-unacknowledged"
    LATCHED_UNACKNOWLEDGED = "latched-unacknowledged"
    LATCHED_ACKNOWLEDGED = "latched-acknowledged"


ACTIVE_STATES = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED})


class EventKind(StrEnum):
    """What can happen to an alarm. The first block comes from the engine, the second from people or expiry."""

    RAISE = "raise"
    STEP_UP = "step_up"
    STEP_DOWN = "step_down"
    CLEAR = "clear"
    PAST_RAISE = "past_raise"  # an excursion of the past, found while the alarm is active for another reason
    PAST_CLEAR = "past_clear"
    CLOSE = "close"  # the rule or the point is gone

    ACKNOWLEDGE = "acknowledge"
    CONFIRM = "confirm"
    SILENCE = "silence"
    RESET = "reset"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    REMOVE_FROM_SERVICE = "remove_from_service"
    RETURN_TO_SERVICE = "return_to_service"
    ASSIGN = "assign"
    COMMENT = "comment"


class Reason(StrEnum):
    """Why a transition happened: the same word in the log, the metric, the page and the test."""

    ABOVE_LIMIT = "above_limit"
    BELOW_LIMIT = "below_limit"
    WITHIN_LIMIT = "within_limit"
    STATE_ENTERED = "state_entered"
    STATE_LEFT = "state_left"
    CHANGING_FAST = "changing_fast"
    STUCK = "stuck"
    OUT_OF_LIMIT_TOO_LONG = "out_of_limit_too_long"
    NOT_REACHED_IN_TIME = "not_reached_in_time"
    DUTY_BEYOND_LIMIT = "duty_beyond_limit"
    SHORT_CYCLES = "short_cycles"
    UNREADABLE = "unreadable"
    DEFROST_WRONG = "defrost_wrong"
    UNBALANCED = "unbalanced"
    MORE_ENERGY = "more_energy_than_it_should"
    CONDITIONS_MET = "conditions_met"
    CONDITION_OVER = "condition_over"
    NO_DATA = "no_data"
    DATA_RETURNED = "data_returned"
    CONNECTION_LOST = "connection_lost"
    CONNECTION_BACK = "connection_back"
    STEPPED_UP = "stepped_up"
    STEPPED_DOWN = "stepped_down"
    RULE_CHANGED = "rule_changed"
    RULE_REMOVED = "rule_removed"
    POINT_REMOVED = "point_removed"
    BY_PERSON = "by_person"
    EXPIRED = "expired"


class Nuisance(StrEnum):
    """Why an alarm told nobody anything new, as whoever answered it says; the alarm-quality measures count it."""

    LOADING = "loading"
    CLEANING = "cleaning"
    DEFROST = "defrost"
    OTHER = "other"


class Remedy(StrEnum):
    """What was done about the cause: the first half of a corrective action."""

    DOOR_CLOSED = "door_closed"
    ADJUSTED = "adjusted"  # a setting, a load, a place
    CLEANED = "cleaned"
    REPAIRED = "repaired"
    CALLED = "called"  # maintenance was called and is on its way
    NONE_NEEDED = "none_needed"
    OTHER = "other"  # then the note says what


class FoodFate(StrEnum):
    """What became of the food: the second half of a corrective action (Codex CXC 1-1969 asks for both)."""

    NOT_AFFECTED = "not_affected"  # no food there, or it stayed within its limit
    KEPT = "kept"  # checked, and kept where it is
    MOVED = "moved"
    REHEATED = "reheated"
    DISCARDED = "discarded"


class AlarmKey(NamedTuple):
    """What an alarm is: a rule applied to a point (`asset/metric`)."""

    rule: str
    point: str


class OverlayKind(StrEnum):
    """What can lie over a state; the condition is still evaluated and logged under it."""

    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"


@dataclass(frozen=True, slots=True)
class Overlay:
    """Who laid it, why, when (UTC ms) and until when; shelving always ends, the others may have no `until`.

    `by` is a person, or for what is suppressed by design the rule or incident (`rule:…`, `incident:…`).
    """

    kind: OverlayKind
    by: str
    why: str
    since: int
    until: int | None = None

    def lies(self, now: int) -> bool:
        """Whether it still counts at `now`: its end does not wait for the process that writes the end down."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """One thing that happens to one alarm; times are UTC ms.

    `at` is the event time (for a delayed condition: the due time), `detected_at` when the system knew. `since` is when
    the condition began to be true (RAISE) or clear (CLEAR): the edges of the excursion. `answer_required` is False
    before the site's commissioning. The last block belongs to commands: `nuisance` to ACKNOWLEDGE, `remedy` and `food`
    to CONFIRM, `assignee` to ASSIGN (empty: nobody any more).
    """

    kind: EventKind
    key: AlarmKey
    reason: Reason
    at: int
    detected_at: int
    since: int | None = None
    priority: Priority | None = None
    level: int | None = None
    value: float | None = None
    latching: bool = False
    retroactive: bool = False
    answer_required: bool = True
    by: str = ""
    note: str = ""
    until: int | None = None
    nuisance: Nuisance | None = None
    remedy: Remedy | None = None
    food: FoodFate | None = None
    assignee: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The present of one alarm. `version` counts its changes; `raised_at` is None until it was raised once.

    `confirmed_*` name the newest corrective action since it was raised, `silenced_*` who stopped its sound (until it is
    raised, steps up or comes from under an overlay), `assigned_to` whose it is (until it is raised from normal again).
    """

    site: str
    key: AlarmKey
    state: AlarmState = AlarmState.NORMAL
    priority: Priority | None = None
    level: int | None = None
    value: float | None = None
    reason: Reason | None = None
    raised_at: int | None = None
    changed_at: int | None = None
    acknowledged_by: str = ""
    acknowledged_at: int | None = None
    confirmed_by: str = ""
    confirmed_at: int | None = None
    silenced_by: str = ""
    silenced_at: int | None = None
    assigned_to: str = ""
    overlays: tuple[Overlay, ...] = ()
    rules_revision: int = 0
    version: int = 0

    @property
    def active(self) -> bool:
        """Whether the condition holds now."""
        return self.state in ACTIVE_STATES

    def overlay(self, kind: OverlayKind) -> Overlay | None:
        """The overlay of that kind, if it lies over the alarm."""
        return next((overlay for overlay in self.overlays if overlay.kind == kind), None)

    def set_aside(self, now: int) -> bool:
        """Whether an overlay keeps it from being told and from colouring its asset at `now` (UTC ms)."""
        return any(overlay.lies(now) for overlay in self.overlays)


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of an alarm, as it is logged; `id` is 0 until the store has given one (ascending, one sequence)."""

    site: str
    key: AlarmKey
    event: EventKind
    source: AlarmState
    target: AlarmState
    reason: Reason
    priority: Priority | None
    level: int | None
    value: float | None
    at: int
    detected_at: int
    retroactive: bool
    answer_required: bool = True
    by: str = ""
    note: str = ""
    id: int = 0
    rules_revision: int = 0
    until: int | None = None
    nuisance: Nuisance | None = None
    remedy: Remedy | None = None
    food: FoodFate | None = None
    assignee: str = ""
