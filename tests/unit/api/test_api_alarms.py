"""Alarms, the log, excursions and acknowledging, as programs use them."""

from typing import Any

import pytest

from api.problems import Kind
from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.records import Excursion
from domain.times import HOUR, MINUTE, iso

ALARM = "/api/v1/sites/school/alarms/cold-high/fridge-1/temperature"
ACKNOWLEDGE = f"{ALARM}/acknowledge"


def test_before_anything_happened_the_lists_are_empty(bench: Any) -> None:
    assert bench.json("/api/v1/alarms") == {"items": [], "total": 0, "limit": 50, "offset": 0}
    assert bench.json("/api/v1/transitions") == {"items": [], "next": None}
    assert bench.json("/api/v1/sites/school/excursions") == []


def test_an_alarm_carries_title_value_unit_and_the_limit_of_its_level(bench: Any) -> None:
    bench.raise_alarm(value=12.5, level=1, priority=Priority.URGENT)
    alarm = bench.json(ALARM)
    assert alarm["title"] == {"en": "Too warm", "zh": "温度过高"}
    assert (alarm["value"], alarm["unit"], alarm["above"], alarm["below"]) == (12.5, "Cel", 12.0, None)
    assert (alarm["state"], alarm["active"], alarm["priority"]) == ("unacknowledged", True, "urgent")
    assert alarm["raised_at"] == iso(bench.now - 25 * MINUTE)
    assert bench.json("/api/v1/alarms")["items"] == [alarm]


def test_an_alarm_that_was_never_raised_is_not_found(bench: Any) -> None:
    answer = bench.get(ALARM)
    assert answer.status_code == 404
    assert "never raised" in answer.json()["detail"]


def test_the_alarm_of_a_rule_that_is_gone_keeps_its_id_as_title(bench: Any) -> None:
    bench.raise_alarm()
    bench.console.apply_rules("school", [("rules.yaml", "rules: []\n")], "setup", bench.now)
    alarm = bench.json(ALARM)
    assert alarm["title"]["en"] == "cold-high"
    assert alarm["above"] is None


def test_alarms_are_filtered_by_site_state_priority_rule_and_point(bench: Any) -> None:
    bench.raise_alarm()
    bench.raise_alarm("boiler-fault", "boiler-1/status", 2.0, Priority.MEDIUM)
    bench.clear_alarm("boiler-fault", "boiler-1/status", 1.0)

    def rules(**query: Any) -> list[str]:
        return [alarm["rule"] for alarm in bench.json("/api/v1/alarms", params=query)["items"]]

    assert rules() == ["cold-high", "boiler-fault"]
    assert rules(site="school") == ["cold-high", "boiler-fault"]
    assert rules(state="returned-unacknowledged") == ["boiler-fault"]
    assert rules(state=["unacknowledged", "returned-unacknowledged"]) == ["cold-high", "boiler-fault"]
    assert rules(priority="high") == ["cold-high"]
    assert rules(rule="boiler-fault") == ["boiler-fault"]
    assert rules(point="fridge-1") == ["cold-high"]
    assert rules(point="fridge-1/temperature") == ["cold-high"]
    assert rules(state="normal") == []
    assert bench.get("/api/v1/alarms", params={"site": "nowhere"}).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"state": "burning"},
        {"priority": "severe"},
        {"point": "Fridge 1"},
        {"point": "a/b/c"},
        {"rule": ""},
        {"limit": 501},
        {"offset": -1},
    ],
)
def test_a_filter_that_cannot_be_used_is_refused(bench: Any, query: dict[str, Any]) -> None:
    answer = bench.get("/api/v1/alarms", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].partition(".")[0] in query


def test_alarms_come_in_pages_with_the_total(bench: Any) -> None:
    for number in range(5):
        bench.raise_alarm("cold-high", f"fridge-{number}/temperature")
    page = bench.json("/api/v1/alarms", params={"limit": 2, "offset": 4})
    assert (len(page["items"]), page["total"], page["limit"], page["offset"]) == (1, 5, 2, 4)


def test_acknowledging_records_who_and_what_and_answers_with_the_alarm(bench: Any) -> None:
    bench.raise_alarm()
    done = bench.request("POST", ACKNOWLEDGE, json={"by": " Wang Fang ", "note": "door was open", "version": 1})
    assert done.status_code == 200
    answer = done.json()
    assert answer["transition"]["by"] == "Wang Fang"
    assert answer["transition"]["note"] == "door was open"
    assert (answer["transition"]["source"], answer["transition"]["target"]) == ("unacknowledged", "acknowledged")
    assert answer["alarm"]["acknowledged_by"] == "Wang Fang"
    assert answer["alarm"]["acknowledged_at"] == iso(bench.now)
    assert answer["alarm"]["version"] == 2
    assert bench.json(ALARM) == answer["alarm"]


def test_acknowledging_twice_is_refused_and_changes_nothing(bench: Any) -> None:
    bench.raise_alarm()
    bench.request("POST", ACKNOWLEDGE, json={"by": "Wang Fang"})
    before = bench.json(ALARM)
    answer = bench.request("POST", ACKNOWLEDGE, json={"by": "Li Lei"})
    assert answer.status_code == 409
    assert answer.json()["type"] == f"urn:caretaker:problem:{Kind.ILLEGAL_TRANSITION}"
    assert bench.json(ALARM) == before


