"""What becomes of alarms when agents, broker or ingest are away for a while, from the sensors to the API.

Two fridges and a freezer of the example school, with the rule packs as they are; their temperatures are written down,
so that every expected time is plain arithmetic.
"""

import math
from collections.abc import Callable, Sequence

import pytest

from caretaker.wiring import rule_documents
from domain.readings import Reading
from domain.times import DAY, HOUR, MINUTE, SECOND, parse_time
from tests.said import Said
from tests.scenarios.path import PACKS, WholePath, series_of
from tests.scenarios.school import local, replayed

Make = Callable[..., WholePath]

MONDAY = local("2026-03-02T08:00")
AIR, OTHER, FROZEN = "fridge-1/temperature", "fridge-2/temperature", "freezer-1/temperature"
BOILER = "boiler-1/status"
NORMAL, OPEN, RETURNED, SEEN = "normal", "unacknowledged", "returned-unacknowledged", "acknowledged"
HIGH, SILENT = "cold-storage-high", "cold-storage-no-data"


def fridge(point: str, start: int, end: int, *warm: tuple[int, int], mean: float = 4.0) -> list[Reading]:
    """A reading a minute that swings around its mean; 6 °C above it within each warm span."""
    return [
        Reading(point, time, round(mean + math.sin(time / (7 * MINUTE)) + 6.0 * any(a <= time < b for a, b in warm), 2))
        for time in range(start, end + 1, MINUTE)
    ]


def together(*stories: Sequence[Reading]) -> list[Reading]:
    return sorted((one for story in stories for one in story), key=lambda one: one.time)


def value_rules(path: WholePath) -> list[Said]:
    return sorted(said for said in path.log() if said.rule != SILENT)


def in_a_backtest(path: WholePath, readings: Sequence[Reading], end: int) -> list[Said]:
    return sorted(replayed(rule_documents(PACKS), readings, path.catalogue, end - 1))


def test_an_agent_is_offline_for_a_weekend_and_its_backlog_is_judged_as_if_on_time(whole_path: Make) -> None:
    friday, gone, back = local("2026-03-06T16:00"), local("2026-03-06T18:00"), local("2026-03-09T07:00")
    end = back + 2 * HOUR
    warm = (local("2026-03-07T02:00"), local("2026-03-07T04:00"))
    readings = together(fridge(AIR, friday, end, warm), fridge(OTHER, friday, end))
    path = whole_path(friday)
    path.add_agent("canteen", readings)
    path.run(gone, stride=5 * MINUTE)
    path.offline("canteen")
    path.run(back - MINUTE, stride=10 * MINUTE)
    silent_at = gone + 100 + 45 * MINUTE  # the last reading came with the commit after 18:00
    assert sorted(path.log()) == [
        Said(SILENT, AIR, NORMAL, OPEN, "no_data", "medium", silent_at),
        Said(SILENT, OTHER, NORMAL, OPEN, "no_data", "medium", silent_at),
    ]
    path.run(back)
    path.online("canteen")
    path.exchange()
    path.run(end, stride=5 * MINUTE)
    since, until = warm
    assert value_rules(path) == [
        Said(HIGH, AIR, NORMAL, OPEN, "above_limit", "high", since + 30 * MINUTE),
        Said(HIGH, AIR, OPEN, RETURNED, "within_limit", "high", until + 5 * MINUTE),
    ]
    assert value_rules(path) == in_a_backtest(path, readings, end)
    told = [one for one in path.transitions() if one["rule"] == HIGH]
    assert [one["retroactive"] for one in told] == [True, True]
    assert all(back <= parse_time(one["detected_at"]) < back + MINUTE for one in told)
    ends = [said for said in path.log() if said.rule == SILENT and said.reason == "data_returned"]
    assert sorted(said.point for said in ends) == [AIR, OTHER]
    assert all(back <= said.at < back + MINUTE for said in ends)
    assert len(path.log()) == 6
    assert path.stored() == path.produced()
    assert len(path.produced()) == len(readings)
    assert path.alarm(HIGH, AIR)["state"] == RETURNED, "last night's news must still be answered"


