"""The alarm's lifecycle: one table says which event is legal in which state, and where it leads.

`apply` is the only way that an alarm changes, for the engine's events and for people's commands alike. An illegal
event raises `IllegalTransitionError` and changes nothing. The diagram in docs/lifecycle.md is generated from `TABLE`.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from domain.alarms import Alarm, AlarmEvent, AlarmState, EventKind, Overlay, OverlayKind, Remedy, Transition
from domain.errors import IllegalTransitionError

_S, _E = AlarmState, EventKind

# What people may add at any time; it changes no state.
ANYWHERE = (_E.ASSIGN, _E.COMMENT)

# Guards choose between two targets of one (state, event): see `_target`.
TABLE: Mapping[tuple[AlarmState, EventKind], tuple[AlarmState, ...]] = MappingProxyType(
    {
        # (state, event): (target,) or (target, target when latching) for CLEAR
        #                 or (target, target when no answer is required) for RAISE
        (_S.NORMAL, _E.RAISE): (_S.UNACKNOWLEDGED, _S.ACKNOWLEDGED),
        (_S.RETURNED_UNACKNOWLEDGED, _E.RAISE): (_S.UNACKNOWLEDGED, _S.UNACKNOWLEDGED),
        (_S.LATCHED_UNACKNOWLEDGED, _E.RAISE): (_S.UNACKNOWLEDGED, _S.UNACKNOWLEDGED),
        (_S.LATCHED_ACKNOWLEDGED, _E.RAISE): (_S.UNACKNOWLEDGED, _S.ACKNOWLEDGED),
        (_S.UNACKNOWLEDGED, _E.CLEAR): (_S.RETURNED_UNACKNOWLEDGED, _S.LATCHED_UNACKNOWLEDGED),
        (_S.ACKNOWLEDGED, _E.CLEAR): (_S.NORMAL, _S.LATCHED_ACKNOWLEDGED),
        (_S.UNACKNOWLEDGED, _E.STEP_UP): (_S.UNACKNOWLEDGED, _S.UNACKNOWLEDGED),
        (_S.ACKNOWLEDGED, _E.STEP_UP): (_S.UNACKNOWLEDGED, _S.ACKNOWLEDGED),
        (_S.UNACKNOWLEDGED, _E.STEP_DOWN): (_S.UNACKNOWLEDGED,),
        (_S.ACKNOWLEDGED, _E.STEP_DOWN): (_S.ACKNOWLEDGED,),
        # A past excursion owes an answer of its own, so it re-opens what was answered.
        (_S.UNACKNOWLEDGED, _E.PAST_RAISE): (_S.UNACKNOWLEDGED, _S.UNACKNOWLEDGED),
        (_S.ACKNOWLEDGED, _E.PAST_RAISE): (_S.UNACKNOWLEDGED, _S.ACKNOWLEDGED),
        (_S.UNACKNOWLEDGED, _E.PAST_CLEAR): (_S.UNACKNOWLEDGED,),
        (_S.ACKNOWLEDGED, _E.PAST_CLEAR): (_S.ACKNOWLEDGED,),
        (_S.UNACKNOWLEDGED, _E.ACKNOWLEDGE): (_S.ACKNOWLEDGED,),
        (_S.RETURNED_UNACKNOWLEDGED, _E.ACKNOWLEDGE): (_S.NORMAL,),
        (_S.LATCHED_UNACKNOWLEDGED, _E.ACKNOWLEDGE): (_S.LATCHED_ACKNOWLEDGED,),
        (_S.LATCHED_ACKNOWLEDGED, _E.RESET): (_S.NORMAL,),
        (_S.NORMAL, _E.CONFIRM): (_S.NORMAL,),
        (_S.ACKNOWLEDGED, _E.CONFIRM): (_S.ACKNOWLEDGED,),
        (_S.LATCHED_ACKNOWLEDGED, _E.CONFIRM): (_S.LATCHED_ACKNOWLEDGED,),
        (_S.UNACKNOWLEDGED, _E.SILENCE): (_S.UNACKNOWLEDGED,),
        (_S.RETURNED_UNACKNOWLEDGED, _E.SILENCE): (_S.RETURNED_UNACKNOWLEDGED,),
        (_S.LATCHED_UNACKNOWLEDGED, _E.SILENCE): (_S.LATCHED_UNACKNOWLEDGED,),
        # What no longer applies closes, whatever is owed; the log keeps it.
        (_S.UNACKNOWLEDGED, _E.CLOSE): (_S.NORMAL,),
        (_S.ACKNOWLEDGED, _E.CLOSE): (_S.NORMAL,),
        (_S.RETURNED_UNACKNOWLEDGED, _E.CLOSE): (_S.NORMAL,),
        (_S.LATCHED_UNACKNOWLEDGED, _E.CLOSE): (_S.NORMAL,),
        (_S.LATCHED_ACKNOWLEDGED, _E.CLOSE): (_S.NORMAL,),
        **{(state, event): (state,) for event in ANYWHERE for state in _S},
    }
)

LAYS: Mapping[EventKind, OverlayKind] = MappingProxyType(
    {
        _E.SHELVE: OverlayKind.SHELVED,
        _E.SUPPRESS: OverlayKind.SUPPRESSED,
        _E.REMOVE_FROM_SERVICE: OverlayKind.OUT_OF_SERVICE,
    }
)
LIFTS: Mapping[EventKind, OverlayKind] = MappingProxyType(
    {
        _E.UNSHELVE: OverlayKind.SHELVED,
        _E.UNSUPPRESS: OverlayKind.SUPPRESSED,
        _E.RETURN_TO_SERVICE: OverlayKind.OUT_OF_SERVICE,
    }
)

_CONDITION_CHANGES = frozenset({_E.RAISE, _E.STEP_UP, _E.STEP_DOWN, _E.CLEAR})
# News that a silence given before does not cover.
_HEARD_AGAIN = frozenset({_E.RAISE, _E.STEP_UP, _E.PAST_RAISE, *LIFTS})


def legal_events(state: AlarmState) -> frozenset[EventKind]:
    """The events of the table that the state allows (overlays are legal over any state)."""
    return frozenset(event for source, event in TABLE if source is state)


def apply(alarm: Alarm, event: AlarmEvent) -> tuple[Alarm, Transition]:
    """The alarm after the event, and the transition to log.

    IllegalTransitionError when the state does not allow the event; then nothing was changed.
    """
    _check(alarm, event)
    if event.kind in LAYS or event.kind in LIFTS:
        overlays = _overlays(alarm, event)
        target = _under(alarm, event, overlays)
    else:
        overlays, target = alarm.overlays, _target(alarm, event)
    changed = replace(alarm, state=target, overlays=overlays, version=alarm.version + 1, changed_at=event.at)
    changed = _with_condition(changed, alarm, event)
    return _with_answer(changed, event), _transition(alarm, changed, event)


def _with_condition(changed: Alarm, before: Alarm, event: AlarmEvent) -> Alarm:
    """What the engine's events leave in the alarm."""
    if event.kind in _CONDITION_CHANGES:
        changed = replace(changed, value=event.value, reason=event.reason)
    if event.kind in (_E.RAISE, _E.STEP_UP, _E.STEP_DOWN):
        changed = replace(changed, priority=event.priority, level=event.level)
    if event.kind is _E.RAISE:
        changed = replace(changed, raised_at=event.at, acknowledged_by="", acknowledged_at=None)
        changed = replace(changed, confirmed_by="", confirmed_at=None)
        if before.state is _S.NORMAL:
            changed = replace(changed, assigned_to="")
    return changed


