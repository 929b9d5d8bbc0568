"""Every legal and every illegal transition of the alarm's lifecycle, and what an alarm remembers."""

import itertools
from dataclasses import replace

import pytest

from domain.alarms import (
    Alarm,
    AlarmEvent,
    AlarmKey,
    AlarmState,
    EventKind,
    FoodFate,
    Nuisance,
    Overlay,
    OverlayKind,
    Priority,
    Reason,
    Remedy,
)
from domain.errors import IllegalTransitionError
from domain.lifecycle import LAYS, LIFTS, TABLE, apply, legal_events

S, E = AlarmState, EventKind
KEY = AlarmKey("cold-storage-high", "fridge-1/temperature")
NOON = 1_780_000_000_000


def event(kind: EventKind, **changes: object) -> AlarmEvent:
    """An event that says all that its kind must say."""
    said: dict[EventKind, dict[str, object]] = {
        E.CONFIRM: {"remedy": Remedy.REPAIRED, "food": FoodFate.KEPT},
        E.COMMENT: {"note": "the seal is worn"},
    }
    base = AlarmEvent(kind, KEY, Reason.BY_PERSON, NOON, NOON + 5, by="li" if kind in LAYS else "")
    return replace(base, **{**said.get(kind, {}), **changes})


def alarm_in(state: AlarmState) -> Alarm:
    return Alarm("school", KEY, state, Priority.HIGH, 0, 9.2, Reason.ABOVE_LIMIT, raised_at=NOON - 60_000, version=7)


# The table once more, written by hand from ISA-18.2 and the design, so that a slip in the code is seen.
LEGAL = {
    (S.NORMAL, E.RAISE): S.UNACKNOWLEDGED,
    (S.RETURNED_UNACKNOWLEDGED, E.RAISE): S.UNACKNOWLEDGED,
    (S.LATCHED_UNACKNOWLEDGED, E.RAISE): S.UNACKNOWLEDGED,
    (S.LATCHED_ACKNOWLEDGED, E.RAISE): S.UNACKNOWLEDGED,
    (S.UNACKNOWLEDGED, E.CLEAR): S.RETURNED_UNACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.CLEAR): S.NORMAL,
    (S.UNACKNOWLEDGED, E.STEP_UP): S.UNACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.STEP_UP): S.UNACKNOWLEDGED,
    (S.UNACKNOWLEDGED, E.STEP_DOWN): S.UNACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.STEP_DOWN): S.ACKNOWLEDGED,
    (S.UNACKNOWLEDGED, E.PAST_RAISE): S.UNACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.PAST_RAISE): S.UNACKNOWLEDGED,
    (S.UNACKNOWLEDGED, E.PAST_CLEAR): S.UNACKNOWLEDGED,
    (S.ACKNOWLEDGED, E.PAST_CLEAR): S.ACKNOWLEDGED,
    (S.UNACKNOWLEDGED, E.ACKNOWLEDGE): S.ACKNOWLEDGED,
    (S.RETURNED_UNACKNOWLEDGED, E.ACKNOWLEDGE): S.NORMAL,
    (S.LATCHED_UNACKNOWLEDGED, E.ACKNOWLEDGE): S.LATCHED_ACKNOWLEDGED,
    (S.LATCHED_ACKNOWLEDGED, E.RESET): S.NORMAL,
    (S.NORMAL, E.CONFIRM): S.NORMAL,
    (S.ACKNOWLEDGED, E.CONFIRM): S.ACKNOWLEDGED,
    (S.LATCHED_ACKNOWLEDGED, E.CONFIRM): S.LATCHED_ACKNOWLEDGED,
    (S.UNACKNOWLEDGED, E.SILENCE): S.UNACKNOWLEDGED,
    (S.RETURNED_UNACKNOWLEDGED, E.SILENCE): S.RETURNED_UNACKNOWLEDGED,
    (S.LATCHED_UNACKNOWLEDGED, E.SILENCE): S.LATCHED_UNACKNOWLEDGED,
    (S.UNACKNOWLEDGED, E.CLOSE): S.NORMAL,
    (S.ACKNOWLEDGED, E.CLOSE): S.NORMAL,
    (S.RETURNED_UNACKNOWLEDGED, E.CLOSE): S.NORMAL,
    (S.LATCHED_UNACKNOWLEDGED, E.CLOSE): S.NORMAL,
    (S.LATCHED_ACKNOWLEDGED, E.CLOSE): S.NORMAL,
    **{(state, kind): state for state in S for kind in (E.ASSIGN, E.COMMENT)},
}
ORDINARY = [kind for kind in E if kind not in LAYS and kind not in LIFTS]
ALL_PAIRS = list(itertools.product(S, ORDINARY))


