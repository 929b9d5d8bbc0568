"""Backtest: what is said about recorded readings, when it could be known, and in which order it is told."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from domain.catalogue_file import load_catalogue
from domain.times import HOUR, MINUTE, iso
from rules.backtest import as_line, backtest
from rules.loading import load_rules
from rules.model import RuleSet
from rules.readings_csv import ReadingRows, read_readings
from rules.story import stories

T0 = 1_772_352_000_000  # 2026-03-01T08:00:00Z
MIN = MINUTE


def rules(*bodies: str, applies_to: str = "{metric: t}") -> RuleSet:
    text = "rules:\n" + "".join(
        f"  - id: r{number}\n    applies_to: {applies_to}\n" + "".join(f"    {line}\n" for line in body.splitlines())
        for number, body in enumerate(bodies)
    )
    return load_rules(text, "r.yaml")


WARM = "condition: {above: 8, deadband: 0.5}\non_delay: 30min\noff_delay: 5min\npriority: high"
AT_ONCE = "condition: {above: 8}\npriority: high"
SILENT = "condition: {no_data: 15min}\npriority: low"


def rows_of(*readings: tuple[int, float] | tuple[int, float, int], point: str = "a/t") -> ReadingRows:
    """(minute, value[, minute of arrival]) in order of arrival."""
    lines = ["time,point,value,received"]
    for minute, value, *arrival in readings:
        cell = "" if value != value else str(value)
        lines.append(f"{T0 + minute * MIN},{point},{cell},{T0 + arrival[0] * MIN if arrival else ''}")
    return read_readings(["\n".join(lines).encode()], "r.csv")


def joined(first: ReadingRows, second: ReadingRows) -> ReadingRows:
    assert not set(first.points) & set(second.points)
    return ReadingRows(
        first.points + second.points,
        np.concatenate((first.point, second.point + len(first.points))).astype(np.int32),
        np.concatenate((first.time, second.time)),
        np.concatenate((first.value, second.value)),
        np.concatenate((first.quality, second.quality)),
        np.concatenate((first.received, second.received)),
    )


def told(rules: RuleSet, rows: ReadingRows, end: int | None = None) -> list[tuple[object, ...]]:
    """(from, to, reason, minute, minute of detection) of each transition."""
    return [
        (one.source.value, one.target.value, one.reason.value, (one.at - T0) / MIN, (one.detected_at - T0) / MIN)
        for one in backtest(rules, rows, end=None if end is None else T0 + end * MIN).transitions
    ]


def minutes(value: float, start: int, stop: int) -> list[tuple[int, float]]:
    return [(minute, value) for minute in range(start, stop)]


RAISED = ("normal", "unacknowledged", "above_limit")
CLEARED = ("unacknowledged", "returned-unacknowledged", "within_limit")


def test_no_readings_and_no_rules_say_nothing() -> None:
    assert backtest(rules(WARM), rows_of()).transitions == ()
    assert backtest(RuleSet(), rows_of((0, 9.0))).transitions == ()


def test_a_warm_half_hour_is_raised_when_it_is_due_and_cleared_five_minutes_after() -> None:
    rows = rows_of(*minutes(4, 0, 10), *minutes(9, 10, 50), *minutes(4, 50, 70))
    assert told(rules(WARM), rows) == [(*RAISED, 40, 40), (*CLEARED, 55, 55)]


def test_a_line_has_exactly_the_promised_keys() -> None:
    (one,) = backtest(rules(AT_ONCE), rows_of((0, 9.25))).transitions
    assert as_line(one) == {
        "rule": "r0",
        "point": "a/t",
        "from": "normal",
        "to": "unacknowledged",
        "reason": "above_limit",
        "priority": "high",
        "value": 9.25,
        "at": "2026-03-01T08:00:00.000Z",
        "detected_at": "2026-03-01T08:00:00.000Z",
        "retroactive": False,
    }


def test_a_deadline_due_exactly_at_the_end_fires_and_a_later_one_does_not() -> None:
    assert told(rules(WARM), rows_of((0, 9), (30, 9))) == [(*RAISED, 30, 30)]
    assert told(rules(WARM), rows_of((0, 9), (29, 9))) == []
    assert told(rules(WARM), rows_of((0, 9)), end=30) == [(*RAISED, 30, 30)]
    assert told(rules(WARM), rows_of((0, 9)), end=29) == []


def test_a_value_in_order_at_the_very_moment_it_is_due_raises_nothing() -> None:
    assert told(rules(WARM), rows_of((0, 9), (30, 4), (60, 4))) == []


def test_one_points_story_goes_on_to_the_end_of_the_whole_file() -> None:
    rows = joined(rows_of((0, 9)), rows_of((0, 4), (45, 4), point="b/t"))
    assert told(rules(WARM), rows) == [(*RAISED, 30, 30)]


def test_the_clock_runs_between_rows_so_that_data_in_order_is_never_retroactive() -> None:
    found = backtest(rules(WARM), rows_of((0, 9), (100, 9))).transitions
    assert [(one.at, one.detected_at, one.retroactive) for one in found] == [(T0 + 30 * MIN, T0 + 30 * MIN, False)]


def test_a_backlog_is_judged_in_its_order_and_known_when_it_arrived() -> None:
    backlog = [(minute, value, 120) for minute, value in minutes(9, 10, 60)]
    rows = rows_of((0, 4, 0), *backlog, (119, 4, 120), (121, 4, 121), (125, 4, 125))
    found = backtest(rules(WARM), rows).transitions
    assert [(one.at - T0) // MIN for one in found] == [40, 124]
    assert [(one.detected_at - T0) // MIN for one in found] == [120, 124]
    assert [one.retroactive for one in found] == [True, False]


def test_a_file_sorted_by_point_says_the_same_as_one_sorted_by_time() -> None:
    first, second = rows_of(*minutes(9, 0, 60)), rows_of(*minutes(9, 5, 45), *minutes(4, 45, 60), point="b/t")
    grouped = joined(first, second)
    order = np.argsort(grouped.time, kind="stable")
    mixed = replace(
        grouped, point=grouped.point[order], time=grouped.time[order], value=grouped.value[order],
        quality=grouped.quality[order], received=grouped.received[order],
    )  # fmt: skip
    assert backtest(rules(WARM, SILENT), grouped) == backtest(rules(WARM, SILENT), mixed)
    assert len(backtest(rules(WARM), grouped).transitions) == 3


def test_late_readings_that_arrive_together_find_the_excursion_that_nobody_saw() -> None:
    late = [(minute, 9, 200) for minute in range(10, 60, 10)]
    rows = rows_of((0, 4, 0), (100, 4, 100), (199, 4, 199), *late, (60, 4, 200), (201, 4, 201))
    found = backtest(rules(WARM), rows).transitions
    assert [(one.at - T0) // MIN for one in found] == [40, 65]
    assert {one.detected_at for one in found} == {T0 + 200 * MIN}
    assert all(one.retroactive for one in found)


def test_late_readings_older_than_a_week_are_counted_and_not_judged() -> None:
    rows = rows_of((0, 4), (1, 4), (15_000, 4), (10, 9), (50, 9))
    outcome = backtest(rules(AT_ONCE), rows)
    assert (outcome.transitions, outcome.unjudged) == ((), 2)


def test_late_readings_reach_back_beyond_what_the_engine_keeps_at_hand() -> None:
    """Two days of minutes are more than its ring: the rest comes from the story itself."""
    live = [(minute, 4.0) for minute in range(3000) if not 10 <= minute <= 60]
    rows = rows_of(*live, *((minute, 9.0) for minute in range(10, 61)))
    outcome = backtest(rules(WARM), rows)
    assert [(one.at - T0) // MIN for one in outcome.transitions] == [40, 66]
    assert outcome.unjudged == 0


def test_bad_readings_are_unknown_time() -> None:
    nothing = float("nan")
    rows = rows_of(*minutes(9, 0, 20), *minutes(nothing, 20, 30), *minutes(9, 30, 60))
    assert told(rules(WARM), rows) == [(*RAISED, 40, 40)]


def test_silence_is_judged_by_arrival_between_the_rows() -> None:
    rows = rows_of((0, 4), (10, 4), (60, 4), (70, 4))
    assert told(rules(SILENT), rows) == [
        ("normal", "unacknowledged", "no_data", 25, 25),
        ("unacknowledged", "returned-unacknowledged", "data_returned", 60, 60),
    ]


def test_silence_at_the_end_is_told_up_to_and_including_the_end() -> None:
    other = rows_of((0, 4), (5, 4), (10, 4), (15, 4), point="b/t")
    assert told(rules(SILENT), joined(rows_of((0, 4)), other)) == [("normal", "unacknowledged", "no_data", 15, 15)]
    assert told(rules(SILENT), rows_of((0, 4)), end=14) == []


def test_a_backlog_is_not_life() -> None:
    backlog = [(minute, 4, 60) for minute in range(5, 40, 5)]
    rows = rows_of((0, 4, 0), *backlog, (61, 4, 61))
    found = told(rules(SILENT), rows)
    assert [one[2:4] for one in found] == [("no_data", 15), ("data_returned", 61)]


def test_a_point_that_begins_with_a_backlog_is_watched_from_its_first_arrival() -> None:
    rows = rows_of((0, 4, 100), (1, 4, 101), (200, 4, 200))
    assert [one[2:4] for one in told(rules(SILENT), rows)] == [("no_data", 115), ("data_returned", 200)]


def test_levels_of_silence() -> None:
    two = "levels:\n  - {no_data: 10min, priority: low}\n  - {no_data: 30min, priority: high}"
    rows = rows_of((0, 4), (5, 4), (45, 4), (50, 4))
    assert [one[2:4] for one in told(rules(two), rows)] == [("no_data", 15), ("stepped_up", 35), ("data_returned", 45)]


SITE = """\
site: {id: s}
areas: [{id: k}]
assets:
  - {id: a, type: freezer, area: k, points: {temperature: {interval: 60s}, status: {states: {off: 0, fault: 2}}}}
