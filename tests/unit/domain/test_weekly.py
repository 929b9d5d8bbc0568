"""The moment of the week at which a list is due, in the site's own time, also where the clock changes."""

from datetime import UTC, datetime

import pytest

from domain.times import DAY, HOUR, MINUTE, to_ms
from domain.weekly import Weekly, parse_weekly

MONDAY_EIGHT = Weekly(0, 8, 0)


def utc(text: str) -> int:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("monday 08:00", MONDAY_EIGHT),
        (" Mon 8:00 ", MONDAY_EIGHT),
        ("su 23:59", Weekly(6, 23, 59)),
        ("thursday 00:05", Weekly(3, 0, 5)),
    ],
)
def test_a_weekday_and_a_time_of_day(text: str, read: Weekly) -> None:
    assert parse_weekly(text) == read


@pytest.mark.parametrize(
    "text", ["", "monday", "08:00", "t 08:00", "noday 08:00", "monday 24:00", "monday 8:60", "monday 8"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="monday 08:00"):
        parse_weekly(text)


def test_the_newest_moment_is_of_this_week_or_of_the_last() -> None:
    due = utc("2026-11-23T00:00")  # Monday 08:00 in Shanghai
    for now in (due, due + 1, due + 7 * DAY - 1):
        assert MONDAY_EIGHT.last(now, "Asia/Shanghai") == due
    assert MONDAY_EIGHT.last(due - 1, "Asia/Shanghai") == due - 7 * DAY
    assert MONDAY_EIGHT.last(due + 7 * DAY, "Asia/Shanghai") == due + 7 * DAY


def test_it_stays_at_eight_by_the_wall_when_the_clock_changes() -> None:
    winter, summer = utc("2026-03-23T07:00"), utc("2026-03-30T06:00")  # Berlin: the clock goes forward on the 29th
    assert MONDAY_EIGHT.last(summer - 1, "Europe/Berlin") == winter
    assert MONDAY_EIGHT.last(summer, "Europe/Berlin") == summer
    assert summer - winter == 7 * DAY - HOUR


def test_a_moment_that_the_clock_skips_or_repeats_comes_once() -> None:
    skipped = Weekly(6, 2, 30)  # Sunday 02:30, which the 29th of March does not have in Berlin
    found = {skipped.last(utc("2026-03-27T00:00") + hour * HOUR, "Europe/Berlin") for hour in range(96)}
    assert len(found) == 2
    autumn = {skipped.last(utc("2026-10-24T00:00") + step * 10 * MINUTE, "Europe/Berlin") for step in range(48 * 6)}
    assert len(autumn) == 2
