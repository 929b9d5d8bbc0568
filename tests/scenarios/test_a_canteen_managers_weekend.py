"""A weekend as a canteen manager has it, in one go: from the simulators to the API, with exactly these transitions.

Friday morning's deliveries warm the fridges for minutes and nobody is told. A door stands open over lunch. In the night
to Saturday a compressor dies. From Saturday noon to Monday morning the edge box is offline: nothing is heard, which is
said once for each fridge; what happened meanwhile is told when it comes, as a thing of the past that must be answered.
"""

from collections.abc import Callable

import pytest

from domain.readings import Reading
from domain.times import HOUR, MINUTE, parse_time
from simulators.faults import Fault, FaultKind
from tests.said import Said
from tests.scenarios.path import WholePath
from tests.scenarios.school import first, local, of, replayed, simulated

Make = Callable[..., WholePath]

RULES = """
rules:
  - id: warm
    applies_to: {asset_type: refrigerator, metric: temperature}
    condition: {above: 8.0, deadband: 0.5}
    on_delay: 30min
    off_delay: 5min
    priority: high
  - id: food-warm
    applies_to: {asset_type: refrigerator, metric: product_temperature}
    levels:
      - {above: 8.0, deadband: 0.3, on_delay: 15min, off_delay: 5min, priority: high}
      - {above: 8.0, deadband: 0.3, on_delay: 2h, off_delay: 5min, priority: urgent}
  - id: door-open
    applies_to: {asset_type: refrigerator, metric: door}
    condition: {state: open}
    on_delay: 30min
    priority: medium
  - id: no-data
    applies_to: {asset_type: refrigerator, metric: temperature}
    condition: {no_data: 30min}
    priority: medium
"""
AIR, FOOD = "fridge-1/temperature", "fridge-1/product_temperature"
OTHER_AIR, DOOR = "fridge-2/temperature", "fridge-2/door"
WATCHED = (AIR, FOOD, OTHER_AIR, DOOR)
NORMAL, OPEN, RETURNED = "normal", "unacknowledged", "returned-unacknowledged"

FRIDAY, MONDAY = local("2026-03-06T06:00"), local("2026-03-09T08:00")
LUNCH, AFTER_LUNCH = local("2026-03-06T11:40"), local("2026-03-06T13:00")
DIED, REPAIRED = local("2026-03-07T01:00"), local("2026-03-07T07:00")
GONE, BACK = local("2026-03-07T12:00"), local("2026-03-09T07:00")
SUNDAY, SUNDAY_CLOSED = local("2026-03-08T10:00"), local("2026-03-08T11:30")  # the cleaners', while nothing is heard

FAULTS = (
    Fault("lunch", FaultKind.DOOR_LEFT_OPEN, "fridge-2", LUNCH, AFTER_LUNCH, {"opening": 1.0}),
    Fault("night", FaultKind.COMPRESSOR_FAILURE, "fridge-1", DIED, REPAIRED, {}),
    Fault("sunday", FaultKind.DOOR_LEFT_OPEN, "fridge-2", SUNDAY, SUNDAY_CLOSED, {"opening": 1.0}),
)


def week() -> list[Reading]:
    """What the canteen's agent reads of the two fridges from Friday to Monday."""
    return [one for one in simulated(FRIDAY, MONDAY, FAULTS)["canteen"] if one.point in WATCHED]


def door_story(readings: list[Reading], opened: int, closed: int) -> list[Said]:
    """A door that stands open: the door after half an hour, the air half an hour after it passed the limit."""
    out = first(readings, OTHER_AIR, opened, lambda value: value > 8.0, 30 * MINUTE)
    back = first(readings, OTHER_AIR, closed, lambda value: value <= 7.5, 5 * MINUTE)
    seen_open = first(readings, DOOR, opened, lambda value: value == 1.0)
    seen_closed = first(readings, DOOR, closed, lambda value: value == 0.0)
    return [
        Said("door-open", DOOR, NORMAL, OPEN, "state_entered", "medium", seen_open + 30 * MINUTE),
        Said("warm", OTHER_AIR, NORMAL, OPEN, "above_limit", "high", out + 30 * MINUTE),
        Said("door-open", DOOR, OPEN, RETURNED, "state_left", "medium", seen_closed),
        Said("warm", OTHER_AIR, OPEN, RETURNED, "within_limit", "high", back + 5 * MINUTE),
    ]


