"""What every operational store must do with alarms: the engine's events, people's commands, notices."""

from dataclasses import replace

import pytest

from domain.alarms import AlarmKey, AlarmState, EventKind, OverlayKind, Priority, Reason
from domain.errors import ConflictError, IllegalTransitionError, NotFoundError
from domain.records import (
    AlarmFilter,
    SentNotice,
    TransitionFilter,
)
from store.operational.store import OperationalStore
from tests.contract.operational_stories import POINT, T0, WARM, commit, event, one_batch

ANY_ALARM, ANY = AlarmFilter(), TransitionFilter()


def states(store: OperationalStore) -> list[str]:
    return [transition.target for transition in store.transitions(ANY, 100, newest_first=False)]


def test_an_event_makes_the_alarm_a_transition_an_excursion_a_notice_and_an_audit_entry(
    raised: OperationalStore,
) -> None:
    alarm = raised.alarm("school", WARM)
    assert alarm is not None
    assert (alarm.state, alarm.priority, alarm.value, alarm.raised_at) == ("unacknowledged", "high", 9.5, T0 + 100)
    assert (alarm.version, alarm.rules_revision) == (1, 3)
    (logged,) = raised.transitions(ANY, 10)
    assert (logged.id, logged.source, logged.target, logged.rules_revision) == (1, "normal", "unacknowledged", 3)
    assert raised.pending_notices(10) == [logged]
    (excursion,) = raised.excursions("school", POINT, T0, T0 + 1000)
    assert (excursion.start, excursion.end, excursion.priority) == (T0 + 100, None, "high")
    (entry,) = raised.audit("school", 10)
    assert (entry["action"], entry["detail"]["ids"]) == ("transitions", [1])  # type: ignore[index]


def test_committed_transitions_come_back_with_ascending_ids(store: OperationalStore) -> None:
    other = AlarmKey("cold-storage-high", "fridge-2/temperature")
    done = store.commit(
        commit(events=(event(EventKind.RAISE), event(EventKind.RAISE, 5, other), event(EventKind.CLEAR, 7)))
    )
    assert [(transition.id, transition.key.point) for transition in done.transitions] == [
        (1, POINT),
        (2, "fridge-2/temperature"),
        (3, POINT),
    ]
    assert list(done.transitions) == store.transitions(ANY, 10, newest_first=False)
    alarm = store.alarm("school", WARM)
    assert alarm is not None
    assert (alarm.state, alarm.version) == ("returned-unacknowledged", 2)


def test_an_event_that_the_lifecycle_refuses_is_audited_and_poisons_nothing(raised: OperationalStore) -> None:
    done = raised.commit(
        replace(one_batch(), events=(event(EventKind.RAISE, 200, value=float("nan")), event(EventKind.CLEAR, 300)))
    )
    assert (done.n, [transition.target for transition in done.transitions]) == (1, ["returned-unacknowledged"])
    refused = next(entry for entry in raised.audit("school", 10) if entry["action"] == "refused_event")
    assert refused["detail"]["state"] == "unacknowledged"  # type: ignore[index]
    assert len(raised.excursions("school", None, 0, T0 * 2)) == 1
    assert raised.verify_audit("school") is None


def test_before_commissioning_an_alarm_needs_no_answer_and_still_is_logged(store: OperationalStore) -> None:
    quiet = {"answer_required": False}
    store.commit(commit(events=(event(EventKind.RAISE, **quiet), event(EventKind.CLEAR, 9, **quiet))))
    assert states(store) == ["acknowledged", "normal"]
    assert [notice.answer_required for notice in store.pending_notices(9)] == [False, False]


