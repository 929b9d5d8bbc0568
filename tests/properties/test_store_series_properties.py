"""Appending in any order, in any batches and again never loses a distinct reading and never stores one twice."""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.batch import batch_of
from domain.readings import Quality, Reading
from store.series_sqlite import SqliteSeriesStore

T0 = 1_767_225_600_000
POINTS = ("fridge-1/temperature", "fridge-2/temperature")

values = st.sampled_from([1.0, 2.0, -0.5, 0.0])
# Few times and values, so that duplicates and collisions, also with moved readings, are the rule.
good = st.builds(
    Reading,
    st.sampled_from(POINTS),
    st.integers(T0, T0 + 4),
    values,
    st.sampled_from([Quality.GOOD, Quality.UNCERTAIN]),
)
bad = st.builds(
    Reading, st.sampled_from(POINTS), st.integers(T0, T0 + 4), st.sampled_from([math.nan, 85.0]), st.just(Quality.BAD)
)
batches = st.lists(st.lists(good | bad, max_size=12), max_size=5)


fresh = (f"school-{number}" for number in count())  # each example has a site of its own in one file


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteSeriesStore]:
    made = SqliteSeriesStore(tmp_path_factory.mktemp("series") / "series.sqlite")
    yield made
    made.close()


def identity(reading: Reading) -> tuple[str, int, str, Quality]:
    return reading.point, reading.time, repr(reading.value), reading.quality


def stored(store: SqliteSeriesStore, site: str) -> Counter[tuple[str, str]]:
    """What is there, as (point, value): a moved reading has another time and quality."""
    found: Counter[tuple[str, str]] = Counter()
    for point in POINTS:
        series = store.read(site, point, 0, T0 * 2)
        assert np.all(np.diff(series.time) > 0)
        found.update((point, repr(float(value))) for value in series.value)
    return found


@given(batches, st.randoms(use_true_random=False))
def test_every_distinct_reading_is_stored_once_whatever_comes_again(
    store: SqliteSeriesStore, sent: list[list[Reading]], random: object
) -> None:
    distinct = {identity(reading) for batch in sent for reading in batch}
    site = next(fresh)
    for batch in sent:
        before = store.count(site)
        done = store.append(batch_of(site, T0, batch))
        assert done.stored + done.duplicates + done.collisions == len(batch)
        assert store.count(site) - before == done.stored + done.collisions
    assert store.count(site) == len(distinct)
    expected = Counter((point, value) for point, _, value, _ in distinct)
    assert stored(store, site) == expected
    for batch in sent:  # the same batches again, then the same readings in other batches and another order
        again = store.append(batch_of(site, T0 + 1, batch))
        assert (again.stored, again.collisions, again.duplicates) == (0, 0, len(batch))
    everything = [reading for batch in sent for reading in batch]
    random.shuffle(everything)  # type: ignore[attr-defined]
    shuffled = store.append(batch_of(site, T0 + 2, everything))
    assert (shuffled.stored, shuffled.collisions) == (0, 0)
    assert stored(store, site) == expected


@given(st.lists(good, max_size=20))
def test_a_reading_alone_at_its_time_keeps_time_value_and_quality(
    store: SqliteSeriesStore, sent: list[Reading]
) -> None:
    wide = [Reading(r.point, T0 + index * 100, r.value, r.quality) for index, r in enumerate(sent)]
    site = next(fresh)
    assert store.append(batch_of(site, T0, reversed(wide))).stored == len(wide)
    for reading in wide:
        series = store.read(site, reading.point, reading.time, reading.time + 1)
        assert (series.value.tolist(), series.quality, series.texts) == ([reading.value], (reading.quality,), {})


@given(st.lists(good | bad, max_size=30), st.integers(-5, 5), st.integers(1, 7), st.integers(0, 12))
def test_windows_agree_with_the_readings_they_sum_up(
    store: SqliteSeriesStore, sent: list[Reading], offset: int, step: int, length: int
) -> None:
    point, start = POINTS[0], T0 + offset
    site = next(fresh)
    store.append(batch_of(site, T0, sent))
    series = store.read(site, point, start, start + length)
    windows = store.window(site, point, start, start + length, step)
    believed = np.array([quality is not Quality.BAD for quality in series.quality], bool)
    number = (series.time - start) // step
    assert ((windows.start - start) // step).tolist() == sorted(set(number.tolist()))
    for index, found in enumerate(sorted(set(number.tolist()))):
        inside = series.value[believed & (number == found)]
        assert (windows.count[index], windows.bad[index]) == (len(inside), np.sum(number == found) - len(inside))
        if len(inside):
            assert (windows.low[index], windows.high[index], windows.last[index]) == (
                inside.min(),
                inside.max(),
                inside[-1],
            )
            assert math.isclose(windows.mean[index], inside.mean())
        else:
            assert math.isnan(windows.mean[index])
