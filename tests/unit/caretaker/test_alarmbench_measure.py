"""The measure itself, on truths and alarms made by hand: what it credits, what it calls false, what it counts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caretaker.alarmbench.measure import (
    MONTH,
    WARM_BEFORE,
    Advice,
    Judged,
    Raised,
    Verdict,
    figures,
    judge,
    kaplan_meier_median,
    normal_time,
    wilson,
)
from caretaker.alarmbench.truth import FaultTruth, Truth
from domain.times import DAY, HOUR, MINUTE

START, END = 0, 30 * DAY
CAUSES = {"compressor_failure": "compressor", "door_left_open": "door"}


def fault(
    name: str, asset: str, start: int, hours: int = 10, kind: str = "compressor_failure", limit: int | None = None
) -> FaultTruth:
    end = start + hours * HOUR
    return FaultTruth(name, kind, frozenset({asset}), start, end, end, end + 6 * HOUR, None, limit)


def alarm(asset: str, at: int, rule: str = "warm", metric: str = "temperature") -> Raised:
    return Raised(rule, f"{asset}/{metric}", at, at)


A = fault("one", "a", 5 * DAY, limit=5 * DAY + 3 * HOUR)
B = fault("two", "b", 9 * DAY, limit=9 * DAY + 4 * HOUR)
TRUTH = Truth(START, END, ("a", "b", "c"), (A, B), {}, {})


def test_a_perfect_detector_finds_everything_and_nothing_is_false() -> None:
    judged = judge(TRUTH, [alarm("a", A.start + 30 * MINUTE), alarm("b", B.start + 50 * MINUTE)])
    assert judged.verdicts == (Verdict.DETECTION, Verdict.DETECTION)
    found = figures([judged], CAUSES)
    kind = found.kinds["compressor_failure"]
    assert (kind.n, kind.found, kind.recall) == (2, 2, 1.0)
    assert kind.median_detect == 40.0
    assert kind.median_lead == 150.0  # of 150 and 190 min
    assert found.false_alarms == 0
    assert found.false_per_month == 0.0


def test_a_silent_detector_finds_nothing() -> None:
    found = figures([judge(TRUTH, [])], CAUSES)
    kind = found.kinds["compressor_failure"]
    assert (kind.recall, kind.median_detect, kind.median_lead) == (0.0, None, None)
    assert found.false_alarms == 0
    assert (found.right, found.not_sure, found.left_error) == (None, None, None)


def test_an_alarm_one_minute_before_the_fault_is_false_and_no_detection() -> None:
    judged = judge(TRUTH, [alarm("a", A.start - MINUTE)])
    assert judged.verdicts == (Verdict.FALSE,)
    assert judged.found == {}


def test_an_alarm_at_the_fault_s_first_moment_counts_and_at_its_end_no_longer() -> None:
    assert judge(TRUTH, [alarm("a", A.start)]).found.keys() == {"one"}
    late = judge(TRUTH, [alarm("a", A.end)])
    assert late.found == {}
    assert late.verdicts == (Verdict.FURTHER,)


def test_what_was_known_only_after_the_fault_is_no_detection() -> None:
    late = Raised("warm", "a/temperature", A.start + HOUR, A.end + HOUR)
    assert judge(TRUTH, [late]).verdicts == (Verdict.FURTHER,)


def test_an_alarm_of_another_asset_is_false() -> None:
    assert judge(TRUTH, [alarm("c", A.start + HOUR)]).verdicts == (Verdict.FALSE,)


def test_further_alarms_of_a_found_fault_and_of_its_settling_are_not_false() -> None:
    alarms = [alarm("a", A.start + HOUR), alarm("a", A.start + 2 * HOUR, "food"), alarm("a", A.settled - MINUTE)]
    assert judge(TRUTH, alarms).verdicts == (Verdict.DETECTION, Verdict.FURTHER, Verdict.FURTHER)
    assert judge(TRUTH, [alarm("a", A.settled)]).verdicts == (Verdict.FALSE,)


def test_one_alarm_is_credited_to_one_fault_only() -> None:
    both = replace(TRUTH, faults=(A, replace(A, id="again", until=A.until + HOUR)))
    once = judge(both, [alarm("a", A.start + HOUR)])
    assert set(once.found) == {"one"}  # whose time runs out first
    twice = judge(both, [alarm("a", A.start + HOUR), alarm("a", A.start + 2 * HOUR)])
    assert set(twice.found) == {"one", "again"}


def test_a_sensor_fault_is_found_on_its_own_point_only() -> None:
    stuck = replace(A, kind="stuck_sensor", point="a/temperature")
    truth = replace(TRUTH, faults=(stuck,))
    assert judge(truth, [alarm("a", A.start + HOUR, metric="power")]).verdicts == (Verdict.FURTHER,)
    assert set(judge(truth, [alarm("a", A.start + HOUR)]).found) == {"one"}


def test_a_power_cut_is_found_on_any_of_its_assets() -> None:
    cut = replace(A, kind="power_cut", assets=frozenset({"a", "b", "board"}))
    judged = judge(replace(TRUTH, faults=(cut,)), [alarm("b", A.start + MINUTE), alarm("a", A.start + HOUR)])
    assert judged.verdicts == (Verdict.DETECTION, Verdict.FURTHER)


def test_truly_warm_food_is_no_false_alarm_and_the_air_alone_is() -> None:
    warm = replace(TRUTH, warm={"c": ((DAY, DAY + HOUR),)})
    just_after = DAY + HOUR + WARM_BEFORE - 1
    assert judge(warm, [alarm("c", DAY + MINUTE), alarm("c", just_after)]).verdicts == (Verdict.FOOD, Verdict.FOOD)
    assert judge(warm, [alarm("c", DAY - MINUTE), alarm("c", just_after + 1)]).verdicts == (Verdict.FALSE,) * 2


def test_a_unit_that_the_system_knows_to_be_out_of_use_is_suppressed_and_finds_nothing() -> None:
    told = replace(TRUTH, told={"a": ((A.start, A.end),), "c": ((DAY, 2 * DAY),)})
    judged = judge(told, [alarm("c", DAY), alarm("a", A.start + HOUR), alarm("c", 2 * DAY)])
    assert judged.verdicts == (Verdict.TOLD, Verdict.FALSE, Verdict.TOLD)
    assert judged.found == {}


def test_normal_life_is_what_is_left_besides_faults_and_told_stops_each_counted_once() -> None:
    told = replace(TRUTH, told={"a": ((A.start - HOUR, A.start + HOUR),), "c": ((END - DAY, END + DAY),)})
    # a: 10 h + 6 h settling + 1 h before; b: 16 h; c: one day.
    assert normal_time(told) == 3 * (END - START) - (17 + 16 + 24) * HOUR


def test_false_alarms_are_counted_per_asset_month_of_normal_life() -> None:
    found = figures([judge(TRUTH, [alarm("c", day * DAY) for day in range(3)])], CAUSES)
    assert found.asset_months == pytest.approx((3 * 30 * DAY - 32 * HOUR) / MONTH)
    assert found.false_per_month == pytest.approx(3 / found.asset_months)


def advised(*said: Advice) -> Judged:
    judged = judge(TRUTH, [alarm("a", A.start + HOUR), alarm("b", B.start + HOUR)])
    return replace(judged, advice=dict(zip(("one", "two"), said, strict=False)))


def test_causes_are_right_among_those_that_are_named() -> None:
    found = figures([advised(Advice("compressor", None), Advice(None, None))], CAUSES)
    assert (found.right, found.not_sure) == (1.0, 0.5)
    found = figures([advised(Advice("compressor", None), Advice("door", None))], CAUSES)
    assert (found.right, found.not_sure) == (0.5, 0.0)
    assert figures([advised(Advice(None, None), Advice(None, None))], CAUSES).right is None


def test_the_time_left_is_compared_with_what_was_truly_left() -> None:
    # Truly 120 and 180 min.
    assert figures([advised(Advice(None, 90.0), Advice(None, 180.0))], CAUSES).left_error == pytest.approx(0.125)
    assert figures([advised(Advice(None, None), Advice(None, None))], CAUSES).left_error is None
    never = replace(TRUTH, faults=(replace(A, limit_at=None), B))
    judged = replace(judge(never, [alarm("a", A.start + HOUR)]), advice={"one": Advice(None, 60.0)})
    assert figures([judged], CAUSES).left_error is None


def test_the_time_left_is_told_of_machines_that_cool_no_more_and_beside_it_of_all_faults() -> None:
    leak = replace(TRUTH, faults=(replace(A, kind="refrigerant_loss"), replace(B, kind="compressor_failure")))
    judged = judge(leak, [alarm("a", A.start + HOUR), alarm("b", B.start + HOUR)])
    causes = {"refrigerant_loss": "r", "compressor_failure": "c"}
    found = figures([replace(judged, advice={"one": Advice(None, 60.0), "two": Advice(None, 198.0)})], causes)
    assert (found.left_error, found.left_said) == (pytest.approx(0.1), 1), "of the failed compressor alone"
    assert found.left_error_all == pytest.approx((0.5 + 0.1) / 2)
    slow = figures([replace(judged, advice={"one": Advice(None, 60.0)})], causes)
    assert (slow.left_error, slow.left_said, slow.left_error_all) == (None, 0, pytest.approx(0.5))


def test_a_lead_that_never_ran_out_counts_as_at_least_the_rest_of_the_fault() -> None:
    assert kaplan_meier_median([(10.0, True), (20.0, True), (30.0, True)]) == 20.0
    assert kaplan_meier_median([(10.0, True), (20.0, False), (30.0, True)]) == 30.0
    assert kaplan_meier_median([(10.0, False), (20.0, False)]) is None
    assert kaplan_meier_median([(-5.0, True), (60.0, False), (60.0, False)]) is None
    assert kaplan_meier_median([]) is None
    unharmed = replace(TRUTH, faults=(replace(A, limit_at=None), B))
    judged = judge(unharmed, [alarm("a", A.start + HOUR), alarm("b", B.start + 5 * HOUR)])
    kind = figures([judged], CAUSES).kinds["compressor_failure"]
    assert (kind.reached, kind.median_lead) == (1, -60.0)  # found an hour too late


def test_wilson_s_interval_is_the_published_one() -> None:
    low, high = wilson(9, 10)
    assert (low, high) == (pytest.approx(0.596, abs=1e-3), pytest.approx(0.982, abs=1e-3))
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(30, 30)[1] == pytest.approx(1.0)


def test_parts_of_a_fleet_add_up_to_the_fleet() -> None:
    alarms = [alarm("a", A.start + HOUR), alarm("c", DAY), alarm("b", DAY)]
    first = judge(replace(TRUTH, assets=("a",), faults=(A,)), alarms[:1])
    second = judge(replace(TRUTH, assets=("b", "c"), faults=(B,)), alarms[1:])
    assert figures([first, second], CAUSES) == figures([judge(TRUTH, alarms)], CAUSES)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30 * 24)), max_size=20))
def test_the_order_of_alarms_does_not_matter_and_each_has_one_verdict(
    drawn: list[tuple[str, int]],
) -> None:
    alarms = [alarm(asset, hour * HOUR) for asset, hour in drawn]
    judged = judge(TRUTH, alarms)
    assert len(judged.verdicts) == len(alarms)
    assert judged.verdicts.count(Verdict.DETECTION) == len(judged.found) <= 2
    assert judge(TRUTH, alarms[::-1]) == judged