@pytest.mark.parametrize(("state", "kind"), sorted(LEGAL))
def test_a_legal_event_leads_where_the_design_says(state: AlarmState, kind: EventKind) -> None:
    before = alarm_in(state)
    after, transition = apply(before, event(kind, priority=Priority.URGENT, level=1, value=12.5))
    assert after.state is LEGAL[(state, kind)]
    assert after.version == before.version + 1
    assert (transition.source, transition.target, transition.event) == (state, after.state, kind)
    assert (transition.at, transition.detected_at) == (NOON, NOON + 5)


@pytest.mark.parametrize(("state", "kind"), [pair for pair in ALL_PAIRS if pair not in LEGAL])
def test_an_illegal_event_raises_and_changes_nothing(state: AlarmState, kind: EventKind) -> None:
    before = alarm_in(state)
    copy = replace(before)
    with pytest.raises(IllegalTransitionError) as refused:
        apply(before, event(kind))
    assert before == copy
    for possible in legal_events(state):
        assert possible in refused.value.remedy


def test_the_table_has_no_more_than_the_tested_pairs() -> None:
    assert set(TABLE) == set(LEGAL)


def test_a_latching_alarm_stays_until_it_is_acknowledged_and_reset() -> None:
    alarm, _ = apply(alarm_in(S.UNACKNOWLEDGED), event(E.CLEAR, latching=True))
    assert alarm.state is S.LATCHED_UNACKNOWLEDGED
    with pytest.raises(IllegalTransitionError):
        apply(alarm, event(E.RESET))
    alarm, _ = apply(alarm, event(E.ACKNOWLEDGE))
    assert alarm.state is S.LATCHED_ACKNOWLEDGED
    alarm, _ = apply(alarm, event(E.RESET))
    assert alarm.state is S.NORMAL


def test_before_commissioning_an_alarm_asks_nothing_of_anybody() -> None:
    raised, _ = apply(Alarm("school", KEY), event(E.RAISE, answer_required=False, priority=Priority.HIGH))
    assert raised.state is S.ACKNOWLEDGED
    stepped, _ = apply(raised, event(E.STEP_UP, answer_required=False, priority=Priority.URGENT))
    assert stepped.state is S.ACKNOWLEDGED
    cleared, _ = apply(stepped, event(E.CLEAR, answer_required=False, latching=True))
    assert cleared.state is S.NORMAL


def test_what_was_owed_before_stays_owed_when_a_raise_needs_no_answer() -> None:
    raised, _ = apply(alarm_in(S.RETURNED_UNACKNOWLEDGED), event(E.RAISE, answer_required=False))
    assert raised.state is S.UNACKNOWLEDGED


def test_a_raise_forgets_the_earlier_acknowledgement_and_keeps_the_cause() -> None:
    acknowledged, _ = apply(alarm_in(S.UNACKNOWLEDGED), event(E.ACKNOWLEDGE, by="kitchen"))
    assert (acknowledged.acknowledged_by, acknowledged.acknowledged_at) == ("kitchen", NOON)
    assert (acknowledged.value, acknowledged.reason) == (9.2, Reason.ABOVE_LIMIT)
    cleared, _ = apply(acknowledged, event(E.CLEAR, reason=Reason.WITHIN_LIMIT, value=4.0))
    assert (cleared.value, cleared.reason) == (4.0, Reason.WITHIN_LIMIT)
    raised, _ = apply(cleared, event(E.RAISE, reason=Reason.ABOVE_LIMIT, value=8.5, priority=Priority.LOW, level=0))
    assert (raised.acknowledged_by, raised.acknowledged_at, raised.priority) == ("", None, Priority.LOW)


def test_nothing_can_be_confirmed_that_was_never_raised() -> None:
    with pytest.raises(IllegalTransitionError):
        apply(Alarm("school", KEY), event(E.CONFIRM, note="moved the milk"))


