"""Every command as programs use it: what it records, what it refuses, and that a refusal changes nothing."""

from typing import Any

import pytest

from api.commands import Commands
from api.problems import Kind
from api.settings import ShelfLimits
from domain.alarms import AlarmEvent, AlarmKey, EventKind, FoodFate, Nuisance, Reason, Remedy
from domain.times import DAY, HOUR, MINUTE, iso, parse_time

ALARM = "/api/v1/sites/school/alarms/cold-high/fridge-1/temperature"
FRIDGE = "/api/v1/sites/school/assets/fridge-1"
KEY = AlarmKey("cold-high", "fridge-1/temperature")
DONE = {"by": "Wang Fang", "remedy": "door_closed", "food": "kept", "note": "4 °C at the core"}
BODIES: dict[str, dict[str, object]] = {
    "acknowledge": {"by": "Wang Fang", "nuisance": "loading"},
    "confirm": DONE,
    "silence": {"by": "Wang Fang"},
    "reset": {"by": "Wang Fang"},
    "shelve": {"by": "Wang Fang", "note": "repair"},
    "unshelve": {"by": "Wang Fang"},
    "suppress": {"by": "incident:power-lost", "note": "no power"},
    "unsuppress": {"by": "Wang Fang"},
    "assign": {"by": "Wang Fang", "to": "maintenance"},
    "comment": {"by": "Wang Fang", "note": "the seal is worn"},
}


def do(bench: Any, command: str, status: int = 200, **more: object) -> Any:
    body = {**BODIES[command], **more}
    if command == "shelve":
        body.setdefault("until", iso(bench.now + HOUR))
    answer = bench.request("POST", f"{ALARM}/{command}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_from_seen_to_what_was_done(bench: Any) -> None:
    bench.raise_alarm()
    assert do(bench, "silence")["alarm"]["silenced_by"] == "Wang Fang"
    assert do(bench, "assign")["alarm"]["assigned_to"] == "maintenance"
    assert do(bench, "acknowledge")["transition"]["nuisance"] == "loading"
    answer = do(bench, "confirm")
    assert (answer["transition"]["remedy"], answer["transition"]["food"]) == ("door_closed", "kept")
    assert (answer["alarm"]["confirmed_by"], answer["alarm"]["confirmed_at"]) == ("Wang Fang", iso(bench.now))
    again = do(bench, "confirm", by="Li Lei", remedy="repaired", food="discarded")
    assert again["alarm"]["confirmed_by"] == "Li Lei"
    assert do(bench, "comment")["transition"]["note"] == "the seal is worn"
    events = [one["event"] for one in bench.json("/api/v1/transitions?after=0")["items"]]
    assert events == ["raise", "silence", "assign", "acknowledge", "confirm", "confirm", "comment"]


def test_a_latch_is_released_after_it_was_seen(bench: Any) -> None:
    bench.raise_alarm()
    clear = AlarmEvent(EventKind.CLEAR, KEY, Reason.WITHIN_LIMIT, bench.now, bench.now, value=6.0, latching=True)
    bench.console.happen("school", clear)
    assert do(bench, "reset", 409)["type"] == f"urn:caretaker:problem:{Kind.ILLEGAL_TRANSITION}"
    assert do(bench, "acknowledge")["alarm"]["state"] == "latched-acknowledged"
    assert do(bench, "reset")["alarm"]["state"] == "normal"


def test_shelved_alarms_are_listed_until_they_are_taken_back(bench: Any) -> None:
    bench.raise_alarm()
    bench.raise_alarm("cold-low")
    until = iso(bench.now + HOUR)
    (overlay,) = do(bench, "shelve", until=until)["alarm"]["overlays"]
    assert overlay == {
        "kind": "shelved", "by": "Wang Fang", "why": "repair", "since": iso(bench.now), "until": until
    }  # fmt: skip
    listed = bench.json("/api/v1/alarms", params={"overlay": "shelved"})
    assert [one["rule"] for one in listed["items"]] == ["cold-high"]
    assert bench.json("/api/v1/alarms", params={"overlay": "suppressed"})["total"] == 0
    assert do(bench, "unshelve")["alarm"]["overlays"] == []
    assert bench.json("/api/v1/alarms", params={"overlay": "shelved"})["total"] == 0


def test_what_explains_an_alarm_is_named(bench: Any) -> None:
    bench.raise_alarm()
    (overlay,) = do(bench, "suppress")["alarm"]["overlays"]
    assert (overlay["kind"], overlay["by"], overlay["until"]) == ("suppressed", "incident:power-lost", None)
    do(bench, "unsuppress")
    for by in ("Wang Fang", "incident:", "rule: ", ""):
        do(bench, "suppress", 422, by=by)


@pytest.mark.parametrize("command", sorted(BODIES))
def test_a_command_of_somebody_who_saw_an_older_version_changes_nothing(bench: Any, command: str) -> None:
    bench.raise_alarm()
    bench.clear_alarm()
    before = bench.json(ALARM)
    assert do(bench, command, 409, version=1)["type"] == f"urn:caretaker:problem:{Kind.VERSION_CONFLICT}"
    assert bench.json(ALARM) == before


@pytest.mark.parametrize("command", sorted(BODIES))
def test_a_command_about_what_was_never_raised_is_not_found(bench: Any, command: str) -> None:
    assert "never raised" in do(bench, command, 404)["detail"]


@pytest.mark.parametrize("command", sorted(set(BODIES) - {"suppress"}))
@pytest.mark.parametrize("by", ["", "  ", "x" * 81])
def test_nobody_does_anything_without_a_name(bench: Any, command: str, by: str) -> None:
    bench.raise_alarm()
    do(bench, command, 422, by=by)
    assert bench.json(ALARM)["version"] == 1


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("confirm", {"remedy": "prayed"}),
        ("confirm", {"food": "eaten"}),
        ("acknowledge", {"nuisance": "noise"}),
        ("shelve", {"note": " "}),
        ("shelve", {"until": None}),
        ("shelve", {"until": "tomorrow"}),
        ("shelve", {"until": "2026-03-01T07:00:00"}),
        ("comment", {"note": ""}),
        ("assign", {"to": "x" * 81}),
        ("silence", {"colour": "red"}),
    ],
)
def test_words_outside_the_closed_sets_and_missing_reasons_are_refused(
    bench: Any, command: str, fault: dict[str, object]
) -> None:
    bench.raise_alarm()
    assert do(bench, command, 422, **fault)["errors"][0]["field"].endswith(next(iter(fault)))
    assert bench.json(ALARM)["version"] == 1


