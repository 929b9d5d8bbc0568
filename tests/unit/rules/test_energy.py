"""Energy against what it should be: the usual of the hour of the week, the share out of hours, the base load."""

from datetime import datetime

import numpy as np
import pytest

from domain.batch import batch_of
from domain.catalogue_file import load_catalogue
from domain.errors import InputError
from domain.readings import Quality, Reading
from domain.records import Series
from domain.times import DAY, HOUR, MINUTE
from rules.engine import Engine
from rules.loading import load_rules
from rules.matching import check_against
from rules.model import DerivedLimit
from rules.revisit import OLDEST_JUDGED
from rules.ruletest import load_tests, run_test
from rules.signals.base_load import BaseLoad
from rules.signals.baseline import Baseline
from rules.signals.metered import LATEST, day_at, hour_at
from rules.signals.out_of_hours import OutOfHours
from tests.unit.rules.energy_stories import (
    QUARTER,
    counted,
    engine_of,
    feed,
    kitchen,
    moment,
    quarters,
    site,
    told,
    when,
    with_extra,
)

MONDAY = "2026-01-05"
USUAL = "{baseline: {above_percent: 40, of: hour_of_week}}"
OUTSIDE = "{out_of_hours: {schedule: open, above_percent: 25, over: 7d}}"
BASE = "{base_load: {above: 300, over: 1d}}"
OVEN = with_extra(kitchen, "2026-01-22T20:00", 3, 1800)  # on the third Thursday, from 20 to 23 o'clock


def test_an_oven_left_on_is_more_than_usual_when_its_hour_is_complete() -> None:
    assert told(USUAL, quarters(OVEN, MONDAY, 18.5)) == [("Thu 01-22 21:00", "raise"), ("Fri 01-23 00:00", "clear")]


def test_a_weekday_of_2_kw_is_as_usual_although_sunday_had_200_w() -> None:
    assert told(USUAL, quarters(kitchen, MONDAY, 20)) == []


def test_nothing_is_usual_before_the_hour_was_seen_twice() -> None:
    early = with_extra(kitchen, "2026-01-15T20:00", 3, 1800)  # on the second Thursday
    assert told(USUAL, quarters(early, MONDAY, 12)) == []


def test_it_forgets_what_lies_further_back_than_its_weeks() -> None:
    def grown(at: datetime) -> float:
        return kitchen(at) * (1.0 if at.day <= 18 and at.month == 1 else 1.8)

    two = "{baseline: {above_percent: 40, of: hour_of_week, weeks: 2}}"
    said = told(two, quarters(grown, MONDAY, 28))
    assert said[0] == ("Mon 01-19 01:00", "raise")
    assert said[-1] == ("Mon 01-26 01:00", "clear"), (
        "29 % more than the mean of 1 and 1.8, 42 % more than that of 1, 1, 1.8"
    )
    assert len(said) == 2


def test_several_hours_are_judged_together() -> None:
    day = "{baseline: {above_percent: 40, of: hour_of_week, over: 4h}}"
    # 200 W for four hours are usual, and 280 W are 40 % more: one of 1800 W at the end of the first hour is enough.
    assert told(day, quarters(OVEN, MONDAY, 18.5)) == [("Thu 01-22 21:00", "raise"), ("Fri 01-23 03:00", "clear")]
    slight = with_extra(kitchen, "2026-01-22T20:00", 1, 250)
    assert told(day, quarters(slight, MONDAY, 18)) == [], "31 % in four hours"
    assert told(USUAL, quarters(slight, MONDAY, 18)) != []


def test_holidays_are_neither_learnt_nor_judged() -> None:
    like = "{baseline: {above_percent: 40, of: hour_of_week, like: open, weeks: 2}}"

    def closed(at: datetime) -> float:
        return 200.0 if (at.month, at.day) == (1, 26) else kitchen(at)

    plain = "{baseline: {above_percent: 40, of: hour_of_week, weeks: 2}}"
    rows = quarters(closed, MONDAY, 29)  # until the Monday after the holiday
    assert ("Mon 02-02 09:00", "raise") in told(plain, rows), "2000 W against the mean of 200 and 2000"
    assert told(like, rows) == []
    busy = with_extra(kitchen, "2026-01-26T20:00", 3, 1800)
    assert told(like, quarters(busy, MONDAY, 23)) == []
    assert told(plain, quarters(busy, MONDAY, 23)) != []


def test_a_counter_says_the_same_as_a_power() -> None:
    rows = quarters(OVEN, MONDAY, 18.5)
    assert told(USUAL, counted(rows)) == told(USUAL, rows)
    night = quarters(with_extra(kitchen, MONDAY, 400, 150), MONDAY, 16)
    assert told(BASE, counted(night)) == told(BASE, night) != []
    assert told(OUTSIDE, counted(night)) == told(OUTSIDE, night) != []


