"""The stream of all sources: order, promises, live against lazy sources, faults of a source."""

import math
from collections.abc import Iterable, Iterator

from domain.readings import Quality, Reading
from domain.source import PointDescription
from edge.sampling import MAX_TEXT, Feed, Sampler

T0 = 1_700_000_000_000


class Scripted:
    """A source that gives what it was told, one item per cycle; an exception is raised."""

    def __init__(self, *cycles, point: str = "a/b") -> None:
        self.cycles = list(cycles)
        self.point = point
        self.opened = self.closed = 0

    def open(self) -> None:
        self.opened += 1

    def points(self) -> list[PointDescription]:
        return [PointDescription(self.point, "Cel")]

    def read(self, now: int) -> Iterable[Reading]:
        cycle = self.cycles.pop(0) if self.cycles else []
        if isinstance(cycle, Exception):
            raise cycle
        return cycle

    @property
    def exhausted(self) -> bool:
        return not self.cycles

    def close(self) -> None:
        self.closed += 1


class Recorded(Scripted):
    complete_until = T0 - 500


def reading(offset: int, point: str = "a/b", value: float = 1.0) -> Reading:
    return Reading(point, T0 + offset, value)


def offsets(taken) -> list[tuple[int, int]]:
    return [(row.time - T0, upto - T0) for row, upto in taken]


def sampler(*sources, stamped: bool = False) -> Sampler:
    return Sampler([Feed(source, stamped) for source in sources], 10_000)


def test_a_live_cycle_promises_its_own_time_with_the_last_reading() -> None:
    made = sampler(Scripted([reading(5), reading(0), reading(5, "a/c")]))
    assert made.promise is None
    made.begin(T0 + 9)
    assert offsets(made.take(None, clock_trusted=True)) == [(0, 5), (5, 5), (5, 9)]
    assert made.promise == T0 + 9
    assert not made.streaming


def test_a_cycle_without_readings_moves_the_promise() -> None:
    made = sampler(Scripted([], []))
    for now in (T0, T0 + 10):
        made.begin(now)
        assert made.take(None, clock_trusted=True) == []
        assert made.promise == now


def test_a_history_is_taken_lazily_in_chunks_that_promise_only_what_is_known() -> None:
    asked = []

    def history() -> Iterator[Reading]:
        for offset in range(6):
            asked.append(offset)
            yield reading(offset)

    made = sampler(Scripted(history()))
    made.begin(T0 + 100)
    assert offsets(made.take(None, clock_trusted=True)) == []
    assert offsets(made.take(4, clock_trusted=True)) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert asked == [0, 1, 2, 3, 4]
    made.begin(T0 + 200)  # not at its end: the cycle goes on
    assert offsets(made.take(4, clock_trusted=True)) == [(4, 5), (5, 100)]
    assert not made.streaming


def test_a_live_sensor_is_taken_on_time_beside_a_history_and_promises_no_more_than_it() -> None:
    live = Scripted([reading(1000, "live/b")], [reading(2000, "live/b")], point="live/b")
    made = sampler(live, Scripted(iter([reading(1), reading(2), reading(3)]), []))
    made.begin(T0 + 1000)
    assert offsets(made.take(None, clock_trusted=True)) == [(1000, 1)]
    assert offsets(made.take(2, clock_trusted=True)) == [(1, 2), (2, 3)]
    made.begin(T0 + 2000)
    assert offsets(made.take(None, clock_trusted=True)) == [(2000, 3)]
    assert offsets(made.take(9, clock_trusted=True)) == [(3, 1000)]


def test_two_histories_are_merged_by_time() -> None:
    made = sampler(Scripted(iter([reading(1), reading(5)])), Scripted(iter([reading(2, "c/d"), reading(9, "c/d")])))
    made.begin(T0 + 50)
    assert offsets(made.take(10, clock_trusted=True)) == [(1, 2), (2, 5), (5, 9), (9, 50)]


def test_a_source_of_recorded_time_makes_its_own_promise_until_it_ends() -> None:
    made = sampler(Recorded(iter([reading(-900)]), iter([])))
    made.begin(T0)
    assert offsets(made.take(5, clock_trusted=True)) == [(-900, -500)]
    made.begin(T0 + 1)  # the script is over: nothing will ever follow
    assert made.take(5, clock_trusted=True) == []
    assert made.promise == T0 + 1
    assert made.exhausted


def test_a_promise_is_never_taken_back() -> None:
    made = sampler(Scripted([], [reading(-50)]))
    made.begin(T0)
    made.begin(T0 - 100)  # the clock was set back
    assert offsets(made.take(None, clock_trusted=True)) == [(-50, 0)]


def test_a_source_that_fails_does_not_stop_the_others() -> None:
    def breaks() -> Iterator[Reading]:
        yield reading(1)
        raise RuntimeError("a defect")

    made = sampler(Scripted(ValueError("a defect")), Scripted(breaks()), Scripted([reading(3)]))
    made.begin(T0 + 10)
    assert offsets(made.take(None, clock_trusted=True)) == [(3, 1)]
    assert offsets(made.take(5, clock_trusted=True)) == [(1, 10)]


def test_readings_by_a_clock_that_is_not_synchronised_are_uncertain() -> None:
    bad = Reading("a/b", T0, math.nan, Quality.BAD, "no answer")
    made = sampler(Scripted([reading(0), bad]), stamped=True)
    made.begin(T0)
    assert [row.quality for row, _ in made.take(None, clock_trusted=False)] == [Quality.UNCERTAIN, Quality.BAD]
    replayed = sampler(Scripted([reading(0)]))
    replayed.begin(T0)
    assert replayed.take(None, clock_trusted=False)[0][0].quality is Quality.GOOD


def test_infinities_and_endless_texts_become_bad_and_short() -> None:
    made = sampler(Scripted([reading(0, value=math.inf), Reading("a/b", T0, 1.0, Quality.BAD, "x" * 5000)]))
    made.begin(T0)
    (first, _), (second, _) = made.take(None, clock_trusted=True)
    assert math.isnan(first.value)
    assert (first.quality, first.text) == (Quality.BAD, "inf")
    assert len(second.text) == MAX_TEXT


def test_points_of_all_sources_once_each_with_the_sampling_interval_of_live_ones() -> None:
    made = sampler(Scripted(), Scripted(), Scripted(point="c/d"), stamped=True)
    assert [(point.point, point.interval) for point in made.points()] == [("a/b", 10_000), ("c/d", 10_000)]
    assert [point.interval for point in sampler(Scripted()).points()] == [None]


def test_all_sources_are_opened_and_closed() -> None:
    sources = Scripted(), Scripted()
    made = sampler(*sources)
    made.open()
    made.close()
    assert [(source.opened, source.closed) for source in sources] == [(1, 1), (1, 1)]