def test_while_the_broker_is_away_nobody_is_called_silent(whole_path: Make) -> None:
    end = MONDAY + 8 * HOUR
    warm = (MONDAY + 2 * HOUR, MONDAY + 3 * HOUR)
    readings = together(
        fridge(AIR, MONDAY, end, warm), fridge(OTHER, MONDAY, end), fridge(FROZEN, MONDAY, end, mean=-20.0)
    )
    path = whole_path(MONDAY)
    path.add_agent("canteen", readings)
    path.run(MONDAY + HOUR, stride=5 * MINUTE)
    path.broker.stop()
    path.run(MONDAY + 7 * HOUR, stride=5 * MINUTE)
    assert path.log() == []
    path.broker.start()
    path.run(end, stride=5 * MINUTE)
    assert (
        path.log()
        == in_a_backtest(path, readings, end)
        == [
            Said(HIGH, AIR, NORMAL, OPEN, "above_limit", "high", warm[0] + 30 * MINUTE),
            Said(HIGH, AIR, OPEN, RETURNED, "within_limit", "high", warm[1] + 5 * MINUTE),
        ]
    )
    assert path.stored() == path.produced()


def test_a_broker_that_forgets_everything_loses_no_reading(whole_path: Make) -> None:
    end = MONDAY + 3 * HOUR
    readings = together(fridge(AIR, MONDAY, end, (MONDAY + HOUR, MONDAY + 2 * HOUR)), fridge(OTHER, MONDAY, end))
    path = whole_path(MONDAY)
    path.add_agent("canteen", readings)
    for minute in range(10, 170, 20):
        path.run(MONDAY + minute * MINUTE)
        path.broker.stop(forgetful=True)
        path.run(MONDAY + minute * MINUTE + 3 * MINUTE)
        path.broker.start()
    path.run(end)
    assert path.stored() == path.produced()
    assert path.log() == in_a_backtest(path, readings, end)
    assert path.counters.snapshot()["skipped"] == 0


def test_ingest_away_for_hours_blames_nobody_and_judges_what_waited(whole_path: Make) -> None:
    end = MONDAY + 6 * HOUR
    warm = (MONDAY + 2 * HOUR, MONDAY + 3 * HOUR)
    readings = together(fridge(AIR, MONDAY, end, warm), fridge(OTHER, MONDAY, end))
    path = whole_path(MONDAY)
    path.add_agent("canteen", readings)
    path.run(MONDAY + HOUR, stride=5 * MINUTE)
    path.kill_ingest()
    path.run(MONDAY + 5 * HOUR, stride=5 * MINUTE)
    path.start_ingest()
    path.run(end, stride=5 * MINUTE)
    assert path.log() == in_a_backtest(path, readings, end)
    assert len(path.log()) == 2
    assert path.stored() == path.produced()


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "stopped"])
def test_ingest_begun_anew_at_any_moment_changes_no_outcome(whole_path: Make, kill: bool) -> None:
    end = MONDAY + 3 * HOUR
    warm = (MONDAY + 20 * MINUTE, MONDAY + 70 * MINUTE)
    readings = together(fridge(AIR, MONDAY, end, warm), fridge(OTHER, MONDAY, MONDAY + 90 * MINUTE))
    calm, troubled = whole_path(MONDAY), whole_path(MONDAY)
    for path in (calm, troubled):
        path.add_agent("canteen", readings)
    calm.run(end, stride=3 * MINUTE)
    for minute in range(7, 178, 9):
        troubled.run(MONDAY + minute * MINUTE + 30 * SECOND, stride=3 * MINUTE)
        troubled.kill_ingest() if kill else troubled.stop_ingest()
        troubled.start_ingest()
    troubled.run(end, stride=3 * MINUTE)
    assert value_rules(troubled) == value_rules(calm) == in_a_backtest(calm, readings, end)
    assert len(value_rules(calm)) == 2
    (silent,) = [said for said in calm.log() if said.rule == SILENT]
    (later,) = [said for said in troubled.log() if said.rule == SILENT]
    assert silent.at == MONDAY + 90 * MINUTE + 100 + 45 * MINUTE
    # Time in which ingest was not there is nobody's silence; each new beginning costs the moments since the journal.
    assert silent.at <= later.at <= silent.at + 5 * MINUTE
    assert troubled.stored() == troubled.produced()


