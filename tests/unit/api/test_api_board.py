"""How an asset stands: unknown is never green, and what is wrong comes first."""

import math
from typing import Any

import pytest

from api.board import Freshness, Standing, freshness, open_alarms, set_aside, stale_after, standing_of, tally
from domain.alarms import AlarmEvent, AlarmKey, AlarmState, EventKind, Overlay, OverlayKind, Priority, Reason
from domain.readings import Quality
from domain.records import Latest
from domain.times import MINUTE


def stand(bench: Any, asset: str = "fridge-1") -> Any:
    known = bench.app.state.operations.site("school")
    latest = {row.point: row for row in bench.console.latest("school")}
    alarms = list(bench.console.alarm_rows.values())
    return standing_of(known, known.asset(asset), latest, alarms, bench.now)


def happen(bench: Any, kind: EventKind, **more: Any) -> None:
    key = AlarmKey("cold-high", "fridge-1/temperature")
    bench.console.happen("school", AlarmEvent(kind, key, Reason.BY_PERSON, bench.now, bench.now, by="Wang", **more))


def test_without_any_reading_it_is_unknown(bench: Any) -> None:
    one = stand(bench)
    assert one.standing is Standing.UNKNOWN
    assert one.main.freshness is Freshness.NEVER


def test_with_fresh_values_of_every_point_it_is_normal(bench: Any) -> None:
    bench.all_measured()
    assert stand(bench).standing is Standing.NORMAL


def test_one_missing_point_is_enough_to_be_unknown(bench: Any) -> None:
    bench.measured("fridge-1/temperature", 4.0)
    assert stand(bench).standing is Standing.UNKNOWN


def test_it_turns_unknown_three_intervals_after_its_last_reading(bench: Any) -> None:
    bench.measured("fridge-1/temperature", 4.0, ago=3 * MINUTE)
    bench.measured("fridge-1/door", 0.0, ago=0)
    assert stand(bench).standing is Standing.NORMAL
    bench.clock[0] += 1
    assert stand(bench).standing is Standing.UNKNOWN


def test_a_bad_reading_is_a_sensor_fault_and_outweighs_missing_data(bench: Any) -> None:
    bench.measured("fridge-1/temperature", 85.0, quality=Quality.BAD, text="85")
    assert stand(bench).standing is Standing.FAULT


@pytest.mark.parametrize("text", ["off", " Off", "standby", "preheating"])
def test_a_unit_that_says_it_is_off_is_neither_faulty_nor_normal(bench: Any, text: str) -> None:
    bench.all_measured()
    bench.measured("fridge-1/temperature", math.nan, quality=Quality.BAD, text=text)
    one = stand(bench)
    assert (one.standing, one.main.freshness) == (Standing.OFF, Freshness.OFF)
    bench.measured("fridge-1/door", 0.0, quality=Quality.BAD, text="offline")
    assert stand(bench).standing is Standing.FAULT


def test_an_uncertain_reading_is_judged_like_a_good_one(bench: Any) -> None:
    bench.all_measured()
    bench.measured("fridge-1/temperature", 4.0, quality=Quality.UNCERTAIN)
    assert stand(bench).standing is Standing.NORMAL


def test_an_alarm_outweighs_everything_and_gives_its_priority(bench: Any) -> None:
    bench.measured("fridge-1/door", 0.0, quality=Quality.BAD)
    bench.raise_alarm()
    bench.raise_alarm("cold-low", priority=Priority.URGENT)
    one = stand(bench)
    assert (one.standing, one.priority) == (Standing.ALARM, Priority.URGENT)
    assert [alarm.priority for alarm in one.alarms] == [Priority.URGENT, Priority.HIGH]


