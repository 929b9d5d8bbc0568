"""Where readings go beside what is stored: the collision rule in memory, and when the store must be asked at all."""

from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.batch import ReadingBatch, batch_of
from domain.readings import Reading
from domain.records import AppendResult
from store.influx.answers import Table
from store.influx.append import LONGEST_STRETCH, STRETCH_GAP, Append, stretches
from store.influx.heads import Heads
from store.influx.newest import NOTHING_STORED, TRUST_SECONDS, Newest
from store.influx.placing import MARGIN, Held, Shelf, Wanted
from store.summaries import SUMMARY_STEP, Summary, as_windows, merged, together

NAN = float("nan")


def nothing(_start: int, _end: int) -> Iterable[Held]:
    return ()


def shelf(*held: Held, end: int = MARGIN, more: Callable[[int, int], Iterable[Held]] = nothing) -> Shelf:
    return Shelf(held, end, more)


def places(found: Shelf, *wanted: Wanted) -> list[tuple[int, int, int, int | None]]:
    return [(one.row, one.time, one.quality, one.asked) for one in found.place(wanted)]


def test_a_free_millisecond_is_taken_as_it_is() -> None:
    assert places(shelf(), Wanted(0, 5, 1.0, 0)) == [(0, 5, 0, None)]


def test_the_same_value_and_quality_is_a_duplicate_also_without_a_value() -> None:
    assert places(shelf(Held(5, 1.0, 0)), Wanted(0, 5, 1.0, 0)) == []
    assert places(shelf(Held(5, NAN, 2)), Wanted(0, 5, NAN, 2)) == []
    assert places(shelf(Held(5, 0.0, 0)), Wanted(0, 5, -0.0, 0)) == []


def test_another_value_or_quality_moves_to_the_next_free_millisecond() -> None:
    held = shelf(Held(5, 1.0, 0), Held(6, 2.0, 0))
    assert places(held, Wanted(0, 5, 9.0, 0), Wanted(1, 5, 1.0, 1)) == [(0, 7, 1, 5), (1, 8, 1, 5)]


def test_a_bad_one_stays_bad_when_it_moves() -> None:
    assert places(shelf(Held(5, 1.0, 0)), Wanted(3, 5, NAN, 2)) == [(3, 6, 2, 5)]


def test_what_was_moved_before_is_found_by_what_it_asked_for() -> None:
    held = shelf(Held(5, 1.0, 0), Held(6, 9.0, 1, 5, 0))
    assert places(held, Wanted(0, 5, 9.0, 0)) == []
    assert places(held, Wanted(0, 5, 9.0, 1)) == [(0, 7, 1, 5)]  # it came as uncertain: another reading


def test_a_moved_one_is_never_taken_for_an_original_of_its_new_place() -> None:
    held = shelf(Held(5, 1.0, 0), Held(6, 9.0, 1, 5, 1))
    assert places(held, Wanted(0, 6, 9.0, 1)) == [(0, 7, 1, 6)]


def test_a_crowd_that_reaches_beyond_what_was_fetched_is_fetched_on() -> None:
    asked: list[tuple[int, int]] = []
    stored = [Held(time, 0.5, 0) for time in range(2 * MARGIN + 10)]

    def more(start: int, end: int) -> Iterable[Held]:
        asked.append((start, end))
        return [row for row in stored if start <= row.time < end]

    found = shelf(*stored[:MARGIN], more=more)
    assert places(found, Wanted(0, 3, 7.0, 0)) == [(0, 2 * MARGIN + 10, 1, 3)]
    assert asked == [(MARGIN, 2 * MARGIN), (2 * MARGIN, 3 * MARGIN)]


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([1.0, 2.0, NAN]), st.integers(0, 2)), max_size=20))
def test_every_distinct_reading_gets_one_place_and_no_two_share_one(rows: list[tuple[int, float, int]]) -> None:
    found = shelf()
    wanted = sorted((Wanted(row, *rest) for row, rest in enumerate(rows)), key=lambda one: one.time)
    placed = found.place(wanted)
    distinct = {(time, repr(value), quality) for time, value, quality in rows}
    assert len(placed) == len(distinct)
    assert len({one.time for one in placed}) == len(placed)
    assert found.place(wanted) == []


