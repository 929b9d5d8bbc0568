"""What each condition on a derived series says of small stories, minute by minute."""

import pytest

from tests.unit.rules.signal_stories import lived, told

CUMULATIVE = "{cumulative: {above: 8, longer_than: 10min, in: 60min}}"
STUCK = "{stuck: {for: 20min}}"
COOLING = "{cooling: {from: 60, stages: [{to: 21, within: 20min}, {to: 8, within: 40min}]}}"
REHEATING = "{reheating: {to: 70, within: 20min}}"
RATE = "{rate: {above: 6, per: 1h, over: 15min}}"
DUTY = "{duty: {on_above: 20, over: 30min, above: 0.8}}"
UNREADABLE = "{unreadable: {over: 30min}}"
SHORT = "{short_cycles: {on_above: 20, shorter_than: 3min, count: 3, in: 30min}}"
GAP = ", max_gap: 3min"


def test_minutes_out_of_limit_add_up_across_pauses() -> None:
    said = told(CUMULATIVE, "9x4 5x10 9x4 5x10 9x10")
    assert said == [(30, "raise", "out_of_limit_too_long")], "4 + 4 + 2 minutes"


def test_minutes_that_left_the_window_count_no_more() -> None:
    said = told(CUMULATIVE, "9x6 5x58 9x6 5x10")
    assert said == [], "the first six are gone when the next six come"


def test_the_sum_falls_below_its_mark_when_the_window_moves_on() -> None:
    said = told(CUMULATIVE, "9x12 5x60")
    assert said == [
        (10, "raise", "out_of_limit_too_long"),
        (pytest.approx(62, abs=0.001), "clear", "condition_over"),
    ], "12 minutes until 60, one less each minute, 10 at 62 and less from then on"


def test_two_levels_of_one_sum_step_up() -> None:
    levels = (
        "levels: [{cumulative: {above: 8, longer_than: 5min, in: 1h}, priority: medium},"
        " {cumulative: {above: 8, longer_than: 15min, in: 1h}, priority: urgent}]"
    )
    assert [entry[:2] for entry in lived(levels, "9x30")] == [(5, "raise"), (15, "step_up")]


def test_unknown_minutes_count_as_neither() -> None:
    said = told(CUMULATIVE, "9x5 _x20 9x10", more=GAP)
    assert said == [(28, "raise", "out_of_limit_too_long")], "4 + 3 minutes of the gap rule, then 3 more"
    assert told(CUMULATIVE, "9x5 !x20 9x10", more=GAP) == [(30, "raise", "out_of_limit_too_long")], "5 and 5"


def test_an_alarm_is_not_cleared_by_hours_that_nobody_saw() -> None:
    said = told(CUMULATIVE, "9x12", more=GAP, until=600)
    assert [entry[1] for entry in said] == ["raise"]
    said = told(CUMULATIVE, "9x12 _x90 5", more=GAP)
    assert [entry[:2] for entry in said] == [(10, "raise"), (102, "clear")], "known again: the window holds nothing"


def test_minutes_below_a_limit_are_counted_too() -> None:
    said = told("{cumulative: {below: 60, longer_than: 5min, in: 1h}}", "63x3 55x10")
    assert [entry[:2] for entry in said] == [(8, "raise")]


def test_a_value_that_stands_still_is_stuck() -> None:
    assert told(STUCK, "4 4.1 4x30") == [(22, "raise", "stuck")], "20 minutes after it moved last"
    assert told(STUCK, "4 4.1 4x30 4.2 4.3") == [(22, "raise", "stuck"), (32, "clear", "condition_over")]


def test_a_value_that_moves_is_not_stuck() -> None:
    assert told(STUCK, " ".join(["4x10 4.1"] * 10)) == []


def test_how_long_it_stood_before_the_first_reading_is_unknown() -> None:
    assert told(STUCK, "4x21") == [(20, "raise", "stuck")]
    assert told(STUCK, "4x20") == []