def test_an_acknowledged_alarm_is_still_an_alarm(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    happen(bench, EventKind.ACKNOWLEDGE)
    assert stand(bench).standing is Standing.ALARM


def test_what_is_over_and_was_not_answered_is_not_normal(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    bench.clear_alarm()
    assert stand(bench).standing is Standing.UNANSWERED
    happen(bench, EventKind.ACKNOWLEDGE)
    assert stand(bench).standing is Standing.NORMAL


@pytest.mark.parametrize("kind", [EventKind.SHELVE, EventKind.SUPPRESS, EventKind.REMOVE_FROM_SERVICE])
def test_an_alarm_that_was_set_aside_colours_nothing_and_is_never_green(bench: Any, kind: EventKind) -> None:
    bench.all_measured()
    bench.raise_alarm()
    happen(bench, kind, note="defrosting", until=bench.now + MINUTE)
    one = stand(bench)
    assert one.standing is Standing.SET_ASIDE
    assert len(one.alarms) == 1


def test_an_asset_that_no_rule_judges_is_never_green(bench: Any) -> None:
    bench.all_measured()
    assert stand(bench, "meter-1").standing is Standing.UNWATCHED


def test_the_alarm_of_another_asset_is_not_its_own(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm("boiler-fault", "boiler-1/status", 2.0)
    assert stand(bench).standing is Standing.NORMAL
    assert stand(bench, "boiler-1").standing is Standing.ALARM


def test_the_large_value_is_what_matters_for_the_kind_of_asset(bench: Any) -> None:
    assert stand(bench).main.point.metric == "temperature"
    assert stand(bench, "boiler-1").main.point.metric == "status"
    assert stand(bench, "meter-1").main.point.metric == "power"


def test_a_point_without_interval_is_stale_after_ten_minutes(bench: Any) -> None:
    assert stale_after(None) == 10 * MINUTE


def test_a_reading_from_a_clock_that_runs_ahead_is_fresh(bench: Any) -> None:
    point = bench.app.state.operations.site("school").point("fridge-1/temperature")
    row = Latest(point.name, bench.now + MINUTE, 4.0, Quality.GOOD, bench.now)
    assert freshness(point, row, bench.now) is Freshness.GOOD


def test_open_alarms_come_gravest_first_and_closed_ones_not_at_all(bench: Any) -> None:
    bench.raise_alarm("a", "x/t", priority=Priority.LOW)
    bench.raise_alarm("b", "x/t", priority=Priority.URGENT)
    bench.clear_alarm("b", "x/t")
    bench.raise_alarm("c", "x/t", priority=Priority.HIGH, ago=5 * MINUTE)
    bench.raise_alarm("d", "x/t", priority=Priority.HIGH, ago=MINUTE)
    rows = list(bench.console.alarm_rows.values())
    assert [alarm.key.rule for alarm in open_alarms(rows, bench.now)] == ["d", "c", "a", "b"]
    assert all(alarm.state is not AlarmState.NORMAL for alarm in open_alarms(rows, bench.now))


def test_of_one_priority_the_alarm_with_the_least_time_left_comes_first(bench: Any) -> None:
    for asset, priority, ago in (
        ("slow", Priority.HIGH, 1), ("quick", Priority.HIGH, 9), ("unknown", Priority.HIGH, 3), ("low", Priority.LOW, 2)
    ):  # fmt: skip
        bench.raise_alarm("warm", f"{asset}/t", priority=priority, ago=ago * MINUTE)
    bench.raise_alarm("over", "over/t", priority=Priority.HIGH)
    bench.clear_alarm("over", "over/t")
    rows = list(bench.console.alarm_rows.values())
    left = {"slow": 47.0, "quick": 12.0, "low": 1.0, "over": 1.0}
    shown = [alarm.key.point for alarm in open_alarms(rows, bench.now, left)]
    assert shown == ["quick/t", "slow/t", "unknown/t", "low/t", "over/t"]
    assert open_alarms(rows, bench.now)[0].key.point == "slow/t"


def test_the_tally_counts_every_word_even_at_zero(bench: Any) -> None:
    bench.all_measured()
    counts = tally([stand(bench), stand(bench, "meter-1")])
    assert counts[Standing.NORMAL] == 1
    assert counts[Standing.UNWATCHED] == 1
    assert set(counts) == set(Standing)


def test_a_shelved_alarm_is_never_green_even_when_all_is_well(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    bench.clear_alarm()
    happen(bench, EventKind.ACKNOWLEDGE)
    assert stand(bench).standing is Standing.NORMAL
    happen(bench, EventKind.SHELVE, note="repair", until=bench.now + MINUTE)
    one = stand(bench)
    assert (one.standing, len(one.alarms)) == (Standing.SET_ASIDE, 1)
    rows = list(bench.console.alarm_rows.values())
    assert (open_alarms(rows, bench.now), set_aside(rows, bench.now)) == ([], rows)
    bench.clock[0] += MINUTE  # its time is over, whether or not anybody has written that down
    assert set_aside(rows, bench.now) == []


def test_what_is_out_of_service_is_nothing_else(bench: Any) -> None:
    bench.raise_alarm()
    known = bench.app.state.operations.site("school")
    overlay = Overlay(OverlayKind.OUT_OF_SERVICE, "Li", "sold", bench.now)
    rows = list(bench.console.alarm_rows.values())
    one = standing_of(known, known.asset("fridge-1"), {}, rows, bench.now, overlay)
    assert (one.standing, one.priority, one.service) == (Standing.OUT_OF_SERVICE, None, overlay)