def test_excursions_follow_the_condition(raised: OperationalStore) -> None:
    raised.commit(commit(events=(event(EventKind.STEP_UP, 200, priority=Priority.URGENT, level=1),)))
    raised.commit(commit(events=(event(EventKind.CLEAR, 900, since=T0 + 600),)))
    raised.commit(commit(events=(event(EventKind.RAISE, 5000, since=T0 + 3000),)))
    raised.commit(commit(events=(event(EventKind.CLOSE, 7000),)))
    found = [
        (row.start - T0, (row.end or 0) - T0, row.priority) for row in raised.excursions("school", None, 0, T0 * 2)
    ]
    assert found == [(100, 600, "urgent"), (3000, 7000, "high")]
    assert len(raised.excursions("school", "fridge-1", T0 + 600, T0 + 3000)) == 0
    assert len(raised.excursions("school", "fridge-1", T0 + 599, T0 + 3001)) == 2
    assert raised.excursions("school", "fridge", 0, T0 * 2) == []
    assert raised.excursions("annex", None, 0, T0 * 2) == []


def test_an_excursion_of_the_past_is_written_closed_while_the_present_one_stays_open(raised: OperationalStore) -> None:
    past = (event(EventKind.PAST_RAISE, 10, since=T0 + 5), event(EventKind.PAST_CLEAR, 60, since=T0 + 50))
    raised.commit(commit(events=past[:1]))
    raised.commit(commit(events=past[1:]))
    found = [
        (row.start - T0, None if row.end is None else row.end - T0)
        for row in raised.excursions("school", None, 0, T0 * 2)
    ]
    assert found == [(5, 50), (100, None)]


def test_silence_is_no_excursion(store: OperationalStore) -> None:
    store.commit(commit(events=(event(EventKind.RAISE, reason=Reason.NO_DATA),)))
    assert store.excursions("school", None, 0, T0 * 2) == []


def test_alarms_are_paged_the_most_pressing_first(store: OperationalStore) -> None:
    def key(number: int) -> AlarmKey:
        return AlarmKey("warm", f"fridge-{number}/temperature")

    store.commit(commit(events=tuple(event(EventKind.RAISE, number, key(number)) for number in range(5))))
    store.commit(commit(events=(event(EventKind.CLEAR, 50, key(0)),)))
    store.command("school", event(EventKind.ACKNOWLEDGE, 60, key(0), by="li"))  # back to normal, changed last
    store.command("school", event(EventKind.ACKNOWLEDGE, 40, key(4), by="li"))
    store.commit(commit(events=(event(EventKind.CLEAR, 45, key(3)),)))
    page, total = store.alarms(ANY_ALARM, 3)
    assert total == 5
    rest, total = store.alarms(ANY_ALARM, 3, offset=3)
    assert total == 5
    assert [alarm.key.point[7] for alarm in page + rest] == ["2", "1", "3", "4", "0"]


def test_alarms_are_filtered_by_each_word_and_by_all_together(raised: OperationalStore) -> None:
    raised.acquire("annex", "worker-1", T0, 1000)
    near = AlarmKey("no-data", "fridge-1/power")
    like = AlarmKey("cold-storage-high", "fridge_1/temperature")
    raised.commit(
        commit(events=(event(EventKind.RAISE, key=near, priority=Priority.LOW), event(EventKind.RAISE, key=like)))
    )
    raised.commit(commit(site="annex", events=(event(EventKind.RAISE),)))

    def found(**where: object) -> int:
        return raised.alarms(AlarmFilter(**where), 100)[1]  # type: ignore[arg-type]

    assert found() == 4
    assert (found(site="annex"), found(site="school"), found(site="x")) == (1, 3, 0)
    assert (found(point="fridge-1"), found(point=POINT), found(point="fridge"), found(point="fridge_1")) == (3, 2, 0, 1)
    assert (found(rule="no-data"), found(priorities=(Priority.LOW, Priority.URGENT))) == (1, 1)
    assert (found(states=(AlarmState.UNACKNOWLEDGED,)), found(states=(AlarmState.NORMAL,))) == (4, 0)
    assert found(site="school", point="fridge-1", priorities=(Priority.HIGH,), rule="cold-storage-high") == 1


