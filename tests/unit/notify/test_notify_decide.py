"""Who is told of what: each story ends in one verdict with one reason."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from domain.alarms import (
    Alarm,
    AlarmKey,
    AlarmState,
    EventKind,
    Overlay,
    OverlayKind,
    Priority,
    Reason,
    Transition,
)
from notify.decide import (
    LATE_GRACE,
    REPEAT_WINDOW,
    Action,
    Paged,
    RecentPages,
    Verdict,
    Why,
    decide,
)

NOON = 1_780_000_000_000
KEY = AlarmKey("cold-high", "fridge-1/temperature")
S, E = AlarmState, EventKind


def transition(event: EventKind = E.RAISE, **changes: object) -> Transition:
    base = Transition(
        "school", KEY, event, S.NORMAL, S.UNACKNOWLEDGED, Reason.ABOVE_LIMIT, Priority.HIGH, 0, 9.2, NOON, NOON, False
    )
    return replace(base, **changes)


def alarm(state: AlarmState = S.UNACKNOWLEDGED, *overlays: OverlayKind) -> Alarm:
    laid = tuple(Overlay(kind, "duty", "why", NOON, NOON + 60_000) for kind in overlays)
    return Alarm("school", KEY, state, Priority.HIGH, 0, 9.2, raised_at=NOON, overlays=laid)


def verdict(
    what: Transition, now_is: Alarm | None = None, last: Paged | None = None, now: int = NOON, may_wait: bool = True
) -> str:
    return str(decide(what, now_is, last, now, may_wait=may_wait))


def test_an_alarm_that_needs_an_answer_pages() -> None:
    assert verdict(transition(), alarm()) == "page: raised"
    assert verdict(transition()) == "page: raised"


def test_a_step_up_pages() -> None:
    assert verdict(transition(E.STEP_UP, priority=Priority.URGENT), alarm()) == "page: stepped_up"


def test_before_commissioning_nobody_is_told() -> None:
    for event in (E.RAISE, E.STEP_UP, E.PAST_RAISE, E.CLEAR):
        assert verdict(transition(event, answer_required=False), alarm()) == "none: no_answer_required"


@pytest.mark.parametrize("kind", OverlayKind)
def test_what_is_set_aside_pages_nobody(kind: OverlayKind) -> None:
    assert verdict(transition(), alarm(S.UNACKNOWLEDGED, kind)) == f"none: {kind}"


def test_out_of_service_is_named_before_shelved() -> None:
    both = alarm(S.UNACKNOWLEDGED, OverlayKind.SHELVED, OverlayKind.OUT_OF_SERVICE)
    assert verdict(transition(), both) == "none: out_of_service"


@pytest.mark.parametrize("event", [E.UNSHELVE, E.UNSUPPRESS, E.RETURN_TO_SERVICE])
def test_what_comes_back_active_and_unanswered_pages(event: EventKind) -> None:
    assert verdict(transition(event), alarm()) == "page: overlay_lifted"
    assert verdict(transition(event), alarm(S.ACKNOWLEDGED)) == "none: command"
    assert verdict(transition(event), alarm(S.NORMAL)) == "none: command"
    assert verdict(transition(event), alarm(S.UNACKNOWLEDGED, OverlayKind.SUPPRESSED)) == "none: suppressed"
    assert verdict(transition(event), None) == "none: command"
    assert verdict(transition(event, answer_required=False), alarm()) == "none: no_answer_required"


@pytest.mark.parametrize("state", [S.RETURNED_UNACKNOWLEDGED, S.LATCHED_UNACKNOWLEDGED])
def test_what_is_over_when_its_overlay_is_lifted_is_a_summary(state: AlarmState) -> None:
    assert verdict(transition(E.UNSHELVE), alarm(state)) == "summary: returned_unanswered"


def test_two_overlays_lifted_in_one_round_page_once() -> None:
    pages, now = RecentPages(), NOON + 900
    said = []
    for lifted in (transition(E.UNSHELVE), transition(E.RETURN_TO_SERVICE, detected_at=NOON + 500)):
        one = decide(lifted, alarm(), pages.last(lifted), now)
        pages.note(lifted, one, now)
        said.append(str(one))
    assert said == ["page: overlay_lifted", "none: repeated"]
    again = transition(E.UNSHELVE, detected_at=NOON + 5_000)
    assert str(decide(again, alarm(), pages.last(again), NOON + 5_500)) == "page: overlay_lifted"


def test_an_overlay_that_has_ended_hides_nothing_even_before_its_end_is_written_down() -> None:
    shelved = alarm(S.UNACKNOWLEDGED, OverlayKind.SHELVED)
    assert verdict(transition(), shelved, now=NOON + 59_999) == "none: shelved"
    assert verdict(transition(), shelved, now=NOON + 60_000) == "page: raised"


def test_what_somebody_silenced_says_no_more_until_it_is_raised_or_steps_up() -> None:
    silent = replace(alarm(), silenced_at=NOON + 1, silenced_by="li")
    assert verdict(transition(), silent) == "none: silenced"
    over = replace(silent, state=S.RETURNED_UNACKNOWLEDGED)
    assert verdict(CLEAR, over, PAGED) == "none: silenced"
    loud = replace(silent, silenced_at=None)  # as a raise or a step up leaves it
    assert verdict(transition(E.STEP_UP, priority=Priority.URGENT), loud, PAGED) == "page: stepped_up"


@pytest.mark.parametrize(
    "event",
    [E.ACKNOWLEDGE, E.CONFIRM, E.SILENCE, E.RESET, E.SHELVE, E.SUPPRESS, E.REMOVE_FROM_SERVICE, E.ASSIGN, E.COMMENT],
)
def test_peoples_commands_page_nobody(event: EventKind) -> None:
    assert verdict(transition(event), alarm()) == "none: command"


def test_every_event_has_a_verdict() -> None:
    for event in EventKind:
        assert isinstance(decide(transition(event), alarm(), None, NOON), Verdict)


@pytest.mark.parametrize("state", [S.ACKNOWLEDGED, S.NORMAL, S.LATCHED_ACKNOWLEDGED])
def test_an_alarm_that_somebody_answered_in_the_meantime_pages_nobody(state: AlarmState) -> None:
    assert verdict(transition(), alarm(state)) == "none: answered_already"
    assert verdict(transition(E.PAST_RAISE), alarm(state)) == "none: answered_already"


def test_an_alarm_that_is_over_but_unanswered_still_pages_when_it_was_on_time() -> None:
    assert verdict(transition(), alarm(S.RETURNED_UNACKNOWLEDGED), now=NOON + 3_600_000) == "page: raised"


LATE = transition(at=NOON - 3_600_000, retroactive=True)


def test_last_nights_news_is_a_summary() -> None:
    assert verdict(LATE, alarm(S.RETURNED_UNACKNOWLEDGED)) == "summary: past_excursion"
    assert verdict(LATE, alarm(S.LATCHED_UNACKNOWLEDGED)) == "summary: past_excursion"
    assert verdict(LATE, None) == "summary: past_excursion"
    assert verdict(transition(E.PAST_RAISE, retroactive=True), alarm()) == "summary: past_excursion"


def test_a_late_raise_waits_for_its_end_to_come_out_of_the_same_backlog_and_then_pages() -> None:
    assert verdict(LATE, alarm(), now=NOON) == "wait: may_be_over"
    assert verdict(LATE, alarm(), now=NOON + LATE_GRACE - 1) == "wait: may_be_over"
    assert verdict(LATE, alarm(), now=NOON + LATE_GRACE) == "page: found_late"
    assert verdict(LATE, alarm(S.RETURNED_UNACKNOWLEDGED), now=NOON + LATE_GRACE) == "summary: past_excursion"


def test_when_too_many_wait_it_is_decided_at_once() -> None:
    assert verdict(LATE, alarm(), now=NOON, may_wait=False) == "page: found_late"


def test_a_past_clear_was_told_with_its_raise() -> None:
    assert verdict(transition(E.PAST_CLEAR, retroactive=True), alarm()) == "none: returned"
    late_clear = transition(E.CLEAR, target=S.RETURNED_UNACKNOWLEDGED, retroactive=True)
    assert verdict(late_clear, alarm(S.RETURNED_UNACKNOWLEDGED), Paged(NOON, 2, NOON)) == "none: returned"


PAGED = Paged(NOON, Priority.HIGH.rank, NOON)


def test_a_chattering_alarm_pages_once_in_its_window() -> None:
    again = transition(detected_at=NOON + REPEAT_WINDOW - 1)
    assert verdict(again, alarm(), PAGED) == "none: repeated"
    assert verdict(replace(again, detected_at=NOON + REPEAT_WINDOW), alarm(), PAGED) == "page: raised"


def test_a_graver_raise_pages_within_the_window() -> None:
    graver = transition(detected_at=NOON + 1, priority=Priority.URGENT)
    assert verdict(graver, alarm(), PAGED) == "page: raised"
    milder = transition(detected_at=NOON + 1, priority=Priority.LOW)
    assert verdict(milder, alarm(), PAGED) == "none: repeated"
    assert verdict(transition(detected_at=NOON + 1, priority=None), alarm(), PAGED) == "none: repeated"


CLEAR = transition(E.CLEAR, source=S.UNACKNOWLEDGED, target=S.RETURNED_UNACKNOWLEDGED)


def test_who_was_paged_is_told_once_that_it_is_over() -> None:
    over = alarm(S.RETURNED_UNACKNOWLEDGED)
    assert verdict(CLEAR, over, PAGED) == "summary: returned_unanswered"
    assert verdict(CLEAR, over, replace(PAGED, return_told=True)) == "none: returned"
    assert verdict(CLEAR, over, None) == "none: returned"


def test_the_end_of_an_acknowledged_alarm_pages_nobody() -> None:
    clear = transition(E.CLEAR, source=S.ACKNOWLEDGED, target=S.NORMAL)
    assert verdict(clear, alarm(S.NORMAL), PAGED) == "none: returned"


def test_an_end_that_is_no_longer_true_or_already_answered_is_not_told() -> None:
    assert verdict(CLEAR, alarm(S.UNACKNOWLEDGED), PAGED) == "none: returned"
    assert verdict(CLEAR, alarm(S.NORMAL), PAGED) == "none: returned"


def test_steps_down_and_closings_page_nobody() -> None:
    assert verdict(transition(E.STEP_DOWN), alarm()) == "none: stepped_down"
    assert verdict(transition(E.CLOSE), alarm(S.NORMAL)) == "none: closed"


def test_the_window_counts_from_the_page_and_not_from_the_last_chatter() -> None:
    pages = RecentPages()
    paged = []
    for minute in range(0, 95, 5):
        raised = transition(detected_at=NOON + minute * 60_000)
        said = decide(raised, alarm(), pages.last(raised), NOON + minute * 60_000)
        pages.note(raised, said, NOON + minute * 60_000)
        if said.action is Action.PAGE:
            paged.append(minute)
    assert paged == [0, 30, 60, 90]


def test_each_alarm_of_each_site_has_its_own_window() -> None:
    pages = RecentPages()
    pages.note(transition(), Verdict(Action.PAGE, Why.RAISED), NOON)
    assert pages.last(transition()) == PAGED
    assert pages.last(transition(site="other")) is None
    assert pages.last(transition(key=AlarmKey("cold-high", "fridge-2/temperature"))) is None


def test_a_return_is_noted_only_where_there_was_a_page() -> None:
    pages = RecentPages()
    pages.note(CLEAR, Verdict(Action.SUMMARY, Why.RETURNED_UNANSWERED), NOON)
    assert pages.last(CLEAR) is None
    pages.note(transition(), Verdict(Action.PAGE, Why.RAISED), NOON)
    pages.note(CLEAR, Verdict(Action.SUMMARY, Why.RETURNED_UNANSWERED), NOON)
    assert pages.last(CLEAR) == replace(PAGED, return_told=True)
    pages.note(transition(), Verdict(Action.NONE, Why.REPEATED), NOON)
    assert pages.last(CLEAR) == replace(PAGED, return_told=True)


def test_what_is_remembered_is_bounded_and_the_oldest_is_forgotten() -> None:
    pages = RecentPages(most=3)
    for number in range(5):
        pages.note(transition(key=AlarmKey("r", f"a/{number}")), Verdict(Action.PAGE, Why.RAISED), NOON)
    assert len(pages) == 3
    assert pages.last(transition(key=AlarmKey("r", "a/1"))) is None
    assert pages.last(transition(key=AlarmKey("r", "a/2"))) is not None


def test_the_page_lists_every_verdict_that_can_be_given() -> None:
    page = (Path(__file__).parents[3] / "docs" / "notify.md").read_text(encoding="utf-8")
    listed = re.findall(r"`((?:page|summary|wait|none): \w+)`", page)
    assert sorted(listed) == sorted({*listed})
    assert {line.partition(": ")[2] for line in listed} == set(Why)
    assert {line.partition(": ")[0] for line in listed} == set(Action)