def test_a_tremble_within_its_tolerance_is_still_stuck() -> None:
    trembling = " ".join(["4 4.1 4.05"] * 10)
    assert told(STUCK, trembling) == []
    assert told("{stuck: {for: 20min, within: 0.1}}", trembling) == [(20, "raise", "stuck")]


def test_a_slow_drift_is_not_stuck_although_each_step_is_small() -> None:
    assert told("{stuck: {for: 20min, within: 0.1}}", "4+0.02x60") == []


def test_few_readings_prove_nothing_and_a_hole_begins_anew() -> None:
    assert told(STUCK, "4 _x9 4 _x9 4 _x9 4 _x3") == [], "four readings in half an hour may agree by chance"
    assert told(STUCK, "4.1 4x15 _x10 4x10", more=GAP) == []
    assert told(STUCK, "4.1 4x15 _x10 4x25", more=GAP) == [(46, "raise", "stuck")]
    assert told(STUCK, "4.1 4x5 ! 4x5 !85 4x15", more=GAP) == [(21, "raise", "stuck")], "bad readings are left out"


def test_a_short_hole_is_bridged_when_the_value_is_the_same_afterwards() -> None:
    long = "{stuck: {for: 80min}}"  # an eighth of it: 10 minutes
    assert told(long, "4.1 4x40 _x9 4x40", more=GAP) == [(81, "raise", "stuck")]
    assert told(long, "4.1 4x40 _x9 4.1x40", more=GAP) == [], "it moved meanwhile"
    assert told(long, "4.1 4x40 _x10 4x80", more=GAP) == [], "too long a hole begins anew"
    assert told(long, "4.1 4x75 _x9 4x40", more=GAP) == [(85, "raise", "stuck")], "nothing is said in the hole"


def test_food_that_cools_in_time_is_in_order() -> None:
    assert told(COOLING, "75x3 58-2x19 21-1x14 7x30") == []


def test_a_stage_that_is_missed_raises_at_its_time_and_ends_when_it_is_cold() -> None:
    said = told(COOLING, "75x3 58-1x60")
    assert said == [(23, "raise", "not_reached_in_time"), (53, "clear", "condition_over")], "8 °C at minute 53"


def test_the_second_stage_counts_from_the_same_start() -> None:
    said = told(COOLING, "75 58 40 20 19-0.1x80")
    assert said == [(41, "raise", "not_reached_in_time")]


def test_a_temperature_reached_at_the_very_moment_is_in_time() -> None:
    assert told(COOLING, "75 59x20 21 7x10") == []
    assert told(COOLING, "75 59x20 21.1 7x10") == [
        (21, "raise", "not_reached_in_time"),
        (22, "clear", "condition_over"),
    ]


def test_what_never_was_hot_does_not_cool() -> None:
    assert told(COOLING, "20x120") == []
    assert told(COOLING, "5 20x120") == []


def test_food_ages_in_unknown_time_too() -> None:
    said = told(COOLING, "75 59x5 _x30 40x5", more=GAP)
    assert said == [(36, "raise", "not_reached_in_time")], "at the first reading that shows it"
    assert told(COOLING, "75 59x5 _x30 20x3 7x5", more=GAP) == [], "who knows when it was reached"


def test_reheating_is_watched_from_when_it_rises_out_of_cold() -> None:
    assert told(REHEATING, "5x5 10+5x13 70x5") == []
    said = told(REHEATING, "5x5 10+2x40")
    assert said == [(25, "raise", "not_reached_in_time"), (35, "clear", "condition_over")]
    assert told(REHEATING, "20x60") == [], "nobody knows where it came from"


def test_a_slope_that_is_too_steep() -> None:
    said = told(RATE, "4x20 4+0.2x30 9.8x30")
    assert [entry[1:] for entry in said] == [("raise", "changing_fast"), ("clear", "condition_over")]
    assert 20 < said[0][0] < 30
    assert told(RATE, "4+0.05x120") == [], "3 degrees an hour"


def test_one_noisy_reading_is_no_slope() -> None:
    assert told(RATE, "4x20 5 4x20") == []