"""


def test_with_a_site_types_states_and_intervals_are_known() -> None:
    catalogue = load_catalogue(SITE, "s.yaml")
    freezer = rules(WARM, applies_to="{asset_type: freezer, metric: temperature}")
    gap = rows_of(*minutes(9, 0, 10), *minutes(9, 60, 120), point="a/temperature")
    # 10 to 59 is unknown beyond three intervals: 9 + 3 known minutes before, 18 more after.
    assert [(one.at - T0) // MIN for one in backtest(freezer, gap, catalogue).transitions] == [78]
    fault = rules("condition: {state: fault}\npriority: high", applies_to="{metric: status}")
    broken = rows_of((0, 0), (1, 2), (2, 0), point="a/status")
    assert [one.reason.value for one in backtest(fault, broken, catalogue).transitions] == [
        "state_entered",
        "state_left",
    ]
    assert backtest(fault, broken).transitions == (), "without a site nobody knows what fault is"


@pytest.mark.parametrize(("commissioned", "first"), [("", "unacknowledged"), ("2026-03-01T09:00:00Z", "acknowledged")])
def test_only_what_came_before_a_stated_commissioning_needs_no_answer(commissioned: str, first: str) -> None:
    text = SITE.replace("{id: s}", f"{{id: s, commissioned_at: '{commissioned}'}}") if commissioned else SITE
    rows = rows_of((0, 9), (1, 4), (61, 9), point="a/temperature")
    found = backtest(
        rules(AT_ONCE, applies_to="{metric: temperature}"), rows, load_catalogue(text, "s.yaml")
    ).transitions
    assert found[0].target.value == first
    assert found[-1].target.value == "unacknowledged"


def test_points_that_the_site_does_not_know_are_not_judged() -> None:
    rows = rows_of((0, 99), point="stranger/temperature")
    everything = rules(AT_ONCE, SILENT, applies_to="{metric: temperature}")
    assert backtest(everything, rows, load_catalogue(SITE, "s.yaml")).transitions == ()
    assert len(backtest(everything, rows).transitions) == 1


def test_transitions_are_told_in_order_of_detection() -> None:
    first = rows_of((0, 9, 90), (1, 4, 90))
    second = rows_of((10, 9), (20, 4), point="b/t")
    found = backtest(rules(AT_ONCE), joined(first, second)).transitions
    assert [one.key.point for one in found] == ["b/t", "b/t", "a/t", "a/t"]
    assert all(one.detected_at <= two.detected_at for one, two in pairwise(found))


def test_a_duplicate_changes_nothing_and_a_collision_is_kept_beside() -> None:
    rows = rows_of((0, 9), (0, 9), (10, 9), (10, 4), (11, 4))
    assert [one[3] for one in told(rules(AT_ONCE), rows)] == [0, 10 + 1 / MIN]


def test_when_something_could_be_known() -> None:
    (story,) = stories(rows_of((0, 1, 0), (10, 1, 50), (20, 1, 50), (5, 1, 60), (30, 1, 55)))
    assert story.late.tolist() == [False, False, False, True, False]
    assert [(story.known_at(T0 + at * MIN) - T0) // MIN for at in (0, 9, 10, 25, 30)] == [0, 0, 50, 50, 60]
    assert story.known_at(T0 - 1) == T0 - 1


def test_stretches_cut_the_story_where_late_readings_stand() -> None:
    (story,) = stories(rows_of((0, 1), (10, 1), (5, 1, 11), (6, 1, 11), (7, 1, 12), (20, 1), (20, 1)))
    found = [(stretch.rows.tolist(), stretch.late, (stretch.upto - T0) // MIN) for stretch in story.stretches()]
    assert found == [([0, 1], False, 10), ([2, 3], True, 10), ([4], True, 10), ([5, 6], False, 20)]


def test_a_year_at_one_minute_is_judged_in_one_go() -> None:
    count = 365 * 24 * 60
    times = np.datetime_as_string((T0 + np.arange(count) * MIN).astype("datetime64[ms]"), unit="s")
    values = np.where(np.arange(count) % 20_000 < 60, "11.2", "4.25")
    lines = np.char.add(np.char.add(times, "Z,a/t,"), values)
    data = ("time,point,value\n" + "\n".join(lines.tolist()) + "\n").encode()
    rows = read_readings([data], "r.csv")
    found = backtest(rules(WARM, SILENT), rows).transitions
    assert len(rows) == count
    assert len(found) == 2 * 27
    assert iso(found[0].at) == iso(T0 + HOUR // 2)
