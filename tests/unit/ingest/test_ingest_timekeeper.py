"""What the judge is told of time, and which ticks the journal must know, step by step."""

from domain.records import Clock
from ingest.timekeeper import DEAF_AFTER, Timekeeper
from tests.unit.ingest.ingest_fakes import NOW


def keeper(*, deaf: bool = False) -> Timekeeper:
    return Timekeeper(NOW - 500, NOW, deaf=deaf, entry_every=30_000)


def test_time_never_goes_back() -> None:
    times = keeper()
    assert times.now(NOW - 1000) == NOW - 500, "the journal's newest time counts"
    assert times.now(NOW + 5) == NOW + 5
    assert times.now(NOW) == NOW + 5


def test_a_pause_is_told_once_and_a_short_one_not_at_all() -> None:
    times = keeper()
    times.look_up(NOW + DEAF_AFTER)
    assert not times.recovered()
    times.look_up(NOW + 2 * DEAF_AFTER + 1)
    times.look_up(NOW + 2 * DEAF_AFTER + 2)
    assert times.recovered()
    assert not times.recovered()
    assert keeper(deaf=True).recovered(), "nothing was heard while the process was away"


def test_the_first_tick_what_spoke_what_changed_and_what_is_old_are_journalled() -> None:
    times = keeper()
    assert times.told(Clock(NOW, True), spoke=False)
    assert not times.told(Clock(NOW + 1000, True), spoke=False)
    assert times.told(Clock(NOW + 2000, True), spoke=True)
    assert times.told(Clock(NOW + 3000, False), spoke=False)
    assert not times.told(Clock(NOW + 4000, False), spoke=False)
    assert times.told(Clock(NOW + 33_000, False), spoke=False)


def test_the_newest_tick_that_was_not_journalled_goes_before_the_next_entry_once() -> None:
    times = keeper()
    times.told(Clock(NOW, True), spoke=False)
    assert times.take_untold() is None
    times.told(Clock(NOW + 1000, True), spoke=False)
    times.told(Clock(NOW + 2000, True), spoke=False)
    assert times.take_untold() == Clock(NOW + 2000, True)
    assert times.take_untold() is None
    assert not times.told(Clock(NOW + 31_000, True), spoke=False), "that entry counts as the last one"
    assert times.told(Clock(NOW + 32_000, True), spoke=False)
    assert times.take_untold() is None, "a later tick says all that the earlier one said"


def test_before_the_tick_that_tells_of_a_lost_connection_the_time_until_then_is_journalled() -> None:
    times = keeper()
    times.told(Clock(NOW, True), spoke=False)
    times.told(Clock(NOW + 1000, True), spoke=False)
    assert times.told(Clock(NOW + 9000, False), spoke=False)
    assert times.take_untold() == Clock(NOW + 1000, True), "the silent second before it counts as heard"