def test_acknowledging_what_changed_meanwhile_is_refused(bench: Any) -> None:
    bench.raise_alarm()
    bench.clear_alarm()
    answer = bench.request("POST", ACKNOWLEDGE, json={"by": "Wang Fang", "version": 1})
    assert answer.status_code == 409
    assert answer.json()["type"] == f"urn:caretaker:problem:{Kind.VERSION_CONFLICT}"
    assert bench.json(ALARM)["state"] == "returned-unacknowledged"


def test_without_a_version_the_present_alarm_is_meant(bench: Any) -> None:
    bench.raise_alarm()
    bench.clear_alarm()
    assert bench.request("POST", ACKNOWLEDGE, json={"by": "Wang Fang"}).json()["alarm"]["state"] == "normal"


def test_acknowledging_an_alarm_that_was_never_raised_is_not_found(bench: Any) -> None:
    assert bench.request("POST", ACKNOWLEDGE, json={"by": "Wang Fang"}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"by": ""},
        {"by": "   "},
        {"by": "x" * 81},
        {"by": "x", "note": "n" * 501},
        {"by": "x", "version": -1},
        {"by": "x", "priority": "low"},
    ],
)
def test_an_answer_without_a_name_or_with_unknown_fields_is_refused(bench: Any, body: dict[str, Any]) -> None:
    bench.raise_alarm()
    answer = bench.request("POST", ACKNOWLEDGE, json=body)
    assert answer.status_code == 422
    assert bench.json(ALARM)["version"] == 1


def test_an_answer_that_is_no_json_is_refused(bench: Any) -> None:
    bench.raise_alarm()
    answer = bench.request("POST", ACKNOWLEDGE, content=b"\xff{", headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_log_is_read_newest_first_with_a_cursor(bench: Any) -> None:
    for number in range(5):
        bench.raise_alarm("cold-high", f"fridge-{number}/temperature")
    seen, query = [], {"limit": 2}
    while True:
        page = bench.json("/api/v1/transitions", params=query)
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        query = {"limit": 2, "before": page["next"]}
    assert seen == [5, 4, 3, 2, 1]


def test_the_log_is_read_on_oldest_first_after_an_id(bench: Any) -> None:
    for number in range(4):
        bench.raise_alarm("cold-high", f"fridge-{number}/temperature")
    page = bench.json("/api/v1/transitions", params={"after": 1, "limit": 2})
    assert [one["id"] for one in page["items"]] == [2, 3]
    assert page["next"] == 3


def test_after_zero_reads_the_log_from_its_beginning(bench: Any) -> None:
    for number in range(3):
        bench.raise_alarm("cold-high", f"fridge-{number}/temperature")
    page = bench.json("/api/v1/transitions", params={"after": 0, "limit": 2})
    assert [one["id"] for one in page["items"]] == [1, 2]


def test_the_log_is_filtered_by_rule_point_and_event_time(bench: Any) -> None:
    bench.raise_alarm(ago=2 * HOUR)
    bench.raise_alarm("boiler-fault", "boiler-1/status", 2.0, Priority.MEDIUM, ago=MINUTE)

    def ids(**query: Any) -> list[int]:
        return [one["id"] for one in bench.json("/api/v1/transitions", params=query)["items"]]

    assert ids(rule="cold-high") == [1]
    assert ids(point="boiler-1") == [2]
    assert ids(**{"from": iso(bench.now - HOUR)}) == [2]
    assert ids(to=iso(bench.now - MINUTE)) == [1]
    assert ids(site="school") == [2, 1]


def test_a_transition_says_when_it_was_and_when_it_was_known(bench: Any) -> None:
    key = AlarmKey("cold-high", "fridge-1/temperature")
    event = AlarmEvent(
        EventKind.RAISE, key, Reason.ABOVE_LIMIT, bench.now - HOUR, bench.now,
        priority=Priority.HIGH, value=9.0, retroactive=True, answer_required=False,
    )  # fmt: skip
    bench.console.happen("school", event)
    (one,) = bench.json("/api/v1/transitions")["items"]
    assert (one["at"], one["detected_at"]) == (iso(bench.now - HOUR), iso(bench.now))
    assert one["retroactive"] is True
    assert one["answer_required"] is False


def test_excursions_overlap_the_span_and_may_be_of_one_point(bench: Any) -> None:
    bench.console.excursion_rows = [
        Excursion("school", "cold-high", "fridge-1/temperature", bench.now - HOUR, None, Priority.HIGH, 1),
        Excursion("school", "boiler-fault", "boiler-1/status", bench.now - 50 * HOUR, bench.now - 49 * HOUR, None, 2),
    ]
    (one,) = bench.json("/api/v1/sites/school/excursions")
    assert (one["id"], one["end"]) == (1, None)
    assert bench.json("/api/v1/sites/school/excursions", params={"point": "boiler-1/status"}) == []
    query = {"point": "boiler-1/status", "from": iso(bench.now - 60 * HOUR)}
    assert [one["id"] for one in bench.json("/api/v1/sites/school/excursions", params=query)] == [2]
