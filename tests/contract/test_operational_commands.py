"""What every operational store must do with people's commands: kept, audited, serialised, ended by their time."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise

import pytest
from sqlalchemy import create_engine, text

from domain.alarms import (
    Alarm,
    AlarmKey,
    AlarmState,
    EventKind,
    FoodFate,
    Nuisance,
    OverlayKind,
    Reason,
    Remedy,
)
from domain.errors import ConflictError, IllegalTransitionError
from domain.records import AlarmFilter, TransitionFilter
from domain.times import MINUTE
from store.operational.leases import LeaseClock
from store.operational.store import OperationalStore
from tests.contract.operational_stories import POINT, T0, WARM, commit, event

ANY_ALARM, ANY = AlarmFilter(), TransitionFilter()
DONE = {"by": "li", "remedy": Remedy.DOOR_CLOSED, "food": FoodFate.KEPT, "note": "4 °C at the core"}
COMMANDS: dict[EventKind, dict[str, object]] = {
    EventKind.ACKNOWLEDGE: {"nuisance": Nuisance.LOADING},
    EventKind.CONFIRM: DONE,
    EventKind.SILENCE: {},
    EventKind.RESET: {},
    EventKind.SHELVE: {"note": "repair", "until": T0 + 10 * MINUTE},
    EventKind.SUPPRESS: {"note": "the board has no power", "by": "incident:power-lost"},
    EventKind.REMOVE_FROM_SERVICE: {"note": "sold"},
    EventKind.ASSIGN: {"assignee": "maintenance"},
    EventKind.COMMENT: {"note": "the seal is worn"},
}


def present(store: OperationalStore, key: AlarmKey = WARM) -> Alarm:
    alarm = store.alarm("school", key)
    assert alarm is not None
    return alarm


def do(store: OperationalStore, kind: EventKind, at: int = 1_000, key: AlarmKey = WARM, **more: object) -> None:
    store.command("school", event(kind, at, key, **{"by": "li", "detected_at": T0 + at, **COMMANDS[kind], **more}))


def live(store: OperationalStore) -> None:
    store.apply_site("school", (("site.yaml", "site: {id: school}\nareas: []\nassets: []\n"),), "test", T0)
    store.commission("school", T0 - 1, "test", T0)


@pytest.mark.parametrize("kind", sorted(COMMANDS))
def test_a_command_of_somebody_who_saw_an_older_version_changes_nothing(
    raised: OperationalStore, kind: EventKind
) -> None:
    raised.commit(commit(events=(event(EventKind.CLEAR, 200, latching=True),)))
    before = (present(raised), raised.transitions(ANY, 99), raised.audit(None, 99), raised.pending_notices(99))
    with pytest.raises(ConflictError, match="version 2, not 1"):
        raised.command("school", event(kind, 300, **{"by": "li", **COMMANDS[kind]}), 1)
    assert (present(raised), raised.transitions(ANY, 99), raised.audit(None, 99), raised.pending_notices(99)) == before


def test_from_seen_to_what_was_done_everything_is_kept_and_audited(raised: OperationalStore, place: str) -> None:
    do(raised, EventKind.SILENCE)
    do(raised, EventKind.ASSIGN)
    assert (present(raised).silenced_by, present(raised).assigned_to) == ("li", "maintenance")
    do(raised, EventKind.ACKNOWLEDGE)
    do(raised, EventKind.CONFIRM)
    do(raised, EventKind.CONFIRM, 2_000, by="wang", remedy=Remedy.REPAIRED, food=FoodFate.DISCARDED)
    do(raised, EventKind.COMMENT)
    alarm = present(raised)
    assert (alarm.confirmed_by, alarm.confirmed_at, alarm.acknowledged_by) == ("wang", T0 + 2_000, "li")
    log = raised.transitions(ANY, 99, newest_first=False)
    assert [one.nuisance for one in log] == [None, None, None, "loading", None, None, None]
    assert [(one.remedy, one.food, one.by, one.note) for one in log if one.event is EventKind.CONFIRM] == [
        ("door_closed", "kept", "li", "4 °C at the core"),
        ("repaired", "discarded", "wang", "4 °C at the core"),
    ]
    assert log[2].assignee == "maintenance"
    entries = {entry["action"]: entry for entry in raised.audit("school", 99)}
    assert {str(kind) for kind in COMMANDS} & entries.keys() == {
        "silence", "assign", "acknowledge", "confirm", "comment"
    }  # fmt: skip
    assert entries["acknowledge"]["detail"]["nuisance"] == "loading"  # type: ignore[index]
    assert (entries["assign"]["by"], entries["assign"]["subject"]) == ("li", f"{WARM.rule} {POINT}")
    assert raised.verify_audit("school") is None


def test_what_people_said_is_under_the_seal_of_the_audit(raised: OperationalStore, place: str) -> None:
    do(raised, EventKind.ACKNOWLEDGE)
    do(raised, EventKind.CONFIRM)
    engine = create_engine(place.replace("postgresql:", "postgresql+psycopg:"))
    for column, true, forged in (("food", "kept", "discarded"), ("nuisance", "loading", "other")):
        for word, found in ((forged, "were changed"), (true, "None")):
            with engine.begin() as connection:
                connection.execute(text(f"UPDATE transitions SET {column} = '{word}' WHERE {column} IS NOT NULL"))
            assert found in str(raised.verify_audit("school"))
    engine.dispose()


def test_shelved_alarms_are_listed_and_stay_so_after_a_restart(raised: OperationalStore, place: str) -> None:
    near = AlarmKey("no-data", POINT)
    raised.commit(commit(events=(event(EventKind.RAISE, key=near), event(EventKind.CLEAR, 5, key=near))))
    do(raised, EventKind.ACKNOWLEDGE, key=near)
    do(raised, EventKind.SHELVE, key=near)  # what is over can be shelved too
    do(raised, EventKind.SUPPRESS, note='not "kind":"shelved" at all')
    with closing(OperationalStore(place, LeaseClock.CALLER)) as again:
        for store in (raised, again):
            (only,), total = store.alarms(AlarmFilter("school", overlay=OverlayKind.SHELVED), 9)
            assert (only.key, total) == (near, 1)
            assert store.alarms(AlarmFilter("school", set_aside=True), 9)[1] == 2
            assert store.alarms(AlarmFilter("school", overlay=OverlayKind.OUT_OF_SERVICE), 9)[1] == 0
            assert store.alarms(AlarmFilter("annex", set_aside=True), 9)[1] == 0


def test_the_shelf_ends_at_its_time_once_and_by_itself(raised: OperationalStore) -> None:
    live(raised)
    do(raised, EventKind.ACKNOWLEDGE)
    do(raised, EventKind.SHELVE)
    until = T0 + 10 * MINUTE
    assert raised.lift_expired(until - 1) == ()
    (lifted,) = raised.lift_expired(until + 500)
    assert (lifted.event, lifted.reason, lifted.by) == (EventKind.UNSHELVE, Reason.EXPIRED, "")
    assert (lifted.at, lifted.detected_at, lifted.retroactive) == (until, until + 500, False)
    assert (lifted.source, lifted.target) == (AlarmState.ACKNOWLEDGED, AlarmState.UNACKNOWLEDGED)
    assert raised.transitions(ANY, 1) == [lifted]
    assert lifted in raised.pending_notices(9)
    assert present(raised).overlays == ()
    assert raised.lift_expired(until + 1_000) == ()
    entry = next(entry for entry in raised.audit("school", 9) if entry["action"] == "unshelve")
    assert (entry["by"], entry["detail"]["transition"]) == ("caretaker", lifted.id)  # type: ignore[index]
    assert raised.verify_audit("school") is None


def test_before_the_site_is_live_what_comes_off_the_shelf_asks_nobody(raised: OperationalStore) -> None:
    do(raised, EventKind.ACKNOWLEDGE)
    do(raised, EventKind.SHELVE)
    (lifted,) = raised.lift_expired(T0 + 10 * MINUTE)
    assert (lifted.target, lifted.answer_required) == (AlarmState.ACKNOWLEDGED, False)


def test_several_overlays_and_sites_end_each_in_its_own_transition(raised: OperationalStore) -> None:
    raised.acquire("annex", "worker-1", T0, 30_000)
    raised.commit(commit(site="annex", events=(event(EventKind.RAISE),)))
    do(raised, EventKind.SHELVE)
    do(raised, EventKind.SUPPRESS, until=T0 + 5 * MINUTE)
    do(raised, EventKind.REMOVE_FROM_SERVICE)
    raised.command("annex", event(EventKind.SHELVE, by="li", note="repair", until=T0 + MINUTE))
    lifted = raised.lift_expired(T0 + 11 * MINUTE + 1)
    assert [(one.site, one.event, one.at - T0) for one in lifted] == [
        ("annex", "unshelve", MINUTE),
        ("school", "unsuppress", 5 * MINUTE),
        ("school", "unshelve", 10 * MINUTE),
    ]
    assert [one.retroactive for one in lifted] == [True, True, True]  # found more than a minute after
    assert [lay.kind for lay in present(raised).overlays] == ["out_of_service"]


def test_an_asset_out_of_service_takes_all_its_alarms_along_those_of_the_future_too(raised: OperationalStore) -> None:
    live(raised)
    other = AlarmKey(WARM.rule, "fridge-10/temperature")
    raised.commit(commit(events=(event(EventKind.RAISE, key=other),)))
    (laid,) = raised.remove_from_service("school", "fridge-1", "li", "defrosting", None, T0 + 500)
    assert (laid.key, laid.event, laid.by, laid.note) == (WARM, "remove_from_service", "li", "defrosting")
    first = AlarmKey("no-data", "fridge-1/door")
    raised.commit(commit(events=(event(EventKind.RAISE, 900, first),)))
    out = OverlayKind.OUT_OF_SERVICE
    overlay = raised.out_of_service("school")["fridge-1"]
    assert (overlay.by, overlay.why, overlay.since, overlay.until) == ("li", "defrosting", T0 + 500, None)
    assert present(raised).overlay(out) == present(raised, first).overlay(out) == overlay
    assert present(raised, other).overlays == ()
    back = raised.return_to_service("school", "fridge-1", "wang", "clean", T0 + 2_000)
    assert sorted(one.key for one in back) == [WARM, first]
    assert raised.out_of_service("school") == {}
    assert raised.alarms(AlarmFilter(set_aside=True), 9)[1] == 0
    actions = [(entry["action"], entry["by"]) for entry in raised.audit("school", 99) if entry["subject"] == "fridge-1"]
    assert actions == [("return_to_service", "wang"), ("remove_from_service", "li")]
    assert raised.verify_audit("school") is None


def test_out_of_service_ends_by_its_time_with_or_without_alarms(raised: OperationalStore) -> None:
    raised.remove_from_service("school", "fridge-1", "li", "cleaning", T0 + MINUTE, T0)
    raised.remove_from_service("school", "pump-1", "li", "repair", T0 + MINUTE, T0)
    raised.remove_from_service("school", "boiler-1", "li", "summer", None, T0)
    assert raised.lift_expired(T0 + MINUTE - 1) == ()
    (lifted,) = raised.lift_expired(T0 + MINUTE)
    assert (lifted.event, lifted.reason, lifted.key) == ("return_to_service", "expired", WARM)
    assert set(raised.out_of_service("school")) == {"boiler-1"}
    assert present(raised).overlays == ()


@pytest.mark.parametrize(
    ("by", "why", "until", "said"),
    [("", "sold", None, "who and why"), ("li", " ", None, "who and why"), ("li", "sold", T0, "a time that is past")],
)
def test_an_asset_leaves_service_only_with_who_and_why(
    raised: OperationalStore, by: str, why: str, until: int | None, said: str
) -> None:
    with pytest.raises(IllegalTransitionError, match=said):
        raised.remove_from_service("school", "fridge-1", by, why, until, T0)
    assert (raised.out_of_service("school"), present(raised).overlays) == ({}, ())


def test_an_asset_leaves_and_enters_service_once(raised: OperationalStore) -> None:
    with pytest.raises(IllegalTransitionError, match="is in service"):
        raised.return_to_service("school", "fridge-1", "li", "", T0)
    raised.remove_from_service("school", "fridge-1", "li", "sold", None, T0)
    before = (present(raised), raised.audit("school", 99))
    with pytest.raises(IllegalTransitionError, match="already"):
        raised.remove_from_service("school", "fridge-1", "li", "sold", None, T0)
    assert (present(raised), raised.audit("school", 99)) == before


def test_commands_and_events_at_once_come_one_after_the_other(raised: OperationalStore) -> None:
    turns = 8

    def judge(_: int) -> None:
        for number in range(turns):
            kind = EventKind.CLEAR if number % 2 == 0 else EventKind.RAISE
            raised.commit(commit(events=(event(kind, 1_000 + number, value=9.0),)))

    def answer(person: int) -> int:
        refused = 0
        for number in range(turns):
            seen = present(raised).version
            try:
                raised.command("school", event(EventKind.COMMENT, number, by=f"p{person}", note="seen"), seen)
            except ConflictError:
                refused += 1
        return refused

    with ThreadPoolExecutor(3) as pool:
        judged, *answered = pool.submit(judge, 0), *(pool.submit(answer, person) for person in (1, 2))
        judged.result()
        refused = sum(one.result() for one in answered)
    log = raised.transitions(ANY, 99, newest_first=False)
    assert present(raised).version == len(log) == 1 + turns + 2 * turns - refused
    for earlier, later in pairwise(log):
        assert later.source is earlier.target
    assert raised.verify_audit("school") is None