def test_a_rule_made_stricter_takes_effect_live_on_what_is_going_on(whole_path: Make) -> None:
    end, out = MONDAY + 2 * HOUR, MONDAY + 30 * MINUTE
    readings = fridge(AIR, MONDAY, end, (out, MONDAY + 100 * MINUTE))
    path = whole_path(MONDAY)
    path.add_agent("canteen", readings)
    path.run(out + 20 * MINUTE)
    assert path.log() == []
    documents = rule_documents(PACKS)
    stricter = tuple((name, text.replace("on_delay: 30min", "on_delay: 10min", 1)) for name, text in documents)
    path.store.apply_rules(path.site, stricter, "chef", path.clock.now)
    path.run(end)
    # It holds from the moment to which the readings are known; door and power, which the masks ask about, were never
    # heard here and delay nothing.
    assert path.log() == [
        Said(HIGH, AIR, NORMAL, OPEN, "above_limit", "high", out + 21 * MINUTE),
        Said(HIGH, AIR, OPEN, RETURNED, "within_limit", "high", MONDAY + 105 * MINUTE),
    ]
    (span,) = path.web.get("/sites/school/excursions", to=path.clock.now)
    assert parse_time(span["end"]) == MONDAY + 100 * MINUTE
    assert {one["rules_revision"] for one in path.transitions() if one["point"] == AIR} == {2}


def test_a_rule_that_changes_while_its_alarm_stands_closes_and_says_again(whole_path: Make) -> None:
    end, out = MONDAY + 2 * HOUR, MONDAY + 10 * MINUTE
    path = whole_path(MONDAY)
    path.add_agent("canteen", fridge(AIR, MONDAY, end, (out, end)))
    changed = MONDAY + 50 * MINUTE
    path.run(changed)
    documents = rule_documents(PACKS)
    urgent = tuple((name, text.replace("priority: high", "priority: urgent", 1)) for name, text in documents)
    path.store.apply_rules(path.site, urgent, "chef", path.clock.now)
    path.run(changed + 30 * MINUTE)
    without = tuple((name, text) for name, text in documents if name != "pack:cn-canteen")
    path.store.apply_rules(path.site, without, "chef", path.clock.now)
    path.run(end)
    said = path.log()
    assert [(one.source, one.target, one.reason, one.priority) for one in said] == [
        (NORMAL, OPEN, "above_limit", "high"),
        (OPEN, NORMAL, "rule_changed", "high"),
        (NORMAL, OPEN, "above_limit", "urgent"),
        (OPEN, NORMAL, "rule_removed", "urgent"),
    ]
    assert said[0].at == out + 30 * MINUTE
    assert changed <= said[1].at <= changed + MINUTE + SECOND
    assert path.web.get("/alarms", point=AIR, state=OPEN)["total"] == 0


def test_a_site_that_is_being_commissioned_asks_nothing_of_anybody(whole_path: Make) -> None:
    end = MONDAY + 5 * HOUR
    before, after = (MONDAY + 10 * MINUTE, MONDAY + HOUR), (MONDAY + 3 * HOUR, MONDAY + 4 * HOUR)
    path = whole_path(MONDAY, commissioned_at=None)
    path.add_agent("canteen", fridge(AIR, MONDAY, end, before, after))
    path.run(MONDAY + 2 * HOUR, stride=5 * MINUTE)
    path.store.commission(path.site, MONDAY + 2 * HOUR, "chef", path.clock.now)
    path.run(end, stride=5 * MINUTE)
    assert path.log() == [
        Said(HIGH, AIR, NORMAL, SEEN, "above_limit", "high", before[0] + 30 * MINUTE),
        Said(HIGH, AIR, SEEN, NORMAL, "within_limit", "high", before[1] + 5 * MINUTE),
        Said(HIGH, AIR, NORMAL, OPEN, "above_limit", "high", after[0] + 30 * MINUTE),
        Said(HIGH, AIR, OPEN, RETURNED, "within_limit", "high", after[1] + 5 * MINUTE),
    ]
    assert [one["answer_required"] for one in path.transitions() if one["point"] == AIR] == [False, False, True, True]