def test_a_fall_is_a_slope_below() -> None:
    said = told("{rate: {below: -6, per: 1h, over: 10min}}", "60-0.5x20")
    assert said == [(7, "raise", "changing_fast")], "two thirds of the window must be seen"


def test_a_slope_needs_readings_without_a_hole() -> None:
    assert told(RATE, "4+1x5 _x10 9+1x5 _x10 4+1x5", more=GAP) == []
    assert told(RATE, "4 _x14 40") == [], "two readings are no line"


def test_a_slope_is_not_believed_for_ever() -> None:
    said = told("{rate: {below: -6, per: 1h, over: 10min}}", "60-0.5x20", until=600, more=", off_delay: 1min")
    assert [entry[1] for entry in said] == ["raise"], "unknown, not over"


def test_a_compressor_that_runs_nearly_all_the_time() -> None:
    assert told(DUTY, " ".join(["100x12 0x12"] * 6)) == []
    said = told(DUTY, " ".join(["100x12 0x12"] * 3) + " 100x40 0x30")
    assert [entry[1:] for entry in said] == [("raise", "duty_beyond_limit"), ("clear", "condition_over")]
    assert said[0][0] == 97, "25 of 30 minutes: 24 are not more than 0.8"


def test_a_duty_needs_two_thirds_of_its_window() -> None:
    assert told(DUTY, "100x20") == []
    assert [entry[0] for entry in told(DUTY, "100x22")] == [20]


def test_the_mean_power_over_a_quarter_of_an_hour() -> None:
    demand = "{mean: {above: 1000, over: 15min}}"
    assert told(demand, "500x20 5000 500x20") == [], "one minute of 5 kW is 800 W on average"
    said = told(demand, "500x20 5000x2 500x40")
    assert [entry[1:] for entry in said] == [("raise", "above_limit"), ("clear", "within_limit")]
    assert said[0][0] == 22


def test_a_probe_that_answers_with_errors_is_unreadable_although_something_arrives() -> None:
    assert told(UNREADABLE, "4x30 !x15 4x30") == [], "15 of 30 minutes are not more than half"
    said = told(UNREADABLE, "4x30 !85x20 4x30")
    assert [entry[1:] for entry in said] == [("raise", "unreadable"), ("clear", "condition_over")]
    assert said[0][0] == pytest.approx(45, abs=1.5), "judged 24 times a window"


def test_a_good_reading_now_and_then_does_not_make_a_probe_readable() -> None:
    assert [entry[1:] for entry in told(UNREADABLE, "4x30 " + "! !85 ! 4 " * 10)] == [("raise", "unreadable")]
    assert told(UNREADABLE, "4x9 ! " * 20) == [], "single errors are life"


def test_a_probe_that_never_worked_is_found_too() -> None:
    assert [entry[1:] for entry in told(UNREADABLE, "!x40")] == [("raise", "unreadable")]


def test_silence_is_not_unreadable_and_clears_nothing() -> None:
    assert told(UNREADABLE, "4x30 ! _x60 4", more=GAP) == []
    said = told(UNREADABLE, "4x30 !x20", more=GAP, until=600)
    assert [entry[1] for entry in said] == ["raise"], "who fell silent after errors is not well again"


def test_runs_that_are_too_short() -> None:
    said = told(SHORT, "0x5 100x2 0x5 100x2 0x5 100x2 0x60")
    assert said[0] == (21, "raise", "short_cycles"), "the third one ends"
    assert said[1] == (7 + 30, "clear", "condition_over"), "the first one leaves the half hour"
    assert told(SHORT, "0x5 " + " ".join(["100x12 0x12"] * 6)) == []


def test_a_run_whose_length_nobody_knows_does_not_count() -> None:
    assert told(SHORT, "100x2 0x5 100x2 0x5 100x2 0x5") == [], "the first was under way"
    assert told(SHORT, "0 100x2 0 100x2 0 100 _x5 0x5 100", more=GAP) == []
