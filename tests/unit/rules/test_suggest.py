"""The smallest change of delays that removes noise and hides nothing; none where the delay is not the cause."""

from domain.alarms import AlarmKey
from rules.compare import Loss, Mark
from rules.suggest import suggest
from tests.unit.rules.test_compare import MINUTE, POINT, T0, rule, rules, warm_from

KEY = AlarmKey("warm", POINT)


def test_short_visits_are_cured_by_a_longer_delay() -> None:
    found = suggest(KEY, rules(rule()), warm_from((10, 17), (50, 57), (100, 160)), None)
    assert found is not None
    assert (found.change, found.effect.count(Loss.NUISANCE), found.effect.count(Loss.REAL)) == ("on_delay 10min", 2, 0)
    assert found.rule.levels[0].on_delay == 10 * MINUTE


def test_the_change_that_removes_more_wins_over_the_smaller_one() -> None:
    found = suggest(KEY, rules(rule()), warm_from((10, 17), (50, 65), (100, 160)), None)
    assert found is not None
    assert (found.change, found.effect.count(Loss.NUISANCE)) == ("on_delay 20min", 2)


def test_nothing_is_proposed_that_would_hide_something_real() -> None:
    # Half an hour out of limit is real (20 minutes to respond), and the delay that ends the short ones keeps it.
    found = suggest(KEY, rules(rule()), warm_from((10, 17), (100, 135)), None)
    assert found is not None
    assert found.effect.count(Loss.REAL) == 0
    assert found.change in ("on_delay 10min", "on_delay 20min", "on_delay 30min")
    assert suggest(KEY, rules(rule(respond=1)), warm_from((10, 17), (100, 135)), None) is None


def test_where_all_is_quiet_there_is_nothing_to_propose() -> None:
    assert suggest(KEY, rules(rule()), warm_from(), None) is None
    assert suggest(KEY, rules(rule("other")), warm_from((10, 17)), None) is None


def test_marks_of_people_make_long_alarms_nuisances() -> None:
    rows = warm_from((10, 40), (100, 250))
    assert suggest(KEY, rules(rule()), rows, None) is None
    found = suggest(KEY, rules(rule()), rows, None, [Mark("warm", POINT, T0 + 20 * MINUTE)])
    assert found is not None
    assert found.change == "on_delay 45min"


def test_an_alarm_that_dances_on_its_limit_is_cured_without_delaying_any_raise() -> None:
    found = suggest(KEY, rules(rule(on=0)), warm_from(*((at, at) for at in range(10, 60, 2))), None)
    assert found is not None
    assert (found.change, found.effect.merged, found.effect.later) == ("off_delay 5min", 24, 0)