def test_a_site_commissioned_while_a_fridge_is_warm_asks_from_then_on(whole_path: Make) -> None:
    """What was raised before asks nothing; a day of it is still shown as going on."""
    path = whole_path(MONDAY, commissioned_at=None)
    path.add_agent("canteen", fridge(AIR, MONDAY, MONDAY + 3 * HOUR, (MONDAY, MONDAY + 2 * HOUR)))
    path.run(MONDAY + HOUR, stride=5 * MINUTE)
    path.store.commission(path.site, path.clock.now, "chef", path.clock.now)
    path.run(MONDAY + 3 * HOUR, stride=5 * MINUTE)
    assert path.log() == [
        Said(HIGH, AIR, NORMAL, SEEN, "above_limit", "high", MONDAY + 30 * MINUTE),
        Said(HIGH, AIR, SEEN, NORMAL, "within_limit", "high", MONDAY + 2 * HOUR + 5 * MINUTE),
    ]


def test_an_alarm_acknowledged_through_the_api_is_normal_when_it_returns(whole_path: Make) -> None:
    end, out, back = MONDAY + 3 * HOUR, MONDAY + 10 * MINUTE, MONDAY + 90 * MINUTE
    path = whole_path(MONDAY)
    path.add_agent("canteen", fridge(AIR, MONDAY, end, (out, back)))
    path.run(MONDAY + HOUR, stride=5 * MINUTE)
    seen = path.alarm(HIGH, AIR)
    assert (seen["state"], seen["active"]) == (OPEN, True)
    route = f"/api/v1/sites/school/alarms/{HIGH}/{AIR}/acknowledge"
    answer = {"by": "Chef on duty", "note": "moved the milk", "version": seen["version"]}
    assert path.web.request("POST", route, json=answer).status_code == 200
    assert path.web.request("POST", route, json=answer).status_code == 409
    acknowledged_at = path.clock.now
    path.kill_ingest()
    path.start_ingest()
    path.run(end, stride=5 * MINUTE)
    assert path.log() == [
        Said(HIGH, AIR, NORMAL, OPEN, "above_limit", "high", out + 30 * MINUTE),
        Said(HIGH, AIR, OPEN, SEEN, "by_person", "high", acknowledged_at),
        Said(HIGH, AIR, SEEN, NORMAL, "within_limit", "high", back + 5 * MINUTE),
    ]
    assert [one["by"] for one in path.transitions() if one["point"] == AIR] == ["", "Chef on duty", ""]
    assert path.alarm(HIGH, AIR)["active"] is False


def test_an_agent_that_starts_again_and_repeats_itself_changes_nothing(whole_path: Make) -> None:
    end = MONDAY + 2 * HOUR
    readings = fridge(AIR, MONDAY, end, (MONDAY + 10 * MINUTE, MONDAY + HOUR))
    path = whole_path(MONDAY)
    path.add_agent("canteen", readings)
    for minute in range(5, 115, 10):
        path.run(MONDAY + minute * MINUTE + 30 * SECOND)
        path.kill_agent("canteen")
        path.run(path.clock.now + 2 * MINUTE)
        path.start_agent("canteen", again=minute % 4)
    path.run(end)
    assert path.stored() == path.produced()
    assert len(path.produced()) == len(readings)
    assert path.log() == in_a_backtest(path, readings, end)