def test_newest_times_are_learned_once_and_kept_while_appends_go_on() -> None:
    now, learned = [0.0], []

    def learn(metric: str) -> dict[str, int]:
        learned.append(metric)
        return {"a/temperature": 7}

    newest = Newest(learn, lambda: now[0])
    for _ in range(5):
        newest.begin(unbroken=False)
        assert newest.of(["a/temperature", "b/temperature"]) in ([7, NOTHING_STORED], [9, NOTHING_STORED])
        newest.stored(["a/temperature"], [9])
        newest.end()
        now[0] += TRUST_SECONDS
    assert learned == ["temperature"]
    assert newest.of(["a/temperature"]) == [9]


@pytest.mark.parametrize("why", ["pause", "failure"])
def test_after_a_pause_or_a_failure_they_are_learned_again(why: str) -> None:
    now, learned = [0.0], []

    def learn(metric: str) -> dict[str, int]:
        learned.append(metric)
        return {}

    newest = Newest(learn, lambda: now[0])
    newest.begin(unbroken=False)
    newest.of(["a/power"])
    newest.end()
    if why == "pause":
        now[0] += TRUST_SECONDS + 0.1
    else:
        newest.forget()
    newest.begin(unbroken=False)
    newest.of(["a/power"])
    assert learned == ["power", "power"]


def test_after_a_pause_they_are_kept_where_the_caller_vouches_that_nothing_was_missed() -> None:
    now, learned = [0.0], []

    def learn(metric: str) -> dict[str, int]:
        learned.append(metric)
        return {}

    newest = Newest(learn, lambda: now[0])
    newest.begin(unbroken=False)
    newest.of(["a/power"])
    newest.end()
    now[0] += 100 * TRUST_SECONDS
    newest.begin(unbroken=True)
    newest.of(["a/power"])
    assert learned == ["power"]


def test_a_stretch_ends_at_a_pause_and_is_never_too_long() -> None:
    times = [0, STRETCH_GAP, 2 * STRETCH_GAP + 1, 2 * STRETCH_GAP + 2]
    assert list(stretches(range(4), times)) == [[0, 1], [2, 3]]
    assert list(stretches([], times)) == []
    many = list(range(0, 2 * LONGEST_STRETCH, STRETCH_GAP))
    found = list(stretches(range(len(many)), many))
    assert [row for stretch in found for row in stretch] == list(range(len(many)))
    assert all(many[stretch[-1]] - many[stretch[0]] <= LONGEST_STRETCH for stretch in found)


