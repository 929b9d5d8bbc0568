"""Days in the life of the example school, from the sensors to the API, with the rule packs as they are.

The simulators' readings go the whole path. Where a story has physics in it, the expected times are worked out from the
readings themselves: when the limit was first passed, and when the first reading was back within it.
"""

from collections.abc import Callable

from caretaker.wiring import rule_documents
from domain.readings import Reading
from domain.times import HOUR, MINUTE, parse_time
from simulators.faults import Fault, FaultKind
from tests.said import Said
from tests.scenarios.path import PACKS, WholePath
from tests.scenarios.school import AGENTS, first, local, replayed, simulated

Make = Callable[..., WholePath]

AIR, FOOD = "fridge-1/temperature", "fridge-1/product_temperature"
NORMAL, OPEN, RETURNED = "normal", "unacknowledged", "returned-unacknowledged"


def fault(kind: FaultKind, target: str, start: int, end: int, **parameters: float) -> Fault:
    return Fault("fault", kind, target, start, end, parameters)


def lived(
    make: Make, start: int, end: int, *faults: Fault, stride: int = 5 * MINUTE
) -> tuple[WholePath, list[Reading]]:
    """The school's path after that time, and every reading of it."""
    told = simulated(start, end, faults)
    path = make(start)
    for agent in AGENTS:
        path.add_agent(agent, told[agent])
    path.run(end, stride)
    readings = [reading for agent in AGENTS for reading in told[agent]]
    assert path.stored() == path.produced()
    assert len(path.produced()) == len(readings)
    assert sorted(path.log()) == sorted(replayed(rule_documents(PACKS), readings, path.catalogue, end - 1))
    return path, readings


def test_a_compressor_dies_at_night_and_is_repaired_before_breakfast(whole_path: Make) -> None:
    start = local("2026-03-02T22:00")
    died, repaired = start + HOUR, start + 6 * HOUR
    broken = fault(FaultKind.COMPRESSOR_FAILURE, "fridge-1", died, repaired)
    path, readings = lived(whole_path, start, start + 9 * HOUR, broken)
    air_out = first(readings, AIR, died, lambda value: value > 8.0)
    food_out = first(readings, FOOD, died, lambda value: value > 8.0)
    air_back = first(readings, AIR, repaired, lambda value: value <= 7.5, 5 * MINUTE)
    food_back = first(readings, FOOD, repaired, lambda value: value <= 7.7, 5 * MINUTE)
    assert died < air_out < food_out < repaired < air_back < food_back
    air, food = "cold-storage-high", "cold-product-high"
    assert path.log() == [
        Said(air, AIR, NORMAL, OPEN, "above_limit", "high", air_out + 30 * MINUTE),
        Said(food, FOOD, NORMAL, OPEN, "above_limit", "high", food_out + 30 * MINUTE),
        Said(food, FOOD, OPEN, OPEN, "stepped_up", "urgent", food_out + 2 * HOUR),
        Said(air, AIR, OPEN, RETURNED, "within_limit", "high", air_back + 5 * MINUTE),
        Said(food, FOOD, OPEN, RETURNED, "within_limit", "urgent", food_back + 5 * MINUTE),
    ]
    for one in path.transitions():
        assert 0 < parse_time(one["detected_at"]) - parse_time(one["at"]) < 5 * MINUTE
        assert one["answer_required"]
    spans = [
        (one["rule"], parse_time(one["start"]), parse_time(one["end"]))
        for one in path.web.get("/sites/school/excursions", to=path.clock.now)
    ]
    assert spans == [(air, air_out, air_back), (food, food_out, food_back)]


def test_a_door_left_open_over_lunch_is_said_after_five_and_thirty_minutes(whole_path: Make) -> None:
    """The air behind it is excused from the door's tenth minute until the door has been open for 35: 25 minutes."""
    start, point = local("2026-03-03T11:00"), "fridge-2/temperature"
    opened, closed = local("2026-03-03T12:00"), local("2026-03-03T13:15")
    door = fault(FaultKind.DOOR_LEFT_OPEN, "fridge-2", opened, closed, opening=1.0)
    path, readings = lived(whole_path, start, start + 4 * HOUR, door)
    out = first(readings, point, opened, lambda value: value > 8.0, 30 * MINUTE)
    back = first(readings, point, closed, lambda value: value <= 7.5, 5 * MINUTE)
    rule, door_point = "cold-storage-door-open", "fridge-2/door"
    assert path.log() == [
        Said(rule, door_point, NORMAL, OPEN, "state_entered", "medium", opened + 36 * MINUTE),
        Said("cold-storage-high", point, NORMAL, OPEN, "above_limit", "high", out + 55 * MINUTE),
        Said(rule, door_point, OPEN, RETURNED, "state_left", "medium", closed + MINUTE),
        Said("cold-storage-high", point, OPEN, RETURNED, "within_limit", "high", back + 5 * MINUTE),
    ], "read once a minute"


def test_a_normal_day_raises_nothing(whole_path: Make) -> None:
    start = local("2026-03-04T00:00")
    path, _ = lived(whole_path, start, start + 24 * HOUR, stride=10 * MINUTE)
    assert path.log() == []
    assert path.web.get("/alarms", site="school")["total"] == 0
    assert path.web.get("/dead-letters")["items"] == []
    assert [agent["online"] for agent in path.web.get("/sites/school/agents")] == [True, True]


def test_a_boiler_fault_is_said_at_once_and_ends_when_it_ends(whole_path: Make) -> None:
    start, point = local("2026-03-04T08:00"), "boiler-1/status"
    locked, reset = start + 10 * MINUTE, start + 25 * MINUTE
    path, _ = lived(
        whole_path, start, start + 40 * MINUTE, fault(FaultKind.BOILER_FAULT, "boiler-1", locked, reset), stride=MINUTE
    )
    assert path.log() == [
        Said("boiler-fault", point, NORMAL, OPEN, "state_entered", "high", locked),
        Said("boiler-fault", point, OPEN, RETURNED, "state_left", "high", reset),
    ]
    assert all(parse_time(one["detected_at"]) - parse_time(one["at"]) < 1_000 for one in path.transitions())


def test_a_bad_sensor_code_stops_the_clock_of_the_delay_and_no_longer(whole_path: Make) -> None:
    start = local("2026-03-02T22:00")
    broken = fault(FaultKind.COMPRESSOR_FAILURE, "fridge-1", start, start + 5 * HOUR)
    out = first(simulated(start, start + 5 * HOUR, [broken])["canteen"], AIR, start, lambda value: value > 8.0)
    mute = Fault("code", FaultKind.ERROR_CODE, AIR, out + 10 * MINUTE, out + 35 * MINUTE,
                 {"code": 85.0, "share": 1.0, "good": 0.0})  # fmt: skip
    path, _ = lived(whole_path, start, out + 70 * MINUTE, broken, mute)
    probe = [said for said in path.log() if said.rule == "probe-unreadable"]
    assert [(said.point, said.target, said.reason) for said in probe][:1] == [(AIR, OPEN, "unreadable")]
    air = [said for said in path.log() if said.point == AIR and said not in probe]
    assert air == [
        Said("cold-storage-high", AIR, NORMAL, OPEN, "above_limit", "high", out + (30 + 25) * MINUTE),
    ]
    shown = path.web.get(f"/sites/school/points/{AIR}/history", **{"from": out + 10 * MINUTE, "to": out + 35 * MINUTE})[
        "readings"
    ]
    assert len(shown) == 25
    assert {(one["quality"], one["value"]) for one in shown} == {("bad", 85.0)}