def test_the_interface_description_names_the_closed_sets(bench: Any) -> None:
    schemas = bench.json("/openapi.json")["components"]["schemas"]
    assert schemas["Remedy"]["enum"] == list(Remedy)
    assert schemas["FoodFate"]["enum"] == list(FoodFate)
    assert schemas["Nuisance"]["enum"] == list(Nuisance)


def test_another_action_needs_words(bench: Any) -> None:
    bench.raise_alarm()
    do(bench, "acknowledge")
    assert "say it in the note" in do(bench, "confirm", 409, remedy="other", note="")["remedy"]
    do(bench, "confirm", remedy="other", note="moved the shelf")


def test_nothing_is_shelved_for_longer_than_the_settings_allow(bench: Any) -> None:
    bench.raise_alarm()
    refused = do(bench, "shelve", 422, until=iso(bench.now + DAY + 1))
    assert "at most 1d" in refused["detail"]
    assert iso(bench.now + DAY) in refused["remedy"]
    assert "is past" in do(bench, "shelve", 422, until=iso(bench.now))["detail"]
    assert bench.json(ALARM)["version"] == 1
    do(bench, "shelve", until=iso(bench.now + DAY))


def test_the_alarm_of_a_legal_limit_may_be_shelved_for_less(bench: Any) -> None:
    rules = "rules:\n  - {id: cold-high, applies_to: {asset_type: [refrigerator], metric: temperature}, " \
            "condition: {above: 8.0}, priority: high, basis: {kind: legal, document: a law}}\n"  # fmt: skip
    bench.console.apply_rules("school", [("rules.yaml", rules)], "setup", bench.now)
    bench.raise_alarm()
    assert "at most 2h" in do(bench, "shelve", 422, until=iso(bench.now + 3 * HOUR))["detail"]
    do(bench, "shelve", until=iso(bench.now + 2 * HOUR))


def test_how_long_the_shelf_may_be_is_set_and_a_rule_that_is_gone_counts_as_legal(bench: Any) -> None:
    operations = bench.app.state.operations
    limits = ShelfLimits(8 * HOUR, 30 * MINUTE)
    commands = Commands(bench.console, operations.knowledge, operations.clock, limits)
    assert commands.longest_shelf("school", "cold-high") == 8 * HOUR
    assert commands.longest_shelf("school", "gone") == 30 * MINUTE
    assert ShelfLimits(HOUR, 2 * HOUR).of(legal=True) == HOUR  # the legal one is never the longer one


def test_an_asset_out_of_service_is_grey_with_the_reason_and_its_alarms_are_set_aside(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    answer = bench.request("POST", f"{FRIDGE}/remove-from-service", json={"by": "Li Lei", "note": "defrosting"}).json()
    assert [one["event"] for one in answer["transitions"]] == ["remove_from_service"]
    assert (answer["asset"]["state"], answer["asset"]["priority"]) == ("out-of-service", None)
    out = bench.json(FRIDGE)["out_of_service"]
    assert (out["by"], out["why"], out["until"]) == ("Li Lei", "defrosting", None)
    assert [lay["kind"] for lay in bench.json(ALARM)["overlays"]] == ["out_of_service"]
    answer = bench.request("POST", f"{FRIDGE}/return-to-service", json={"by": "Li Lei"}).json()
    assert (answer["asset"]["state"], answer["asset"]["out_of_service"]) == ("alarm", None)


def test_out_of_service_ends_at_its_time_on_the_board_even_before_that_is_written_down(bench: Any) -> None:
    bench.all_measured()
    until = bench.now + MINUTE
    bench.request("POST", f"{FRIDGE}/remove-from-service", json={"by": "Li", "note": "x", "until": iso(until)})
    assert bench.json(FRIDGE)["state"] == "out-of-service"
    assert parse_time(bench.json(FRIDGE)["out_of_service"]["until"]) == until
    bench.clock[0] = until
    assert bench.json(FRIDGE)["state"] == "normal"


def test_an_asset_leaves_and_enters_service_once_and_must_exist(bench: Any) -> None:
    def post(what: str, asset: str = "fridge-1", **body: object) -> int:
        path = f"/api/v1/sites/school/assets/{asset}/{what}"
        status: int = bench.request("POST", path, json={"by": "Li", "note": "sold", **body}).status_code
        return status

    assert post("return-to-service") == 409
    assert post("remove-from-service", note=" ") == 422
    assert post("remove-from-service", by="") == 422
    assert post("remove-from-service", asset="fridge-9") == 404
    assert post("remove-from-service") == 200
    assert post("remove-from-service") == 409
    assert post("return-to-service") == 200
