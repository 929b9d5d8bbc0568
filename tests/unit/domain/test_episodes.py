"""Episodes: one per raise, with its end, its height, whether people were told, and when they answered."""

from collections.abc import Sequence
from dataclasses import replace

from domain.alarms import AlarmKey, AlarmState, EventKind, Nuisance, Priority, Reason, Transition
from domain.episodes import Episode, episodes
from domain.times import MINUTE

WARM = AlarmKey("warm", "fridge-1/temperature")
COLD = AlarmKey("cold", "fridge-1/temperature")
E = EventKind


def logged(
    event: EventKind,
    at: int,
    *,
    key: AlarmKey = WARM,
    known: int | None = None,
    priority: Priority = Priority.HIGH,
    level: int = 0,
    owed: bool = True,
    by: str = "",
) -> Transition:
    """One row of the log at that minute; the states do not matter to episodes."""
    return Transition(
        "school", key, event, AlarmState.NORMAL, AlarmState.NORMAL, Reason.ABOVE_LIMIT, priority, level, 9.0,
        at * MINUTE, (at if known is None else known) * MINUTE, False, owed, by,
    )  # fmt: skip


def spans(log: Sequence[Transition]) -> list[tuple[float, float | None]]:
    return [
        (one.raised_at / MINUTE, None if one.cleared_at is None else one.cleared_at / MINUTE) for one in episodes(log)
    ]


def test_an_empty_log_has_no_episode() -> None:
    assert episodes([]) == []


def test_each_raise_is_an_episode_until_its_clear() -> None:
    log = [logged(E.RAISE, 10), logged(E.CLEAR, 25), logged(E.RAISE, 40)]
    assert spans(log) == [(10, 25), (40, None)]


def test_an_episode_has_the_priority_and_level_of_its_raise() -> None:
    (one,) = episodes([logged(E.RAISE, 10, priority=Priority.URGENT, level=1)])
    assert (one.priority, one.level) == (Priority.URGENT, 1)


def test_two_alarms_of_one_point_are_two_stories() -> None:
    log = [logged(E.RAISE, 10), logged(E.RAISE, 11, key=COLD), logged(E.CLEAR, 12, key=COLD), logged(E.CLEAR, 30)]
    assert spans(log) == [(10, 30), (11, 12)]


def test_a_clear_without_a_raise_before_it_is_left_out() -> None:
    assert episodes([logged(E.CLEAR, 5)]) == []


def test_a_closed_alarm_ends_too() -> None:
    assert spans([logged(E.RAISE, 10), logged(E.CLOSE, 12)]) == [(10, 12)]


def test_a_step_up_lifts_priority_and_level_and_a_step_down_takes_nothing_back() -> None:
    log = [
        logged(E.RAISE, 10, priority=Priority.MEDIUM),
        logged(E.STEP_UP, 20, priority=Priority.URGENT, level=1),
        logged(E.STEP_DOWN, 30, priority=Priority.MEDIUM),
    ]
    (one,) = episodes(log)
    assert (one.priority, one.level, one.cleared_at) == (Priority.URGENT, 1, None)


def test_a_step_of_an_alarm_that_was_raised_before_the_log_begins_is_left_out() -> None:
    assert episodes([logged(E.STEP_UP, 20)]) == []


def test_an_answer_belongs_to_everything_that_was_unanswered() -> None:
    log = [
        logged(E.RAISE, 10),
        logged(E.CLEAR, 12),
        logged(E.RAISE, 20),
        logged(E.ACKNOWLEDGE, 25, by="Li"),
        logged(E.CLEAR, 30),
        logged(E.RAISE, 40),
    ]
    assert [(one.answered_by, one.answered_at) for one in episodes(log)] == [
        ("Li", 25 * MINUTE), ("Li", 25 * MINUTE), ("", None),
    ]  # fmt: skip


def test_the_answer_says_whether_it_was_a_nuisance() -> None:
    answer = replace(logged(E.ACKNOWLEDGE, 25, by="Li"), nuisance=Nuisance.LOADING)
    log = [logged(E.RAISE, 10), logged(E.CLEAR, 20), answer, logged(E.RAISE, 30)]
    assert [one.nuisance for one in episodes(log)] == [Nuisance.LOADING, None]


def test_a_second_acknowledgement_does_not_move_the_first() -> None:
    log = [logged(E.RAISE, 10), logged(E.ACKNOWLEDGE, 12, by="Li"), logged(E.ACKNOWLEDGE, 50, by="Wang")]
    assert episodes(log)[0].answered_by == "Li"


def test_a_raise_under_an_overlay_is_hidden_and_the_next_after_it_is_not() -> None:
    log = [
        logged(E.SHELVE, 1), logged(E.SUPPRESS, 2), logged(E.RAISE, 10), logged(E.CLEAR, 20), logged(E.UNSHELVE, 30),
        logged(E.RAISE, 31), logged(E.CLEAR, 32), logged(E.UNSUPPRESS, 33), logged(E.RAISE, 40),
    ]  # fmt: skip
    assert [one.hidden for one in episodes(log)] == [True, True, False]


def test_an_overlay_over_one_alarm_hides_no_other() -> None:
    log = [logged(E.SHELVE, 1, key=COLD), logged(E.RAISE, 10)]
    assert [one.hidden for one in episodes(log)] == [False]


def test_a_past_excursion_found_under_an_active_alarm_is_an_episode_of_its_own() -> None:
    log = [
        logged(E.RAISE, 100), logged(E.PAST_RAISE, 10, known=110), logged(E.PAST_CLEAR, 20, known=110),
        logged(E.CLEAR, 130),
    ]  # fmt: skip
    assert spans(log) == [(100, 130), (10, 20)]
    assert [one.past for one in episodes(log)] == [False, True]


def test_what_had_cleared_before_it_was_known_is_past() -> None:
    log = [logged(E.RAISE, 10, known=60), logged(E.CLEAR, 20, known=60)]
    assert [one.past for one in episodes(log)] == [True]
    at_that_moment = [logged(E.RAISE, 10, known=20), logged(E.CLEAR, 20, known=20)]
    assert [one.past for one in episodes(at_that_moment)] == [False]


def test_before_commissioning_nothing_is_owed() -> None:
    assert [one.owed for one in episodes([logged(E.RAISE, 10, owed=False)])] == [False]


def test_how_long_it_was_active_counts_up_to_now_while_it_lasts() -> None:
    lasting = Episode(WARM, 10, 10, None, Priority.HIGH, 0)
    over = Episode(WARM, 10, 10, 15, Priority.HIGH, 0)
    assert (lasting.active_for(110), over.active_for(110), lasting.active_for(5)) == (100, 5, 0)


def test_what_touches_overlaps() -> None:
    first = Episode(WARM, 10, 10, 20, Priority.HIGH, 0)
    assert first.overlaps(Episode(WARM, 20, 20, None, Priority.HIGH, 0))
    assert Episode(WARM, 20, 20, None, Priority.HIGH, 0).overlaps(first)
    assert not first.overlaps(Episode(WARM, 21, 21, None, Priority.HIGH, 0))
    assert not Episode(WARM, 21, 21, None, Priority.HIGH, 0).overlaps(first)