@pytest.mark.timeout(600)  # three days, minute by minute
def test_deliveries_lunch_a_night_and_a_weekend(whole_path: Make) -> None:
    readings = week()
    path = whole_path(FRIDAY, rules=(("kitchen.yaml", RULES),))
    path.add_agent("canteen", readings)

    # Friday morning: goods are put away, the air is warmer for minutes, and nobody is disturbed.
    path.run(LUNCH, stride=10 * MINUTE)
    morning = [one.value for one in of(readings, OTHER_AIR) if one.time < LUNCH]
    assert max(morning) > min(morning) + 1.0, "the simulated day has openings and deliveries in it"
    assert path.log() == []

    # The door over lunch. The manager sees it, and the alarms are over when she has answered.
    path.run(local("2026-03-06T18:00"), stride=10 * MINUTE)
    lunch = door_story(readings, LUNCH, AFTER_LUNCH)
    assert path.log() == sorted(lunch, key=lambda one: one.at)
    for rule, point in (("door-open", DOOR), ("warm", OTHER_AIR)):
        address = f"/api/v1/sites/school/alarms/{rule}/{point}/acknowledge"
        assert path.web.request("POST", address, json={"by": "Wang Fang", "nuisance": "other"}).status_code == 200
        assert path.alarm(rule, point)["state"] == NORMAL

    # The night: the compressor. Air first, then the food, graver after two hours; repaired before breakfast.
    path.run(GONE, stride=10 * MINUTE)
    air_out = first(readings, AIR, DIED, lambda value: value > 8.0)
    food_out = first(readings, FOOD, DIED, lambda value: value > 8.0)
    air_back = first(readings, AIR, REPAIRED, lambda value: value <= 7.5, 5 * MINUTE)
    food_back = first(readings, FOOD, REPAIRED, lambda value: value <= 7.7, 5 * MINUTE)
    night = [
        Said("warm", AIR, NORMAL, OPEN, "above_limit", "high", air_out + 30 * MINUTE),
        Said("food-warm", FOOD, NORMAL, OPEN, "above_limit", "high", food_out + 15 * MINUTE),
        Said("food-warm", FOOD, OPEN, OPEN, "stepped_up", "urgent", food_out + 2 * HOUR),
        Said("warm", AIR, OPEN, RETURNED, "within_limit", "high", air_back + 5 * MINUTE),
        Said("food-warm", FOOD, OPEN, RETURNED, "within_limit", "urgent", food_back + 5 * MINUTE),
    ]
    assert [one for one in path.log() if one.at > AFTER_LUNCH + 12 * HOUR] == night
    (spoiled,) = [
        one for one in path.web.get("/sites/school/excursions", **{"from": DIED, "to": path.clock.now})
        if one["rule"] == "food-warm"
    ]  # fmt: skip
    assert (parse_time(spoiled["start"]), parse_time(spoiled["end"])) == (food_out, food_back)

    # The weekend: nothing is heard, and that is all that can be said.
    path.offline("canteen")
    path.run(BACK - MINUTE, stride=HOUR)
    silent = [one for one in path.log() if one.rule == "no-data"]
    assert [(one.point, one.target, one.reason) for one in silent] == [
        (AIR, OPEN, "no_data"), (OTHER_AIR, OPEN, "no_data"),
    ]  # fmt: skip
    assert all(GONE + 30 * MINUTE <= one.at < GONE + 31 * MINUTE for one in silent)
    assert [one for one in path.log() if one.at > GONE and one.rule != "no-data"] == []

    # Monday: the backlog tells of the cleaners' door on Sunday, at its own time, late, and to be answered.
    path.run(BACK)
    path.online("canteen")
    path.exchange()
    path.run(MONDAY, stride=10 * MINUTE)
    sunday = door_story(readings, SUNDAY, SUNDAY_CLOSED)
    told = [one for one in path.transitions() if parse_time(one["at"]) > GONE and one["rule"] != "no-data"]
    assert sorted(one for one in path.log() if one.at > GONE and one.rule != "no-data") == sorted(sunday)
    assert {one["retroactive"] for one in told} == {True}
    assert all(BACK <= parse_time(one["detected_at"]) < BACK + 2 * MINUTE for one in told)
    ends = [one for one in path.log() if one.reason == "data_returned"]
    assert sorted(one.point for one in ends) == [AIR, OTHER_AIR]
    assert path.alarm("warm", OTHER_AIR)["state"] == RETURNED, "a weekend's news must still be answered"

    # Nothing was lost, and the live log is what a backtest says of what was produced.
    assert path.stored() == path.produced()
    assert len(path.produced()) == len(readings)
    valued = sorted(one for one in path.log() if one.rule != "no-data" and one.reason != "by_person")
    replay = sorted(replayed((("kitchen.yaml", RULES),), readings, path.catalogue, MONDAY - 1))
    assert [one._replace(source="", target="") for one in valued] == [
        one._replace(source="", target="") for one in replay
    ]  # a person's answers are the only difference