def _with_answer(changed: Alarm, event: AlarmEvent) -> Alarm:
    """What people's commands leave in the alarm."""
    match event.kind:
        case _E.ACKNOWLEDGE:
            return replace(changed, acknowledged_by=event.by, acknowledged_at=event.at)
        case _E.CONFIRM:
            return replace(changed, confirmed_by=event.by, confirmed_at=event.at)
        case _E.SILENCE:
            return replace(changed, silenced_by=event.by, silenced_at=event.at)
        case _E.ASSIGN:
            return replace(changed, assigned_to=event.assignee)
        case kind if kind in _HEARD_AGAIN:
            return replace(changed, silenced_by="", silenced_at=None)
    return changed


def _check(alarm: Alarm, event: AlarmEvent) -> None:
    """Whether the command says what it must."""
    if event.kind is _E.CONFIRM:
        if event.remedy is None or event.food is None:
            raise IllegalTransitionError(
                "a corrective action is not complete", "say what was done, and what became of the food"
            )
        if event.remedy is Remedy.OTHER and not event.note.strip():
            raise IllegalTransitionError("what was done is not said", "say it in the note")
    if event.kind is _E.COMMENT and not event.note.strip():
        raise IllegalTransitionError("the comment is empty", "write it in the note")
    if event.kind is _E.SILENCE and alarm.silenced_at is not None:
        raise IllegalTransitionError(f"{event.key.rule} of {event.key.point} is silent already")


