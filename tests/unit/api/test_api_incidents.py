"""Incidents as programs see them: found in the log, open while somebody must look, with the units to empty first."""

from typing import Any

from api.incidents import LONGEST, SHOWN
from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.times import DAY, HOUR, MINUTE, iso
from tests.unit.api.conftest import SITE

ALL = "/api/v1/sites/school/incidents"
FED = SITE.replace("    agent: canteen\n", "    agent: canteen\n    fed_by: meter-1\n")
RULES = """
rules:
  - {id: no-power, applies_to: {asset_type: energy_meter, metric: power}, condition: {below: 5}, priority: urgent}
  - {id: cold-high, applies_to: {asset_type: refrigerator, metric: temperature}, condition: {above: 8}, priority: high}
incidents:
  - id: dead
    title: {en: No power, zh: 停电}
    response: {en: Keep doors closed, zh: 保持柜门关闭}
    cause: {rule: no-power}
    gathers: fed_by
    tail: 1h
    empty_first: true
  - {id: all-warm, cause: {at_least: 2}, gathers: area, rules: [cold-high]}
"""


def school(bench: Any) -> Any:
    bench.console.apply_site("school", [("site.yaml", FED)], "setup", bench.now)
    bench.console.apply_rules("school", [("rules.yaml", RULES)], "setup", bench.now)
    return bench


def happen(bench: Any, kind: EventKind, rule: str, point: str, ago: int, **more: Any) -> None:
    at = bench.now - ago
    event = AlarmEvent(kind, AlarmKey(rule, point), Reason.BELOW_LIMIT, at, at, since=at,
                       priority=Priority.URGENT, level=0, value=1.0, **more)  # fmt: skip
    bench.console.happen("school", event)


def cut(bench: Any, ago: int = HOUR) -> None:
    happen(bench, EventKind.RAISE, "no-power", "meter-1/power", ago)


def warm(bench: Any, ago: int = 10 * MINUTE) -> None:
    happen(bench, EventKind.RAISE, "cold-high", "fridge-1/temperature", ago)


def test_without_incident_rules_there_are_no_incidents(bench: Any) -> None:
    bench.raise_alarm()
    assert bench.json(ALL) == []


def test_a_power_cut_gathers_the_fridge_and_says_what_to_do(bench: Any) -> None:
    cut(school(bench))
    warm(bench)
    (found,) = bench.json(ALL)
    assert (found["rule"], found["title"]["zh"], found["response"]["en"]) == ("dead", "停电", "Keep doors closed")
    assert (found["root"], found["gathers"], found["start"], found["end"]) == (
        "meter-1", "fed_by", iso(bench.now - HOUR), None,
    )  # fmt: skip
    assert (found["open"], found["unanswered"]) == (True, 2)
    assert found["cause"] == {"rule": "no-power", "point": "meter-1/power"}
    assert [one["point"] for one in found["alarms"]] == ["meter-1/power", "fridge-1/temperature"]
    assert bench.json(f"{ALL}/{found['id']}") == found


def test_the_units_to_empty_come_with_their_time_and_content(bench: Any) -> None:
    cut(school(bench))
    assert bench.json(ALL)[0]["empty_first"] == [
        {
            "asset": "fridge-1", "title": {"en": "Fridge 1", "zh": "1号冷藏柜"},
            "content": {"en": "Milk", "zh": "牛奶"}, "minutes_left": None, "temperature": None, "limit": 8.0,
            "basis": None,
        }
    ]  # fmt: skip
    bench.measured("fridge-1/temperature", 6.3)
    (unit,) = bench.json(ALL)[0]["empty_first"]
    assert (unit["minutes_left"], unit["temperature"]) == (60, 6.3)


def test_when_the_power_is_back_there_is_nothing_to_empty(bench: Any) -> None:
    cut(school(bench))
    warm(bench, 50 * MINUTE)
    happen(bench, EventKind.CLEAR, "no-power", "meter-1/power", 40 * MINUTE)
    (found,) = bench.json(ALL)
    assert (found["end"], found["empty_first"], found["open"]) == (iso(bench.now - 40 * MINUTE), [], True)


def test_it_is_open_until_everything_is_over_and_answered(bench: Any) -> None:
    cut(school(bench))
    happen(bench, EventKind.CLEAR, "no-power", "meter-1/power", 40 * MINUTE)
    assert len(bench.json(ALL, params={"only_open": True})) == 1
    happen(bench, EventKind.ACKNOWLEDGE, "no-power", "meter-1/power", 30 * MINUTE, by="Li")
    assert bench.json(ALL, params={"only_open": True}) == []
    assert [one["open"] for one in bench.json(ALL)] == [False]


def test_the_span_chooses_by_the_beginning_and_the_newest_comes_first(bench: Any) -> None:
    cut(school(bench), 30 * HOUR)
    happen(bench, EventKind.CLEAR, "no-power", "meter-1/power", 29 * HOUR)
    cut(bench, 2 * HOUR)
    assert [one["start"] for one in bench.json(ALL)] == [iso(bench.now - 2 * HOUR)]
    wider = bench.json(ALL, params={"from": iso(bench.now - 2 * DAY)})
    assert [one["start"] for one in wider] == [iso(bench.now - 2 * HOUR), iso(bench.now - 30 * HOUR)]


def test_a_quorum_has_no_cause_and_is_named_after_its_area(bench: Any) -> None:
    second = "  - {id: fridge-2, type: refrigerator, area: kitchen, points: {temperature: {}}}\n"
    two = FED.replace("  - id: boiler-1", second + "  - id: boiler-1")
    school(bench).console.apply_site("school", [("site.yaml", two)], "setup", bench.now)
    warm(bench)
    happen(bench, EventKind.RAISE, "cold-high", "fridge-2/temperature", 9 * MINUTE)
    (found,) = bench.json(ALL)
    assert (found["rule"], found["cause"], found["where"]["zh"], found["empty_first"]) == ("all-warm", None, "厨房", [])


def test_an_unknown_incident_or_site_is_not_found(bench: Any) -> None:
    school(bench)
    for name in ("dead.meter-1.5", "dead.meter-1.x", "nonsense", "a.b.99999999999999999999"):
        assert bench.get(f"{ALL}/{name}").status_code == 404
    assert bench.get("/api/v1/sites/nowhere/incidents").status_code == 404


def test_a_span_is_cut_to_what_can_be_answered(bench: Any) -> None:
    cut(school(bench), LONGEST + DAY)
    assert bench.json(ALL, params={"from": iso(bench.now - LONGEST - 5 * DAY)}) == []


def test_an_open_incident_from_before_the_last_days_is_left_to_its_alarms(bench: Any) -> None:
    cut(school(bench), SHOWN + HOUR)
    assert bench.json(ALL, params={"only_open": True}) == []
    assert bench.json("/api/v1/alarms", params={"rule": "no-power"})["total"] == 1
