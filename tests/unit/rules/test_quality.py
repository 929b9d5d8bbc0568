"""The figures of alarm quality, each from a log small enough to count by hand."""

from dataclasses import replace

import pytest

from domain.alarms import AlarmKey, Nuisance, Priority
from domain.episodes import Episode
from domain.times import DAY, HOUR, MINUTE, SECOND
from rules.quality import Flood, Quality, lapsed, of_rules, quality

WARM = AlarmKey("warm", "fridge-1/temperature")
DOOR = AlarmKey("door", "fridge-1/door")


def stood(
    raised: int,
    cleared: int | None = None,
    *,
    key: AlarmKey = WARM,
    priority: Priority = Priority.HIGH,
    known: int | None = None,
    answered: int | None = None,
    owed: bool = True,
    hidden: bool = False,
) -> Episode:
    return Episode(
        key, raised, raised if known is None else known, cleared, priority, 0, owed, hidden, False, answered, ""
    )


def figures(*log: Episode, end: int = HOUR, operators: int = 1, respond: dict[str, int] | None = None) -> Quality:
    return quality(log, 0, end, respond or {}, operators)


def test_of_nothing_every_figure_is_nothing() -> None:
    none = figures()
    assert (none.annunciated, none.per_hour, none.worst_share, none.median_answer) == (0, 0.0, 0.0, None)
    assert (none.floods, none.busy_periods, set(none.priorities.values())) == ((), 0.0, {0.0})


@pytest.mark.parametrize(("end", "operators"), [(0, 1), (HOUR, 0)])
def test_an_empty_span_or_nobody_is_refused(end: int, operators: int) -> None:
    with pytest.raises(ValueError, match="operator"):
        figures(end=end, operators=operators)


def test_the_rate_is_per_hour_and_per_person() -> None:
    log = [stood(minute * MINUTE) for minute in range(12)]
    assert figures(*log, end=2 * HOUR).per_hour == 6.0
    assert figures(*log, end=2 * HOUR, operators=2).per_hour == 3.0


def test_only_what_people_were_told_of_counts() -> None:
    log = [stood(1), stood(2, owed=False), stood(3, hidden=True), stood(4, known=HOUR), stood(-5, known=5)]
    found = figures(*log)
    assert (found.annunciated, found.hidden) == (2, 1)


def test_the_beginning_is_in_the_span_and_the_end_is_not() -> None:
    assert figures(stood(0), stood(HOUR)).annunciated == 1


def test_periods_with_more_than_ten() -> None:
    log = [stood(second * SECOND) for second in range(11)] + [stood(10 * MINUTE + second) for second in range(10)]
    found = figures(*log)
    assert (found.busiest_period, found.busy_periods) == (11, 1 / 6)


def test_a_flood_begins_above_ten_and_ends_below_five() -> None:
    counts = [10, 11, 5, 4, 11]
    log = [stood(period * 10 * MINUTE + place) for period, count in enumerate(counts) for place in range(count)]
    found = figures(*log)
    assert found.floods == (Flood(10 * MINUTE, 30 * MINUTE, 16), Flood(40 * MINUTE, 50 * MINUTE, 11))
    assert found.in_flood == 0.5


def test_a_flood_that_lasts_ends_with_the_span() -> None:
    log = [stood(place) for place in range(11)]
    assert figures(*log, end=5 * MINUTE).floods == (Flood(0, 5 * MINUTE, 11),)


def test_the_worst_alarms_first_with_their_share() -> None:
    log = [stood(place * MINUTE, place * MINUTE + HOUR) for place in range(3)] + [stood(7, key=DOOR)]
    found = figures(*log)
    assert [(one.key, one.count, one.share) for one in found.bad_actors] == [(WARM, 3, 0.75), (DOOR, 1, 0.25)]
    assert found.bad_actors[0].active == 3 * HOUR
    assert found.worst_share == 1.0


def test_the_share_of_the_worst_is_that_of_ten_alarms() -> None:
    log = [stood(place, key=AlarmKey(f"r{place}", "a/t")) for place in range(20)]
    assert figures(*log).worst_share == 0.5


def test_three_raises_within_a_minute_chatter() -> None:
    together = [stood(second * SECOND, second * SECOND + 5) for second in (0, 30, 60)]
    apart = [stood(second * SECOND, second * SECOND + 5, key=DOOR) for second in (0, 30, 61)]
    found = figures(*together, *apart)
    assert found.chattering == (WARM,)
    assert next(one for one in found.bad_actors if one.key == WARM).chattering == 1


def test_what_lasts_less_than_a_minute_is_fleeting() -> None:
    assert figures(stood(0, MINUTE - 1), stood(MINUTE, 2 * MINUTE), stood(HOUR - 1)).fleeting == 1


def test_active_for_more_than_a_day_is_stale_wherever_in_the_span_it_was() -> None:
    log = [
        stood(0, DAY), stood(0, DAY + 1), stood(10 * DAY), stood(-3 * DAY, 1), stood(-3 * DAY, 0), stood(0, hidden=True)
    ]  # fmt: skip
    stale = figures(*log, end=11 * DAY + 1).stale
    assert [(one.raised_at, one.cleared_at) for one in stale] == [(0, DAY + 1), (10 * DAY, None), (-3 * DAY, 1)]


def test_shares_of_the_priorities() -> None:
    log = [stood(1), stood(2), stood(3), stood(4, priority=Priority.LOW)]
    shares = figures(*log).priorities
    assert (shares[Priority.HIGH], shares[Priority.LOW], shares[Priority.URGENT]) == (0.75, 0.25, 0.0)


def test_answers_count_from_when_it_was_known() -> None:
    log = [stood(0, known=5, answered=15), stood(1, answered=4), stood(2, answered=99), stood(3)]
    found = figures(*log)
    assert (found.answered, found.median_answer) == (3, 10)


def test_what_was_over_before_anybody_could_act_has_lapsed() -> None:
    respond = {"warm": 30 * MINUTE}
    assert lapsed(stood(0, 29 * MINUTE), respond)
    assert not lapsed(stood(0, 30 * MINUTE), respond)
    assert not lapsed(stood(0), respond)
    assert not lapsed(stood(0, 20 * MINUTE, answered=10 * MINUTE), respond)
    assert lapsed(stood(0, 20 * MINUTE, answered=25 * MINUTE), respond)
    assert lapsed(stood(0, 10 * MINUTE - 1, key=DOOR), respond)
    assert not lapsed(stood(0, 10 * MINUTE, key=DOOR), respond)
    assert figures(stood(0, MINUTE), respond=respond).lapsed == 1


def test_what_people_marked_is_counted_by_what_it_was() -> None:
    marked = [replace(stood(at), nuisance=kind) for at, kind in enumerate((Nuisance.LOADING, Nuisance.LOADING, None))]
    found = figures(*marked, replace(stood(9, hidden=True), nuisance=Nuisance.CLEANING))
    assert (dict(found.nuisance), found.bad_actors[0].nuisance) == ({Nuisance.LOADING: 2}, 2)


def test_the_part_of_one_role() -> None:
    assert of_rules([stood(1), stood(2, key=DOOR)], {"door"}) == [stood(2, key=DOOR)]