def _target(alarm: Alarm, event: AlarmEvent) -> AlarmState:
    targets = TABLE.get((alarm.state, event.kind))
    if targets is None or (event.kind is _E.CONFIRM and alarm.raised_at is None):
        raise IllegalTransitionError(
            f"{event.kind} is not possible while {event.key.rule} of {event.key.point} is {alarm.state}",
            f"possible now: {', '.join(sorted(legal_events(alarm.state))) or 'nothing'}",
        )
    if event.kind is _E.CLEAR:
        # Before commissioning nobody is there to reset a latch.
        return targets[1 if event.latching and event.answer_required else 0]
    return targets[0 if event.answer_required else -1]


def _under(alarm: Alarm, event: AlarmEvent, overlays: tuple[Overlay, ...]) -> AlarmState:
    """Overlays leave the state alone; but what comes from under the last one still active wants to be seen afresh."""
    fresh = event.kind in LIFTS and not overlays and event.answer_required
    return _S.UNACKNOWLEDGED if fresh and alarm.state is _S.ACKNOWLEDGED else alarm.state


def _overlays(alarm: Alarm, event: AlarmEvent) -> tuple[Overlay, ...]:
    kind = LAYS.get(event.kind) or LIFTS[event.kind]
    others = tuple(overlay for overlay in alarm.overlays if overlay.kind is not kind)
    if event.kind in LIFTS:
        if alarm.overlay(kind) is None:
            raise IllegalTransitionError(f"{event.key.rule} of {event.key.point} is not {kind}")
        return others
    if alarm.overlay(kind) is not None:
        raise IllegalTransitionError(f"{event.key.rule} of {event.key.point} is {kind} already", "lift it first")
    if kind is OverlayKind.SHELVED and (event.until is None or event.until <= event.at):
        raise IllegalTransitionError("an alarm cannot be shelved for ever", "say until when, later than now")
    if not event.note.strip() or not event.by.strip():
        raise IllegalTransitionError(f"{event.kind} needs a reason and a name", "say why in the note, and who")
    return (*others, Overlay(kind, event.by, event.note, event.at, event.until))


def _transition(before: Alarm, after: Alarm, event: AlarmEvent) -> Transition:
    return Transition(
        site=before.site,
        key=before.key,
        event=event.kind,
        source=before.state,
        target=after.state,
        reason=event.reason,
        priority=event.priority if event.priority is not None else after.priority,
        level=event.level if event.level is not None else after.level,
        value=event.value,
        at=event.at,
        detected_at=event.detected_at,
        retroactive=event.retroactive,
        answer_required=event.answer_required,
        by=event.by,
        note=event.note,
        rules_revision=after.rules_revision,
        until=event.until,
        nuisance=event.nuisance,
        remedy=event.remedy,
        food=event.food,
        assignee=event.assignee,
    )
