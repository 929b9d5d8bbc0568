"""A machine against its own usual: the median of the same hour of the day over the last days."""

from datetime import datetime

import pytest

from domain.errors import InputError
from domain.times import DAY
from rules.engine import Engine
from rules.loading import load_rules
from rules.model import DerivedLimit
from rules.signals.baseline import Baseline
from tests.unit.rules.energy_stories import counted, engine_of, feed, quarters, told, when, with_extra

MONDAY = "2026-01-05"
MORE = "{baseline: {above_percent: 60, of: hour_of_day, over: 24h, deadband: 20}}"
SHORT = "{baseline: {above_percent: 60, of: hour_of_day, days: 3, over: 1h}}"


def fridge(at: datetime) -> float:
    """100 W by night, 150 W from 8 to 20 o'clock, every day of the week."""
    return 150.0 if 8 <= at.hour < 20 else 100.0


def labouring(at: datetime) -> float:
    """The same, but twice as much from the second Monday on."""
    return fridge(at) * (2.0 if at.day >= 12 else 1.0)


def test_a_machine_that_labours_is_seen_within_the_day() -> None:
    said = told(MORE, quarters(labouring, MONDAY, 8))
    assert said == [("Mon 01-12 15:00", "raise")], "8 x 100 + 7 x 150 more than the usual 3,000 Wh: 62 percent"
    assert told(MORE, counted(quarters(labouring, MONDAY, 8))) == said


def test_weekends_are_days_like_others() -> None:
    assert told(MORE, quarters(fridge, MONDAY, 20)) == []


def test_nothing_is_usual_before_the_third_day() -> None:
    early = with_extra(fridge, "2026-01-08T00:00", 24, 300)
    assert told(SHORT, quarters(early, MONDAY, 3.5)) == [("Thu 01-08 01:00", "raise")]
    assert told(SHORT, quarters(early, "2026-01-06", 2.5)) == []


def test_a_bad_day_does_not_move_the_usual() -> None:
    bad = with_extra(labouring, "2026-01-08T00:00", 24, 1000)
    said = told(MORE, quarters(bad, MONDAY, 8))
    assert said[-1] == ("Mon 01-12 15:00", "raise"), "the mean would have been 270 W, twice as much nothing unusual"


def test_hours_in_which_it_was_off_are_not_learnt() -> None:
    def holiday(at: datetime) -> float:
        return 0.0 if 7 <= at.day < 14 else fridge(at)

    assert told(MORE, quarters(holiday, "2026-01-04", 16)) == [], "on again as it was before"
    short = MORE.replace("of: hour_of_day", "of: hour_of_day, days: 5")
    assert told(short, quarters(holiday, "2026-01-04", 16)) == [], "all that is remembered is off: unknown"


def test_after_its_days_the_new_usual_is_learnt() -> None:
    said = told(MORE.replace("hour_of_day,", "hour_of_day, days: 4,"), quarters(labouring, MONDAY, 14))
    assert [kind for _, kind in said] == ["raise", "clear"]


def test_one_hour_in_twelve_may_be_unknown() -> None:
    def holed(gone: int) -> list[tuple[str, str]]:
        def drawn(at: datetime) -> float | None:
            return None if at.day == 12 and 1 <= at.hour <= gone else labouring(at)

        return told(MORE, quarters(drawn, MONDAY, 8))

    assert holed(2) == [("Mon 01-12 16:00", "raise")]
    assert holed(3) == [], "three of the 24 hours are unknown until the day is over"


def test_a_restart_anywhere_changes_nothing() -> None:
    rows = quarters(labouring, MONDAY, 9)
    whole, first, second = engine_of(MORE), engine_of(MORE), Engine("s")
    said = feed(whole, rows)
    assert said
    for cut in (len(rows) - 160, len(rows) - 131, len(rows) - 130):
        first, second = engine_of(MORE), Engine("s")
        before = feed(first, rows[:cut])
        second.restore(first.snapshot())
        assert when(said) == when(before + feed(second, rows[cut:]))
        assert second.snapshot() == whole.snapshot()


def one(condition: str) -> str:
    return f"rules:\n  - id: r\n    applies_to: {{metric: power}}\n    priority: low\n    condition: {condition}\n"


def test_it_reads_as() -> None:
    read = load_rules(one(MORE), "r.yaml").rules["r"].levels[0].condition
    assert read == DerivedLimit(Baseline(hours=24, days=14), above=60.0, deadband=20.0)
    assert Baseline(hours=24, days=14).memory > 15 * DAY


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("{baseline: {above_percent: 40, of: hour_of_day, weeks: 4}}", "weeks do not go with hour_of_day"),
        ("{baseline: {above_percent: 40, of: hour_of_week, days: 4}}", "days do not go with hour_of_week"),
        ("{baseline: {above_percent: 40, of: hour_of_day, days: 61}}", "at most 60 days are remembered"),
        ("{baseline: {above_percent: 40, of: hour_of_day, days: 2}}", "whole number >= 3"),
    ],
)
def test_it_is_refused_with_its_place(condition: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        load_rules(one(condition), "r.yaml")
    assert str(error.value).startswith("r.yaml:5:")
