"""What every series store must do, whatever is behind it: the same stories run against each factory."""

import math
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from domain.batch import Gap, ReadingBatch, batch_of
from domain.errors import StoreRefusedError
from domain.ports import SeriesStore
from domain.readings import Quality, Reading
from store.influx.address import InfluxAddress
from store.influx.store import InfluxSeriesStore
from store.series_sqlite import SqliteSeriesStore
from tests.influx_server import fresh_database, influx_servers, major_version

T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
FRIDGE = "fridge-1/temperature"
NAN = float("nan")


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxAddress]:
    with influx_servers(tmp_path_factory.mktemp("influx")) as address:
        yield address


@pytest.fixture(params=["sqlite", pytest.param("influxdb", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SeriesStore]:
    if request.param == "sqlite":
        with closing(SqliteSeriesStore(tmp_path / "series.sqlite")) as made:
            yield made
        return
    with fresh_database(request.getfixturevalue("influx")) as address, closing(InfluxSeriesStore(address)) as kept:
        if major_version(address) >= 3 and "purge" in request.node.name:
            reason = "InfluxDB 3 Core cannot delete readings: its databases have a retention period instead"
            request.applymarker(pytest.mark.xfail(raises=StoreRefusedError, strict=True, reason=reason))
        yield kept


def reading(time: int, value: float, point: str = FRIDGE, quality: Quality = Quality.GOOD, text: str = "") -> Reading:
    return Reading(point, T0 + time, value, quality, text)


def batch(*readings: Reading, site: str = "school", received: int = T0 + 90_000) -> ReadingBatch:
    return batch_of(site, received, readings)


def rows(store: SeriesStore, point: str = FRIDGE, site: str = "school") -> list[tuple[int, float, str, str]]:
    series = store.read(site, point, 0, T0 * 2)
    assert len(series.time) == len(series.value) == len(series.quality)
    return [
        (int(time) - T0, float(value), str(quality), series.texts.get(index, ""))
        for index, (time, value, quality) in enumerate(zip(series.time, series.value, series.quality, strict=True))
    ]


def result(store: SeriesStore, *readings: Reading) -> tuple[int, int, int]:
    done = store.append(batch(*readings))
    return done.stored, done.duplicates, done.collisions


def test_an_empty_store_has_nothing_and_says_so(store: SeriesStore) -> None:
    assert rows(store) == []
    assert store.latest("school") == []
    assert store.gaps("school", 0, T0) == []
    assert store.count("school") == 0
    assert store.purge("school", T0) == 0
    windows = store.window("school", FRIDGE, 0, T0, 60_000)
    assert [len(column) for column in (windows.start, windows.low, windows.last, windows.count, windows.bad)] == [0] * 5


def test_an_empty_batch_stores_nothing(store: SeriesStore) -> None:
    assert result(store) == (0, 0, 0)
    assert store.count("school") == 0


def test_what_was_appended_is_read_back_in_ascending_time_whatever_the_order_of_arrival(store: SeriesStore) -> None:
    assert result(store, reading(2000, 4.5), reading(0, 4.0), reading(1000, -0.5)) == (3, 0, 0)
    assert rows(store) == [(0, 4.0, "good", ""), (1000, -0.5, "good", ""), (2000, 4.5, "good", "")]
    assert store.count("school") == 3


def test_reading_takes_the_start_and_leaves_the_end_and_a_limit_gives_the_earliest(store: SeriesStore) -> None:
    store.append(batch(*(reading(second * 1000, second) for second in range(10))))
    series = store.read("school", FRIDGE, T0 + 2000, T0 + 5000)
    assert series.value.tolist() == [2, 3, 4]
    assert store.read("school", FRIDGE, T0 + 2000, T0 + 5000, limit=2).value.tolist() == [2, 3]
    assert store.read("school", FRIDGE, T0 + 2000, T0 + 5000, limit=0).value.tolist() == []
    assert store.read("school", FRIDGE, T0 + 5000, T0 + 2000).value.tolist() == []


def test_when_each_reading_was_received_first_is_read_back(store: SeriesStore) -> None:
    store.append(batch(reading(0, 4.0), reading(60_000, 4.5), received=T0 + 61_000))
    store.append(batch(reading(0, 4.0), reading(30_000, 4.2), received=T0 + 3_600_000))
    assert store.read("school", FRIDGE, 0, T0 * 2).received.tolist() == [T0 + 61_000, T0 + 3_600_000, T0 + 61_000]
    assert store.read("school", FRIDGE, 0, 1).received.tolist() == []


def test_a_bad_reading_keeps_its_raw_text_and_has_no_value(store: SeriesStore) -> None:
    result(store, reading(0, NAN, quality=Quality.BAD, text="85"), reading(1000, 4.0))
    ((_, value, quality, text), good) = rows(store)
    assert math.isnan(value)
    assert (quality, text) == ("bad", "85")
    assert good == (1000, 4.0, "good", "")


def test_appending_the_same_batch_again_stores_nothing_more(store: SeriesStore) -> None:
    same = batch(reading(0, 4.0), reading(1000, NAN, quality=Quality.BAD, text="err"), reading(2000, 5.0))
    assert store.append(same).stored == 3
    again = store.append(replace(same, received=same.received + 5000))
    assert (again.stored, again.duplicates, again.collisions) == (0, 3, 0)
    assert store.count("school") == 3


def test_batches_appended_together_meet_as_if_they_came_one_after_the_other(store: SeriesStore) -> None:
    batches = [
        batch(reading(0, 4.0), reading(60, 4.5)),
        batch(),
        batch(reading(60, 4.5), reading(120, 5.0)),
        batch(reading(60, 9.0), reading(61, 7.0), reading(180, 6.0)),
    ]
    found = [(one.stored, one.duplicates, one.collisions) for one in store.append_all(batches)]
    assert found == [(2, 0, 0), (0, 0, 0), (1, 1, 0), (2, 0, 1)]
    assert [(time, value) for time, value, _, _ in rows(store)] == [
        (0, 4.0), (60, 4.5), (61, 7.0), (62, 9.0), (120, 5.0), (180, 6.0),
    ]  # fmt: skip
    assert [one.stored for one in store.append_all(batches)] == [0, 0, 0, 0]
    assert store.append_all([]) == []
    assert store.count("school") == 6


def test_a_reading_twice_in_one_batch_is_a_duplicate(store: SeriesStore) -> None:
    assert result(store, reading(0, 4.0), reading(0, 4.0), reading(0, 4.0)) == (1, 2, 0)
    assert rows(store) == [(0, 4.0, "good", "")]


def test_another_value_at_the_same_time_goes_to_the_next_free_millisecond_as_uncertain(store: SeriesStore) -> None:
    result(store, reading(0, 4.0), reading(1, 4.1))
    assert result(store, reading(0, 9.0)) == (0, 0, 1)
    assert rows(store) == [(0, 4.0, "good", ""), (1, 4.1, "good", ""), (2, 9.0, "uncertain", "time_collision")]
    assert store.count("school") == 3


def test_a_collision_appended_again_finds_its_earlier_place(store: SeriesStore) -> None:
    result(store, reading(0, 4.0))
    assert result(store, reading(0, 9.0)) == (0, 0, 1)
    assert result(store, reading(0, 9.0)) == (0, 1, 0)
    assert result(store, reading(0, 4.0), reading(0, 9.0)) == (0, 2, 0)
    assert len(rows(store)) == 2


def test_several_values_at_one_millisecond_are_all_kept_once_however_often_they_come(store: SeriesStore) -> None:
    crowd = [reading(0, value) for value in (1.0, 2.0, 3.0, 4.0)]
    assert result(store, *crowd) == (1, 0, 3)
    for _ in range(2):
        assert result(store, *crowd) == (0, 4, 0)
        assert result(store, *reversed(crowd)) == (0, 4, 0)
    assert sorted(value for _, value, _, _ in rows(store)) == [1.0, 2.0, 3.0, 4.0]
    assert result(store, reading(0, 5.0)) == (0, 0, 1)
    assert store.count("school") == 5


def test_a_reading_whose_place_was_taken_by_a_moved_one_is_kept_too(store: SeriesStore) -> None:
    result(store, reading(0, 4.0), reading(0, 9.0))  # 9.0 moves to 1
    assert result(store, reading(1, 7.0)) == (0, 0, 1)
    assert result(store, reading(1, 7.0)) == (0, 1, 0)
    assert [row[:2] for row in rows(store)] == [(0, 4.0), (1, 9.0), (2, 7.0)]


def test_a_reading_equal_to_the_moved_one_in_its_place_is_still_another_reading(store: SeriesStore) -> None:
    result(store, reading(0, 4.0), reading(0, 9.0, quality=Quality.UNCERTAIN))
    assert result(store, reading(1, 9.0, quality=Quality.UNCERTAIN)) == (0, 0, 1)
    assert result(store, reading(1, 9.0, quality=Quality.UNCERTAIN)) == (0, 1, 0)
    assert len(rows(store)) == 3


def test_the_same_value_with_another_quality_is_another_reading(store: SeriesStore) -> None:
    result(store, reading(0, 4.0))
    assert result(store, reading(0, 4.0, quality=Quality.UNCERTAIN)) == (0, 0, 1)
    assert result(store, reading(0, 4.0, quality=Quality.UNCERTAIN)) == (0, 1, 0)


def test_a_bad_reading_that_collides_stays_bad_and_keeps_its_text(store: SeriesStore) -> None:
    result(store, reading(0, 4.0))
    bad = reading(0, NAN, quality=Quality.BAD, text="E7")
    assert result(store, bad) == (0, 0, 1)
    assert result(store, bad) == (0, 1, 0)
    assert rows(store)[1][2:] == ("bad", "time_collision: E7")


def test_a_good_reading_where_a_bad_one_without_value_sits_is_moved(store: SeriesStore) -> None:
    result(store, reading(0, NAN, quality=Quality.BAD))
    assert result(store, reading(0, 4.0)) == (0, 0, 1)
    assert rows(store)[1] == (1, 4.0, "uncertain", "time_collision")


def test_sites_and_points_of_the_same_name_do_not_meet(store: SeriesStore) -> None:
    store.append(batch(reading(0, 1.0), site="north"))
    store.append(batch(reading(0, 2.0), reading(0, 3.0, "fridge-1/power"), site="south"))
    assert rows(store, site="north") == [(0, 1.0, "good", "")]
    assert rows(store, site="south") == [(0, 2.0, "good", "")]
    assert (store.count("north"), store.count("south"), store.count("east")) == (1, 2, 0)
    assert [row.point for row in store.latest("south")] == ["fridge-1/power", FRIDGE]


def test_latest_is_the_newest_by_event_time_not_by_arrival(store: SeriesStore) -> None:
    store.append(batch(reading(5000, 5.0), received=T0 + 6000))
    store.append(batch(reading(1000, 1.0), received=T0 + 9000))
    store.append(batch(reading(7000, NAN, "freezer-1/temperature", Quality.BAD, "-127"), received=T0 + 9500))
    freezer, fridge = store.latest("school")
    assert (fridge.point, fridge.time, fridge.value, fridge.received) == (FRIDGE, T0 + 5000, 5.0, T0 + 6000)
    assert (freezer.quality, freezer.text, freezer.received) == (Quality.BAD, "-127", T0 + 9500)
    assert math.isnan(freezer.value)


def test_windows_sum_up_believable_readings_and_count_the_bad_apart(store: SeriesStore) -> None:
    store.append(
        batch(
            reading(0, 4.0),
            reading(10_000, 6.0, quality=Quality.UNCERTAIN),
            reading(20_000, 85.0, quality=Quality.BAD, text="85"),
            reading(59_999, 5.0),
            reading(60_000, 7.0),
            reading(180_000, NAN, quality=Quality.BAD),
            reading(240_000, 9.0),
        )
    )
    windows = store.window("school", FRIDGE, T0, T0 + 240_000, 60_000)
    assert (windows.start - T0).tolist() == [0, 60_000, 180_000]  # the empty minute is absent, the end is left out
    assert windows.low.tolist()[:2] == [4.0, 7.0]
    assert windows.mean.tolist()[:2] == [5.0, 7.0]
    assert windows.high.tolist()[:2] == [6.0, 7.0]
    assert windows.last.tolist()[:2] == [5.0, 7.0]
    assert windows.count.tolist() == [3, 1, 0]
    assert windows.bad.tolist() == [1, 0, 1]
    assert all(np.isnan(column[2]) for column in (windows.low, windows.mean, windows.high, windows.last))


def test_windows_are_aligned_to_the_start_that_was_asked_for(store: SeriesStore) -> None:
    store.append(batch(reading(0, 1.0), reading(59_000, 2.0), reading(61_000, 3.0)))
    windows = store.window("school", FRIDGE, T0 - 30_000, T0 + 120_000, 60_000)
    assert (windows.start - T0).tolist() == [-30_000, 30_000]
    assert windows.count.tolist() == [1, 2]


def test_a_window_of_no_length_is_refused(store: SeriesStore) -> None:
    with pytest.raises(ValueError, match="at least 1 ms"):
        store.window("school", FRIDGE, T0, T0 + 1, 0)


def test_gaps_are_kept_once_and_found_where_they_overlap(store: SeriesStore) -> None:
    lost = Gap("kitchen", T0, T0 + 1000, 3, "outbox_full", (FRIDGE,))
    unknown = Gap("kitchen", T0 + 5000, T0 + 5000, 0, "clock_lost")
    store.add_gaps("school", [lost, unknown])
    store.add_gaps("school", [unknown, lost])
    store.add_gaps("school", [])
    assert store.gaps("school", 0, T0 * 2) == [lost, unknown]
    assert store.gaps("school", T0 + 1000, T0 + 2000) == [lost]
    assert store.gaps("school", T0 + 1001, T0 + 5000) == []
    assert store.gaps("school", T0 + 5000, T0 + 5001) == [unknown]
    assert store.gaps("other", 0, T0 * 2) == []


def test_purge_deletes_what_is_older_and_nothing_else(store: SeriesStore) -> None:
    store.append(batch(*(reading(second * 1000, second) for second in range(10))))
    store.append(batch(*(reading(second * 1000, second, "freezer-1/temperature") for second in range(10))))
    store.append(batch(reading(0, 1.0), site="other"))
    store.add_gaps("school", [Gap("kitchen", T0, T0 + 2000, 1, "dropped"), Gap("kitchen", T0, T0 + 9000, 1, "dropped")])
    assert store.purge("school", T0 + 4000) == 8
    assert store.purge("school", T0 + 4000) == 0
    assert [time for time, *_ in rows(store)] == [4000, 5000, 6000, 7000, 8000, 9000]
    assert (store.count("school"), store.count("other")) == (12, 1)
    assert [gap.end - T0 for gap in store.gaps("school", 0, T0 * 2)] == [9000]


def test_readers_and_a_writer_work_at_the_same_time(store: SeriesStore) -> None:
    failures: list[BaseException] = []

    def look() -> None:
        try:
            for _ in range(20):
                series = store.read("school", FRIDGE, 0, T0 * 2)
                assert len(series.time) % 50 == 0  # an append is seen whole or not at all
                store.latest("school")
        except BaseException as error:  # noqa: BLE001 - a thread's failure is reported by the test
            failures.append(error)

    readers = [threading.Thread(target=look, name=f"reader-{number}") for number in range(4)]
    for thread in readers:
        thread.start()
    for number in range(20):
        store.append(batch(*(reading(number * 1000 + row, row) for row in range(50))))
    for thread in readers:
        thread.join()
    assert failures == []
    assert store.count("school") == 1000


def windows_of(store: SeriesStore, step: int, start: int = T0, hours: int = 24) -> list[tuple[float, ...]]:
    found = store.window("school", FRIDGE, start, start + hours * 3_600_000, step)
    columns = (found.start - T0, found.low, found.mean, found.high, found.last, found.count, found.bad)
    return [tuple(float(column[index]) for column in columns) for index in range(len(found.start))]


QUARTER = 15 * 60_000


def test_what_was_purged_is_still_there_in_long_windows_with_its_extremes(store: SeriesStore) -> None:
    day = [reading(minute * 60_000, 4.0 + minute % 7) for minute in range(24 * 60)]
    excursion = reading(600 * 60_000 + 500, 31.5)
    bad = reading(700 * 60_000 + 500, NAN, quality=Quality.BAD, text="E1")
    store.append(batch(*day, excursion, bad))
    before = windows_of(store, QUARTER)
    hourly = windows_of(store, 4 * QUARTER)
    assert store.purge("school", T0 + 24 * 3_600_000) == 24 * 60 + 2
    assert rows(store) == []
    assert windows_of(store, QUARTER) == [pytest.approx(row) for row in before]
    assert windows_of(store, 4 * QUARTER) == [pytest.approx(row) for row in hourly]
    assert max(row[3] for row in windows_of(store, 16 * QUARTER)) == 31.5
    assert sum(row[6] for row in windows_of(store, 16 * QUARTER)) == 1
    assert windows_of(store, QUARTER - 1) == []  # finer than what is kept


def test_a_purge_inside_a_window_leaves_both_halves_to_be_added_up(store: SeriesStore) -> None:
    store.append(batch(*(reading(minute * 60_000, float(minute)) for minute in range(30))))
    whole = windows_of(store, QUARTER)
    for minute in (4, 7, 7, 20):
        store.purge("school", T0 + minute * 60_000)
        assert windows_of(store, QUARTER) == [pytest.approx(row) for row in whole]
    assert windows_of(store, 2 * QUARTER) == [pytest.approx((0, 0, 14.5, 29, 29, 30, 0))]


def test_late_readings_of_purged_time_are_added_once(store: SeriesStore) -> None:
    store.append(batch(*(reading(minute * 60_000, 4.0) for minute in range(15))))
    store.purge("school", T0 + QUARTER)
    late = batch(reading(500, 12.0), reading(700, NAN, quality=Quality.BAD))
    store.append(late)
    expected = (0, 4.0, (15 * 4.0 + 12.0) / 16, 12.0)
    assert windows_of(store, QUARTER)[0][:4] == pytest.approx(expected)
    assert store.purge("school", T0 + QUARTER) == 2
    (row,) = windows_of(store, QUARTER)
    assert row[:4] == pytest.approx(expected)
    assert row[5:] == (16, 1)


def test_a_window_that_had_only_bad_readings_stays_without_a_value_when_it_is_purged(store: SeriesStore) -> None:
    store.append(batch(reading(0, NAN, quality=Quality.BAD), reading(1000, 85.0, quality=Quality.BAD)))
    store.purge("school", T0 + 5000)
    (row,) = windows_of(store, QUARTER)
    assert all(math.isnan(number) for number in row[1:5])
    assert row[5:] == (0, 2)


def test_purged_time_of_one_point_says_nothing_about_another(store: SeriesStore) -> None:
    store.append(batch(reading(0, 1.0), reading(0, 2.0, "freezer-1/temperature")))
    store.append(batch(reading(0, 3.0), site="other"))
    store.purge("school", T0 + QUARTER)
    assert [row[1] for row in windows_of(store, QUARTER)] == [1.0]
    found = store.window("school", "freezer-1/temperature", T0, T0 + QUARTER, QUARTER)
    assert found.low.tolist() == [2.0]
    assert store.window("other", FRIDGE, T0, T0 + QUARTER, QUARTER).low.tolist() == [3.0]