@pytest.mark.parametrize("state", list(S))
def test_shelving_lies_over_any_state_and_the_condition_goes_on(state: AlarmState) -> None:
    shelved, transition = apply(alarm_in(state), event(E.SHELVE, note="defrosting", until=NOON + 1, by="kitchen"))
    assert shelved.state is state
    assert transition.source is transition.target
    overlay = shelved.overlay(OverlayKind.SHELVED)
    assert overlay is not None
    assert (overlay.why, overlay.until, overlay.by) == ("defrosting", NOON + 1, "kitchen")
    if (state, E.CLEAR) in TABLE:
        cleared, _ = apply(shelved, event(E.CLEAR))
        assert cleared.overlay(OverlayKind.SHELVED) is not None
    lifted, _ = apply(shelved, event(E.UNSHELVE))
    assert lifted.overlays == ()


@pytest.mark.parametrize("until", [None, NOON - 1, NOON])
def test_an_alarm_is_never_shelved_for_ever(until: int | None) -> None:
    with pytest.raises(IllegalTransitionError, match="for ever"):
        apply(alarm_in(S.UNACKNOWLEDGED), event(E.SHELVE, note="noise", until=until))


def test_an_overlay_needs_a_reason_and_is_laid_and_lifted_once() -> None:
    alarm = alarm_in(S.UNACKNOWLEDGED)
    with pytest.raises(IllegalTransitionError, match="needs a reason"):
        apply(alarm, event(E.REMOVE_FROM_SERVICE, note="  "))
    with pytest.raises(IllegalTransitionError, match="not out_of_service"):
        apply(alarm, event(E.RETURN_TO_SERVICE))
    removed, _ = apply(alarm, event(E.REMOVE_FROM_SERVICE, note="repair"))
    with pytest.raises(IllegalTransitionError, match="already"):
        apply(removed, event(E.REMOVE_FROM_SERVICE, note="repair"))
    both, _ = apply(removed, event(E.SUPPRESS, note="power lost"))
    assert {overlay.kind for overlay in both.overlays} == {OverlayKind.OUT_OF_SERVICE, OverlayKind.SUPPRESSED}
    one, _ = apply(both, event(E.RETURN_TO_SERVICE))
    assert [overlay.kind for overlay in one.overlays] == [OverlayKind.SUPPRESSED]


@pytest.mark.parametrize("kind", sorted(LAYS))
def test_an_overlay_names_who_laid_it(kind: EventKind) -> None:
    with pytest.raises(IllegalTransitionError, match="a name"):
        apply(alarm_in(S.UNACKNOWLEDGED), event(kind, note="repair", until=NOON + 1, by=" "))


def test_a_confirmation_says_what_was_done_and_what_became_of_the_food() -> None:
    alarm = alarm_in(S.ACKNOWLEDGED)
    for missing in ({"remedy": None}, {"food": None}):
        with pytest.raises(IllegalTransitionError, match="not complete"):
            apply(alarm, event(E.CONFIRM, **missing))
    with pytest.raises(IllegalTransitionError, match="what was done is not said"):
        apply(alarm, event(E.CONFIRM, remedy=Remedy.OTHER, note=" "))
    once, _ = apply(alarm, event(E.CONFIRM, by="li", remedy=Remedy.CALLED, food=FoodFate.MOVED))
    twice, transition = apply(once, event(E.CONFIRM, by="wang", at=NOON + 9))
    assert (twice.confirmed_by, twice.confirmed_at, twice.state) == ("wang", NOON + 9, S.ACKNOWLEDGED)
    assert (transition.remedy, transition.food) == (Remedy.REPAIRED, FoodFate.KEPT)


def test_each_raise_wants_its_own_corrective_action() -> None:
    confirmed, _ = apply(alarm_in(S.ACKNOWLEDGED), event(E.CONFIRM, by="li"))
    cleared, _ = apply(confirmed, event(E.CLEAR))
    assert cleared.confirmed_by == "li"
    raised, _ = apply(cleared, event(E.RAISE))
    assert (raised.confirmed_by, raised.confirmed_at) == ("", None)