def test_transitions_are_filtered_and_ordered(store: OperationalStore) -> None:
    kinds = (EventKind.RAISE, EventKind.CLEAR, EventKind.RAISE, EventKind.CLEAR)
    store.commit(commit(events=tuple(event(kind, number * 10) for number, kind in enumerate(kinds))))

    def ids(newest_first: bool = True, limit: int = 9, **where: object) -> list[int]:
        return [row.id for row in store.transitions(TransitionFilter(**where), limit, newest_first)]  # type: ignore[arg-type]

    assert ids() == [4, 3, 2, 1]
    assert ids(newest_first=False, limit=2) == [1, 2]
    assert ids(after=1, before=4) == [3, 2]
    assert ids(start=T0 + 10, end=T0 + 30) == [3, 2]
    assert (ids(site="annex"), ids(rule="x"), ids(point="fridge-1", limit=1)) == ([], [], [4])


def test_a_person_acknowledges_and_the_audit_says_who(raised: OperationalStore) -> None:
    done = raised.command("school", event(EventKind.ACKNOWLEDGE, 900, by="li", note="moved the milk"), 1)
    assert (done.id, done.target, done.by, done.note) == (2, "acknowledged", "li", "moved the milk")
    alarm = raised.alarm("school", WARM)
    assert alarm is not None
    assert (alarm.acknowledged_by, alarm.acknowledged_at, alarm.version, alarm.rules_revision) == ("li", T0 + 900, 2, 3)
    assert [notice.id for notice in raised.pending_notices(9)] == [1, 2]
    entry = raised.audit("school", 2)[1]
    assert (entry["action"], entry["by"], entry["subject"]) == ("acknowledge", "li", f"cold-storage-high {POINT}")


def test_a_command_on_what_was_never_raised_or_has_changed_or_is_illegal_changes_nothing(
    raised: OperationalStore,
) -> None:
    before = (raised.alarm("school", WARM), raised.audit(None, 99), raised.transitions(ANY, 99))
    with pytest.raises(NotFoundError, match="never raised"):
        raised.command("annex", event(EventKind.ACKNOWLEDGE, by="li"))
    with pytest.raises(ConflictError, match="version 1, not 7"):
        raised.command("school", event(EventKind.ACKNOWLEDGE, by="li"), 7)
    with pytest.raises(IllegalTransitionError, match="reset is not possible"):
        raised.command("school", event(EventKind.RESET, by="li"))
    assert (raised.alarm("school", WARM), raised.audit(None, 99), raised.transitions(ANY, 99)) == before


def test_overlays_survive_in_the_row(raised: OperationalStore) -> None:
    raised.command("school", event(EventKind.SHELVE, 900, by="li", note="door is being repaired", until=T0 + 5000))
    raised.command("school", event(EventKind.REMOVE_FROM_SERVICE, 950, by="wang", note="moved"))
    alarm = raised.alarm("school", WARM)
    assert alarm is not None
    shelved, out = alarm.overlay(OverlayKind.SHELVED), alarm.overlay(OverlayKind.OUT_OF_SERVICE)
    assert shelved is not None
    assert out is not None
    assert (shelved.by, shelved.until, out.why, out.until) == ("li", T0 + 5000, "moved", None)


def test_a_settled_notice_leaves_the_outbox_and_stays_in_the_log(raised: OperationalStore) -> None:
    raised.settle_notice(SentNotice(1, "page", "wecom", T0, "sent"))
    assert raised.pending_notices(9) == []
    raised.settle_notice(SentNotice(1, "escalate", "sms", T0 + 1, "timed out"))
    assert [(notice.channel, notice.outcome) for notice in raised.notices(9)] == [
        ("sms", "timed out"),
        ("wecom", "sent"),
    ]
    assert len(list(raised.notices(1))) == 1
    with pytest.raises(NotFoundError, match="no transition 99"):
        raised.settle_notice(SentNotice(99, "page", "sms", T0, "sent"))