def test_a_counter_that_is_exchanged_does_not_count_as_use() -> None:
    rows = counted(quarters(kitchen, MONDAY, 18))
    cut = moment("2026-01-22T20:00", "Asia/Shanghai")
    lower = [row if row.time < cut else Reading(row.point, row.time, row.value - 900) for row in rows]
    higher = [row if row.time < cut else Reading(row.point, row.time, row.value + 5e6) for row in rows]
    assert told(USUAL, lower) == []
    assert told(USUAL, higher) == []
    engine = engine_of(USUAL, "energy")
    feed(engine, higher)
    assert engine.snapshot(), "no number is too large to be kept"


def test_a_counters_bad_reading_is_made_up_for_by_the_next() -> None:
    bad = moment("2026-01-22T21:00", "Asia/Shanghai")
    rows = counted(quarters(OVEN, MONDAY, 18.5))
    rows = [row if row.time != bad else Reading(row.point, row.time, 0.0, Quality.BAD) for row in rows]
    assert told(USUAL, rows) == [("Thu 01-22 21:15", "raise"), ("Fri 01-23 00:00", "clear")]


def test_an_hour_that_is_half_unknown_is_not_judged_and_an_alarm_stays() -> None:
    def holed(at: datetime) -> float | None:
        return None if at.day == 22 and at.hour in (21, 22) else OVEN(at)

    # The reading of 20:45 counts for three quarters, until 21:30; the next known hour is the one from 23 to 24.
    assert told(USUAL, quarters(holed, MONDAY, 18.5)) == [("Thu 01-22 21:00", "raise"), ("Fri 01-23 00:00", "clear")]

    def half_gone(at: datetime) -> float | None:
        return None if at.day == 22 and at.hour == 21 else slight(at)

    slight = with_extra(kitchen, "2026-01-22T20:45", 0.25, 200)  # 400 W in force until 21:30: half of that hour
    assert told(USUAL, quarters(half_gone, MONDAY, 18.5)) == []

    def gone(at: datetime) -> float | None:
        return None if at.day == 22 and 17 <= at.hour < 20 else OVEN(at) if at.hour == 20 else kitchen(at)

    half = "{baseline: {above_percent: 40, of: hour_of_week, over: 2h}}"
    said = told(half, quarters(gone, MONDAY, 18.5))
    assert said == [("Thu 01-22 22:00", "raise"), ("Thu 01-22 23:00", "clear")], "19 to 20 is not known at 21"


def test_where_the_usual_is_nothing_more_has_no_meaning() -> None:
    nothing = with_extra(lambda _: 0.0, "2026-01-22T20:00", 3, 1800)
    assert told(USUAL, quarters(nothing, MONDAY, 18)) == []


def test_hours_are_those_of_the_sites_clock_across_a_clock_change() -> None:
    berlin = "Europe/Berlin"  # on Sunday 2026-03-29 the clock goes forward
    rows = quarters(kitchen, "2026-03-09", 25, berlin)
    assert told(USUAL, rows, berlin) == []
    oven = with_extra(kitchen, "2026-03-31T19:00", 1, 1800)
    said = told(USUAL, quarters(oven, "2026-03-09", 25, berlin), berlin)
    assert said == [("Tue 03-31 20:00", "raise"), ("Tue 03-31 21:00", "clear")]


