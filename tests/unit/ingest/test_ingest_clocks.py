"""Skew from `sent`: what is believed, when, and for how long."""

from domain.times import MINUTE
from ingest.clocks import BOUND, WINDOW, ClockNote, ClockVerdict, ClockWatch
from tests.unit.ingest.ingest_fakes import NOW


def note(watch: ClockWatch, minute: float, ahead: int, delay: int = 200) -> ClockVerdict | None:
    """A pack that took `delay` ms, from an agent whose clock is `ahead`; the new verdict, if any."""
    received = NOW + int(minute * MINUTE)
    found = watch.note("a", received, received - delay + ahead)
    return None if found is None else found.verdict


def test_a_clock_that_is_right_is_said_once() -> None:
    watch = ClockWatch()
    assert note(watch, 0, 0) is ClockVerdict.RIGHT
    assert note(watch, 1, 0) is None
    assert watch.wrong() == {}


def test_a_clock_ahead_is_known_at_once_because_nothing_arrives_before_it_is_sent() -> None:
    watch = ClockWatch()
    assert note(watch, 0, 8 * 60 * MINUTE) is ClockVerdict.AHEAD
    assert watch.wrong() == {"a": ClockNote("a", ClockVerdict.AHEAD, 8 * 60 * MINUTE - 200)}
    assert note(watch, 1, 0) is None, "one pack that was delayed could hide it"
    assert note(watch, WINDOW + 1, 0) is ClockVerdict.RIGHT
    assert watch.wrong() == {}


def test_within_the_bound_a_clock_is_right() -> None:
    watch = ClockWatch()
    assert note(watch, 0, BOUND, delay=0) is ClockVerdict.RIGHT
    assert note(watch, 0, BOUND + 1, delay=0) is ClockVerdict.AHEAD
    behind = ClockWatch()
    assert [note(behind, minute, -BOUND, delay=0) for minute in range(9)] == [ClockVerdict.RIGHT] + 8 * [None]


def test_a_clock_behind_is_believed_after_minutes_of_packs_that_all_say_so() -> None:
    watch = ClockWatch()
    verdicts = [note(watch, minute, -10 * MINUTE) for minute in range(7)]
    assert verdicts == [None, None, None, None, None, ClockVerdict.BEHIND, None]
    assert watch.wrong()["a"].skew == -10 * MINUTE - 200


def test_a_queue_that_is_emptied_is_no_wrong_clock() -> None:
    """The broker kept an hour of messages: the first arrive an hour late, the last at once."""
    watch = ClockWatch()
    verdicts = [note(watch, step / 20, 0, delay=(60 - step) * MINUTE) for step in range(61)]
    assert [verdict for verdict in verdicts if verdict] == [ClockVerdict.RIGHT]


def test_one_quick_pack_among_slow_ones_shows_that_the_clock_is_right() -> None:
    watch = ClockWatch()
    delays = [3 * MINUTE, 2 * MINUTE, 100, 3 * MINUTE, 3 * MINUTE, 3 * MINUTE, 3 * MINUTE]
    assert ClockVerdict.BEHIND not in [note(watch, minute, 0, delay) for minute, delay in enumerate(delays)]


def test_after_a_long_silence_the_estimate_begins_anew() -> None:
    watch = ClockWatch()
    assert note(watch, 0, 0) is ClockVerdict.RIGHT
    assert note(watch, 600, -10 * MINUTE) is None, "one pack says nothing about a clock behind"
    assert watch.wrong() == {}
    assert [note(watch, 600 + step, -10 * MINUTE) for step in range(1, 6)][-1] is ClockVerdict.BEHIND


def test_time_that_goes_back_is_no_trouble_and_agents_are_apart() -> None:
    watch = ClockWatch()
    assert watch.note("a", NOW, NOW) is not None
    assert watch.note("a", NOW - 60 * MINUTE, NOW - 60 * MINUTE) is None
    found = watch.note("b", NOW, NOW + 5 * MINUTE)
    assert found == ClockNote("b", ClockVerdict.AHEAD, 5 * MINUTE)
    assert list(watch.wrong()) == ["b"]