def test_a_whole_day_of_backlog_of_one_agent_leaves_the_other_alone(whole_path: Make) -> None:
    """Each agent has its own frontier: what one has not said yet holds up none of the other's alarms."""
    end = MONDAY + DAY // 2
    away, there = fridge(AIR, MONDAY, end), fridge("boiler-1/temperature", MONDAY, end, mean=60.0)
    path = whole_path(MONDAY)
    path.add_agent("canteen", away)
    path.add_agent("plant", together(there, series_of(BOILER, MONDAY, [1.0] * 300 + [2.0] * 30 + [1.0] * 391)))
    path.run(MONDAY + HOUR, stride=5 * MINUTE)
    path.offline("canteen")
    path.run(MONDAY + 6 * HOUR, stride=5 * MINUTE)
    fault = [said for said in path.log() if said.rule == "boiler-fault"]
    assert fault == [
        Said("boiler-fault", BOILER, NORMAL, OPEN, "state_entered", "high", MONDAY + 300 * MINUTE),
        Said("boiler-fault", BOILER, OPEN, RETURNED, "state_left", "high", MONDAY + 330 * MINUTE),
    ]
    path.online("canteen")
    path.run(end, stride=5 * MINUTE)
    assert path.stored() == path.produced()
    assert [said.rule for said in path.log()].count(HIGH) == 0


def lived_with_a_hole(path: WholePath, end: int, hole: tuple[int, int], told: Sequence[Reading]) -> list[Reading]:
    """A simple device says each reading at its time, but for those in the hole; they come back."""
    kept = [one for one in told if hole[0] <= one.time < hole[1]]
    for time in range(MONDAY, end + 1, 5 * MINUTE):
        path.run(time, stride=5 * MINUTE)
        path.publish_simply(
            "canteen", [one for one in told if time - 5 * MINUTE < one.time <= time and one not in kept]
        )
    return kept


@pytest.mark.parametrize("restart", [False, True], ids=["", "with a new ingest"])
def test_a_hole_that_fills_up_hours_later_is_judged_with_the_stored_readings(whole_path: Make, restart: bool) -> None:
    """It lies further back than what the engine keeps: the series store knows what was around it."""
    end, warm = MONDAY + 5 * HOUR, (MONDAY + HOUR, MONDAY + 2 * HOUR)
    hole = (MONDAY + 70 * MINUTE, MONDAY + 110 * MINUTE)
    path = whole_path(MONDAY)
    told = fridge(AIR, MONDAY, end, warm)
    kept = lived_with_a_hole(path, end, hole, told)
    assert value_rules(path) == []
    if restart:
        path.kill_ingest()
        path.start_ingest()
    path.publish_simply("canteen", kept)
    path.run(end + 10 * MINUTE)
    assert value_rules(path) == [
        Said(HIGH, AIR, NORMAL, OPEN, "above_limit", "high", warm[0] + 30 * MINUTE),
        Said(HIGH, AIR, OPEN, RETURNED, "within_limit", "high", warm[1] + 5 * MINUTE),
    ]
    assert [one["retroactive"] for one in path.transitions() if one["rule"] == HIGH] == [True, True]


def test_a_series_store_that_is_away_stops_neither_alarms_nor_receipts(whole_path: Make) -> None:
    """Not even when late readings come, for which it would have been asked."""
    end, warm = MONDAY + 5 * HOUR, (MONDAY + HOUR, MONDAY + 2 * HOUR)
    path = whole_path(MONDAY)
    kept = lived_with_a_hole(path, end, (MONDAY + 70 * MINUTE, MONDAY + 110 * MINUTE), fridge(AIR, MONDAY, end, warm))
    path.series.away = True
    path.add_agent("plant", series_of(BOILER, end, [1.0] * 30 + [2.0] * 20 + [1.0] * 40))
    path.publish_simply("canteen", kept)
    path.run(end + 90 * MINUTE)
    assert [said for said in path.log() if said.rule == "boiler-fault"] == [
        Said("boiler-fault", BOILER, NORMAL, OPEN, "state_entered", "high", end + 30 * MINUTE),
        Said("boiler-fault", BOILER, OPEN, RETURNED, "state_left", "high", end + 50 * MINUTE),
    ]
    assert outbox(path, "plant") == 0, "all of it is receipted"
    path.series.away = False
    path.run(end + 95 * MINUTE)
    assert [row for row in path.stored() if row[0] == BOILER] == path.produced()


def outbox(path: WholePath, agent: str) -> int:
    """How many readings the agent still holds."""
    found = path.edges[agent].outbox
    assert found is not None
    return found.held