def test_local_hours_and_days() -> None:
    kathmandu = moment("2026-01-05T10:20", "Asia/Kathmandu")
    assert hour_at("Asia/Kathmandu", kathmandu) == (kathmandu - 20 * MINUTE, kathmandu + 40 * MINUTE)
    for day, hours in (("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25)):
        start, end = day_at("Europe/Berlin", moment(f"{day}T12:00", "Europe/Berlin"))
        assert (start, end - start) == (moment(f"{day}T00:00", "Europe/Berlin"), hours * HOUR)


def test_a_kitchen_that_rests_at_night_keeps_its_share_out_of_hours() -> None:
    # A week: 50 hours of 2 kW, 118 hours of 200 W out of hours: 19 %.
    assert told(OUTSIDE, quarters(kitchen, MONDAY, 16)) == []


def test_lights_left_on_every_night_raise_the_share_at_the_end_of_a_day() -> None:
    lit = with_extra(kitchen, "2026-01-12T18:00", 24 * 30, 150)
    said = told(OUTSIDE, quarters(lit, MONDAY, 20))
    # Each day replaces one of the week before: with Friday it is 32,900 of 138,900 Wh, with Saturday 36,500 of 142,500.
    assert said == [("Sun 01-18 00:00", "raise")]


def test_the_share_is_unknown_until_two_thirds_of_its_days_are_known() -> None:
    night = quarters(lambda _: 500.0, MONDAY, 9)
    assert told(OUTSIDE, night)[0] == ("Sat 01-10 00:00", "raise"), "the fifth of seven days is over"
    assert told(OUTSIDE, quarters(lambda _: 0.0, MONDAY, 9)) == [], "nothing used"


def test_a_schedule_that_begins_within_a_reading_cuts_it() -> None:
    def slow(at: datetime) -> float | None:
        return (1000.0 if at.hour in (7, 8) else 100.0) if at.minute == 30 else None

    condition = "{out_of_hours: {schedule: open, above_percent: 44, over: 1d}}"
    engine = engine_of(condition, more=", max_gap: 2h")
    # 1000 W from 7:30 to 9:30, half an hour of it before opening: 700 + 500 + 600 of 4,150 Wh are out of hours, 43.4 %.
    assert when(feed(engine, quarters(slow, MONDAY, 1.5))) == []
    lower = engine_of(condition.replace("44", "43"), more=", max_gap: 2h")
    assert when(feed(lower, quarters(slow, MONDAY, 1.5))) == [("Tue 01-06 00:00", "raise")]


def test_the_base_load_is_the_lowest_hour_of_a_day() -> None:
    assert told(BASE, quarters(kitchen, MONDAY, 4)) == []
    night = with_extra(kitchen, "2026-01-06T00:00", 24, 150)
    assert told(BASE, quarters(night, MONDAY, 4)) == [("Wed 01-07 00:00", "raise"), ("Thu 01-08 00:00", "clear")]
    dropout = with_extra(night, "2026-01-06T03:00", 0.25, -350)  # one reading of 0 W
    assert told(BASE, quarters(dropout, MONDAY, 4)) == [], "the hour's mean is 262 W"


def test_the_base_load_over_some_days_is_their_mean() -> None:
    night = with_extra(kitchen, "2026-01-06T00:00", 24, 250)
    rows = quarters(night, MONDAY, 6)
    assert told("{base_load: {above: 300, over: 2d}}", rows)[:1] == [("Wed 01-07 00:00", "raise")], "(200 + 450) / 2"
    assert told("{base_load: {above: 300, over: 3d}}", rows) == []


def test_a_day_with_too_few_hours_has_no_base_load() -> None:
    def holed(at: datetime) -> float | None:
        return None if at.day == 6 and at.hour < 10 else 350.0

    assert told(BASE, quarters(holed, MONDAY, 3)) == [("Tue 01-06 00:00", "raise")]
    assert told(BASE, quarters(holed, "2026-01-06", 1.5)) == [], "14 hours are no day"


@pytest.mark.parametrize(
    ("condition", "more"),
    [
        (USUAL, ""),
        (USUAL, ", mask: {when: {above: 100000}}"),
        (USUAL.replace("week", "day"), ""),
        (f"{{all: [{USUAL}, {{above: 0}}]}}", ""),
        (OUTSIDE.replace("25", "21"), ""),
        (BASE, ""),
    ],
)
def test_late_readings_are_judged_and_what_was_learnt_is_kept(condition: str, more: str) -> None:
    """A quarter of the last days comes a day late; what is said in the end is what would have been said."""
    rows = quarters(with_extra(OVEN, "2026-01-21T00:00", 48, 150), MONDAY, 20)
    truth = feed(engine_of(condition, more=more), rows)
    assert truth, "the story has something to say"
    begin = moment("2026-01-20T00:00", "Asia/Shanghai")
    late = [row for number, row in enumerate(rows) if row.time >= begin and number % 4 == 2]
    engine = engine_of(condition, more=more)
    engine.past.history = _History(rows)
    said = feed(engine, [row for row in rows if row not in late])
    for number in range(0, len(late), 30):
        now = rows[-1].time + QUARTER + number
        said += engine.feed(batch_of("s", now, late[number : number + 30], agent="a", upto=now))
        said += engine.review(now)[1]
    assert {(event.kind.value, event.at) for event in truth} <= {(event.kind.value, event.at) for event in said}
    assert engine.counters.late == len(late)
    assert engine.counters.unjudged == 0
    end = rows[-1].time + QUARTER
    oven = [Reading("meter/power", end + number * QUARTER, 5000.0) for number in range(9)]
    live = feed(engine, oven)
    assert (live != []) == ("baseline" in condition), "the usual is still known"


def test_a_restart_anywhere_changes_nothing() -> None:
    for condition in (USUAL, OUTSIDE.replace("25", "19"), BASE.replace("300", "190")):
        rows = quarters(OVEN, MONDAY, 18.5)
        whole, first, second = engine_of(condition), engine_of(condition), Engine("s")
        said = feed(whole, rows)
        cut = len(rows) - 130
        before = feed(first, rows[:cut])
        second.restore(first.snapshot())
        assert when(said) == when(before + feed(second, rows[cut:]))
        assert said
        assert second.snapshot() == whole.snapshot()


def test_a_new_rule_learns_from_the_history() -> None:
    rows = quarters(OVEN, MONDAY, 17.85)  # until 20:15 on the Thursday
    engine = engine_of("{above: 1000000}")
    feed(engine, rows)
    rule = load_rules(f"rules: [{{id: n, applies_to: {{metric: power}}, condition: {USUAL}, priority: low}}]", "r.yaml")
    engine.past.history = _History(rows)
    catalogue = load_catalogue(site("Asia/Shanghai"), "s.yaml")
    assert engine.set_rules(catalogue, rule, rows[-1].time) == []
    later = [row for row in quarters(OVEN, MONDAY, 18.5) if row.time > rows[-1].time]
    assert when(feed(engine, later)) == [("Thu 01-22 21:00", "raise"), ("Fri 01-23 00:00", "clear")]


class _History:
    """A series store with these readings."""

    def __init__(self, rows: list[Reading]) -> None:
        self.rows = rows

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        found = [row for row in self.rows if row.point == point and start <= row.time < end][:limit]
        times = np.array([row.time for row in found], np.int64)
        return Series(times, np.array([row.value for row in found]), tuple(row.quality for row in found))


def test_the_memory_reaches_back_further_by_what_late_data_may_be_old() -> None:
    assert LATEST == OLDEST_JUDGED
    assert Baseline(weeks=4).memory >= 28 * DAY > Baseline(weeks=4).lookback


READ = {
    USUAL: DerivedLimit(Baseline(weeks=4, hours=1), above=40.0),
    "{baseline: {above_percent: 40, of: hour_of_week, weeks: 6, over: 3h, like: open, deadband: 5}}": DerivedLimit(
        Baseline(weeks=6, hours=3, like="open"), above=40.0, deadband=5.0
    ),
    OUTSIDE: DerivedLimit(OutOfHours(hours="open", days=7), above=25.0),
    BASE: DerivedLimit(BaseLoad(days=1), above=300.0),
}
REFUSED = {
    "{baseline: {above_percent: 40, of: day}}": "'day' is not known here",
    "{baseline: {above_percent: -1, of: hour_of_week}}": "0 or more",
    "{baseline: {above_percent: 40, of: hour_of_week, weeks: 1}}": "whole number >= 2",
    "{baseline: {above_percent: 40, of: hour_of_week, weeks: 13}}": "at most 12 weeks",
    "{baseline: {above_percent: 40, of: hour_of_week, over: 90min}}": "whole hours, at most 24",
    "{out_of_hours: {schedule: open, above_percent: 100}}": "never more than 100",
    "{out_of_hours: {schedule: open, above_percent: 25, over: 36h}}": "whole days, at most 366",
    "{out_of_hours: {above_percent: 25}}": "'schedule' is missing",
    "{base_load: {over: 1d}}": "'above' is missing",
    "{base_load: {above: 300, over: 60d}}": "whole days, at most 31",
}


def one(condition: str, metric: str = "power") -> str:
    return f"rules:\n  - id: r\n    applies_to: {{metric: {metric}}}\n    priority: low\n    condition: {condition}\n"


@pytest.mark.parametrize("condition", READ)
def test_it_reads_as(condition: str) -> None:
    assert load_rules(one(condition), "r.yaml").rules["r"].levels[0].condition == READ[condition]


@pytest.mark.parametrize("condition", REFUSED)
def test_it_is_refused_with_its_place(condition: str) -> None:
    with pytest.raises(InputError, match=REFUSED[condition]) as error:
        load_rules(one(condition), "r.yaml")
    assert str(error.value).startswith("r.yaml:5:")


def test_the_check_finds_a_missing_schedule_and_a_point_that_is_no_energy() -> None:
    catalogue = load_catalogue(site("Asia/Shanghai"), "s.yaml")
    found = check_against(load_rules(one(OUTSIDE.replace("open", "opne")), "r.yaml"), catalogue)
    assert [finding.message for finding in found] == ["s has no schedule 'opne'"]
    found = check_against(load_rules(one(USUAL, "temperature"), "r.yaml"), catalogue)
    assert "a power or a counter" in found[0].message


def test_a_rule_test_tells_it_in_short_notation() -> None:
    test = """\
rules: r.yaml
site: s.yaml
tests:
  - name: a night that is never dark
    start: 2026-01-05T00:00:00+08:00
    interval: 15min
    series:
      - {point: meter/power, values: 200x96 350x96 200x97}
    transitions:
      - {at: 2d, rule: r, to: unacknowledged, reason: more_energy_than_it_should, priority: low}
      - {at: 3d, rule: r, to: returned-unacknowledged, reason: condition_over}
"""
    files = {"r.yaml": one(BASE), "s.yaml": site("Asia/Shanghai")}
    (case,) = load_tests(test, "t.yaml", lambda name: (name, files[name]))
    assert run_test(case) == []