class CountingConnection:
    """Keeps lines; counts what is asked of it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.queries: list[str] = []

    def write(self, lines: Sequence[str]) -> list[tuple[int, str]]:
        self.lines += lines
        return []

    def query(self, text: str) -> list[Table]:
        self.queries.append(text)
        return []


def heads(batch: ReadingBatch) -> list[str | None]:
    return Heads().of(batch.site, batch.points, {"a": "kitchen"})


def appended(batch: ReadingBatch, connection: CountingConnection, newest: Newest) -> AppendResult:
    one = Append(batch, connection.query, newest, heads(batch))
    return one.result(connection.write(one.lines()))


def append(batch: ReadingBatch, connection: CountingConnection, newest: Newest) -> tuple[int, int, int, int]:
    done = appended(batch, connection, newest)
    return done.stored, done.duplicates, done.collisions, len(done.refused)


def test_new_readings_cost_no_query_and_old_ones_one_per_metric() -> None:
    connection, newest = CountingConnection(), Newest(lambda _: {"a/temperature": 50}, lambda: 0.0)
    new = [Reading("a/temperature", 100 + time, 1.0) for time in range(10)] + [Reading("a/power", 5, 2.0)]
    assert append(batch_of("s", 0, new), connection, newest) == (11, 0, 0, 0)
    assert connection.queries == []
    assert connection.lines[0].startswith("temperature,area=kitchen,asset=a,point=a/temperature,site=s value=1.0")
    old = [Reading("a/temperature", 20, 1.0), Reading("b/temperature", 21, 1.0), Reading("b/power", 3, 1.0)]
    assert append(batch_of("s", 0, old), connection, newest) == (3, 0, 0, 0)
    assert len(connection.queries) == 1
    assert "a/temperature" in connection.queries[0]
    assert "b/temperature" not in connection.queries[0]


def test_two_rows_at_one_time_are_looked_at_even_when_they_are_new() -> None:
    connection, newest = CountingConnection(), Newest(lambda _: {}, lambda: 0.0)
    rows = [Reading("a/x", 5, 1.0), Reading("a/x", 5, 1.0), Reading("a/x", 5, 2.0)]
    assert append(batch_of("s", 0, rows), connection, newest) == (1, 1, 1, 0)
    assert connection.lines[1].endswith('text="time_collision",asked=5,was=0 6')


def test_a_moved_row_is_the_newest_of_its_point_from_then_on() -> None:
    connection, newest = CountingConnection(), Newest(lambda _: {}, lambda: 0.0)
    append(batch_of("s", 0, [Reading("a/x", 5, 1.0), Reading("a/x", 5, 2.0)]), connection, newest)
    assert newest.of(["a/x"]) == [6]
    append(batch_of("s", 0, [Reading("a/x", 6, 3.0)]), connection, newest)
    assert len(connection.queries) == 2, "what is not newer than it is looked at"


def test_rows_that_cannot_be_written_come_back_and_the_others_are_stored() -> None:
    connection, newest = CountingConnection(), Newest(lambda _: {}, lambda: 0.0)
    rows = [Reading("a/x", 5, float("inf")), Reading("a\n/x", 5, 1.0), Reading("a/x", 6, 1.0), Reading("plain", 7, 1.0)]
    batch = batch_of("s", 0, rows)
    done = appended(batch, connection, newest)
    assert (done.stored, done.duplicates, done.collisions) == (1, 0, 0)
    assert [one.row for one in done.refused] == [0, 1, 3]
    assert len(connection.lines) == 1


def test_heads_are_made_once_and_anew_when_the_area_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.influx.heads.MOST_HEADS", 1)
    made = Heads()
    first = made.of("s", ("a/x", "b/x"), {"a": "kitchen"})
    assert first == ["x,area=kitchen,asset=a,point=a/x,site=s ", "x,asset=b,point=b/x,site=s "]
    assert made.of("s", ("a/x",), {"a": "hall"}) == ["x,area=hall,asset=a,point=a/x,site=s "]
    assert made.of("t", ("a/x", "a\n/x"), {}) == ["x,asset=a,point=a/x,site=t ", None]


def test_summaries_of_one_window_add_up() -> None:
    empty = Summary(0, NAN, NAN, NAN, NAN, 0, 2)
    cold, warm = Summary(0, 1.0, 2.0, 3.0, 1.5, 3, 0), Summary(0, -1.0, 6.0, 9.0, 7.0, 1, 1)
    assert merged(cold, warm) == Summary(0, -1.0, 3.0, 9.0, 7.0, 4, 1)
    assert merged(empty, cold) == Summary(0, 1.0, 2.0, 3.0, 1.5, 3, 2)
    assert merged(cold, empty).last == 1.5
    assert merged(empty, empty).bad == 4


def test_summaries_join_raw_windows_in_the_window_in_which_they_begin() -> None:
    raw = as_windows([Summary(4 * SUMMARY_STEP - 1, 5.0, 5.0, 5.0, 5.0, 1, 0)])
    purged = [Summary(2 * SUMMARY_STEP, 1.0, 1.0, 1.0, 1.0, 1, 0), Summary(3 * SUMMARY_STEP, 9.0, 9.0, 9.0, 9.0, 1, 0),
              Summary(5 * SUMMARY_STEP, 3.0, 3.0, 3.0, 3.0, 3, 1)]  # fmt: skip
    found = together(raw, purged, -1, 2 * SUMMARY_STEP)
    assert found.start.tolist() == [2 * SUMMARY_STEP - 1, 4 * SUMMARY_STEP - 1]
    assert (found.low.tolist(), found.high.tolist(), found.count.tolist()) == ([1.0, 3.0], [9.0, 5.0], [2, 4])
    assert found.mean.tolist() == [5.0, (9 + 5) / 4]
    assert together(raw, [], -1, 2 * SUMMARY_STEP) is raw