def test_an_answer_may_say_that_the_alarm_was_a_nuisance_and_why() -> None:
    _, transition = apply(alarm_in(S.UNACKNOWLEDGED), event(E.ACKNOWLEDGE, by="li", nuisance=Nuisance.DEFROST))
    assert transition.nuisance is Nuisance.DEFROST
    _, plain = apply(alarm_in(S.UNACKNOWLEDGED), event(E.ACKNOWLEDGE, by="li"))
    assert plain.nuisance is None


@pytest.mark.parametrize("kind", [E.RAISE, E.STEP_UP, E.PAST_RAISE])
def test_a_silence_lasts_until_the_next_raise_or_step_up(kind: EventKind) -> None:
    silent, _ = apply(alarm_in(S.UNACKNOWLEDGED), event(E.SILENCE, by="li"))
    assert (silent.silenced_by, silent.silenced_at) == ("li", NOON)
    with pytest.raises(IllegalTransitionError, match="silent already"):
        apply(silent, event(E.SILENCE))
    if kind is E.RAISE:
        silent, _ = apply(silent, event(E.CLEAR))
    assert silent.silenced_at == NOON
    loud, _ = apply(silent, event(kind))
    assert (loud.silenced_by, loud.silenced_at) == ("", None)


def test_an_alarm_belongs_to_somebody_until_it_begins_anew_from_normal() -> None:
    mine, transition = apply(alarm_in(S.ACKNOWLEDGED), event(E.ASSIGN, by="li", assignee="maintenance"))
    assert (mine.assigned_to, transition.assignee) == ("maintenance", "maintenance")
    nobody, _ = apply(mine, event(E.ASSIGN, by="li"))
    assert nobody.assigned_to == ""
    over, _ = apply(mine, event(E.CLEAR))
    assert over.assigned_to == "maintenance"
    again, _ = apply(over, event(E.RAISE))
    assert again.assigned_to == ""
    chattering, _ = apply(replace(mine, state=S.RETURNED_UNACKNOWLEDGED), event(E.RAISE))
    assert chattering.assigned_to == "maintenance"


def test_an_empty_comment_is_none() -> None:
    with pytest.raises(IllegalTransitionError, match="comment is empty"):
        apply(alarm_in(S.NORMAL), event(E.COMMENT, note=" "))


def test_what_comes_from_under_its_last_overlay_still_active_wants_to_be_seen_afresh() -> None:
    seen = replace(alarm_in(S.ACKNOWLEDGED), silenced_at=NOON, silenced_by="li")
    shelved, _ = apply(seen, event(E.SHELVE, note="repair", until=NOON + 1))
    both, _ = apply(shelved, event(E.SUPPRESS, note="power lost", by="incident:power-lost"))
    one, _ = apply(both, event(E.UNSHELVE))
    assert (one.state, one.silenced_at) == (S.ACKNOWLEDGED, None)
    none, transition = apply(one, event(E.UNSUPPRESS))
    assert (none.state, transition.source) == (S.UNACKNOWLEDGED, S.ACKNOWLEDGED)
    calm, _ = apply(one, event(E.UNSUPPRESS, answer_required=False))
    assert calm.state is S.ACKNOWLEDGED


@pytest.mark.parametrize("state", [state for state in S if state is not S.ACKNOWLEDGED])
def test_lifting_changes_no_other_state(state: AlarmState) -> None:
    shelved, _ = apply(alarm_in(state), event(E.SHELVE, note="repair", until=NOON + 1))
    lifted, _ = apply(shelved, event(E.UNSHELVE))
    assert lifted.state is state


def test_an_overlay_lies_until_its_end_whoever_writes_the_end_down() -> None:
    shelved = Overlay(OverlayKind.SHELVED, "li", "repair", NOON, NOON + 10)
    forever = Overlay(OverlayKind.OUT_OF_SERVICE, "li", "sold", NOON)
    assert (shelved.lies(NOON + 9), shelved.lies(NOON + 10), forever.lies(NOON * 2)) == (True, False, True)
    alarm = replace(alarm_in(S.UNACKNOWLEDGED), overlays=(shelved,))
    assert (alarm.set_aside(NOON + 9), alarm.set_aside(NOON + 10)) == (True, False)
    assert not alarm_in(S.UNACKNOWLEDGED).set_aside(NOON)
