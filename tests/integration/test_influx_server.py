"""The series store against a real InfluxDB: hostile names and texts, refusals, moved assets, kills, absence."""

import math
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.batch import ReadingBatch, batch_of
from domain.errors import StoreRefusedError, StoreUnavailableError
from domain.readings import Quality, Reading
from store.influx import influxql
from store.influx.address import InfluxAddress
from store.influx.connection import Connection
from store.influx.purge import Purge
from store.influx.store import InfluxSeriesStore
from store.summaries import SUMMARY_STEP
from tests.influx_front import Front, influx_front
from tests.influx_server import Influxd, fresh_database, influx_servers
from tests.support import needs

pytestmark = pytest.mark.integration

T0 = 1_767_225_600_000
FRIDGE = "fridge-1/temperature"
NAN = float("nan")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxAddress]:
    with influx_servers(tmp_path_factory.mktemp("influx")) as address:
        yield address


@pytest.fixture
def address(server: InfluxAddress) -> Iterator[InfluxAddress]:
    with fresh_database(server) as fresh:
        yield fresh


@pytest.fixture
def store(address: InfluxAddress) -> Iterator[InfluxSeriesStore]:
    with closing(InfluxSeriesStore(address)) as made:
        yield made


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[Influxd]:
    """A server of the test's own, that it may kill."""
    made = Influxd(tmp_path / "influxd", needs("influxd", "influxdb"))
    made.start()
    yield made
    made.stop()


def minutes(first: int, number: int, point: str = FRIDGE) -> list[Reading]:
    return [Reading(point, T0 + minute * 60_000, float(minute)) for minute in range(first, first + number)]


def values(store: InfluxSeriesStore, point: str = FRIDGE, site: str = "school") -> list[float]:
    return store.read(site, point, 0, T0 * 2).value.tolist()


@pytest.mark.parametrize("name", ["it's", 'say "x"', "a,b=c d", "x' OR '1'='1", "$where", "餐厅", "/.*/"])
def test_a_hostile_name_is_kept_and_finds_only_itself(store: InfluxSeriesStore, name: str) -> None:
    store.append(batch_of("school", T0, [Reading(FRIDGE, T0, 1.0)]))
    point = f"{name}/{name.replace('/', '')}"
    assert store.append(batch_of(name, T0, [Reading(point, T0, 2.0), Reading(FRIDGE, T0, 3.0)])).refused == ()
    assert (values(store, point, name), values(store, FRIDGE, name), values(store)) == ([2.0], [3.0], [1.0])
    assert store.append(batch_of(name, T0, [Reading(point, T0, 2.0)])).duplicates == 1
    assert len(store.window(name, point, T0, T0 + 1, 1).start) == 1
    assert len(store.window("school", point, T0, T0 + 1, 1).start) == 0


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_text_comes_back_as_it_was(store: InfluxSeriesStore, text: str) -> None:
    site = f"school-{next(_numbers)}"
    done = store.append(batch_of(site, T0, [Reading(FRIDGE, T0, NAN, Quality.BAD, text)]))
    assert done.refused == ()
    assert store.read(site, FRIDGE, T0, T0 + 1).texts == {0: text}


@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_comes_back_as_it_was(store: InfluxSeriesStore, numbers: list[float]) -> None:
    site = f"school-{next(_numbers)}"
    store.append(batch_of(site, T0, [Reading(FRIDGE, T0 + n, number) for n, number in enumerate(numbers)]))
    assert values(store, site=site) == numbers


_numbers = count()
few_values = st.sampled_from([1.0, -0.5, 0.0])
some = st.builds(
    Reading,
    st.sampled_from([FRIDGE, "fridge-2/temperature"]),
    st.integers(T0, T0 + 4),
    few_values,
    st.sampled_from([Quality.GOOD, Quality.UNCERTAIN]),
) | st.builds(Reading, st.just(FRIDGE), st.integers(T0, T0 + 4), st.sampled_from([NAN, 85.0]), st.just(Quality.BAD))


@given(sent=st.lists(st.lists(some, max_size=10), max_size=4), restart=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_distinct_reading_is_stored_once_whatever_comes_again(
    address: InfluxAddress, sent: list[list[Reading]], restart: bool
) -> None:
    site = f"school-{next(_numbers)}"
    distinct = {(r.point, r.time, repr(r.value), r.quality) for batch in sent for r in batch}
    first = InfluxSeriesStore(address)
    for batch in sent:
        done = first.append(batch_of(site, T0, batch))
        assert done.stored + done.duplicates + done.collisions == len(batch)
    first.close()
    with closing(InfluxSeriesStore(address)) as store:
        for batch in reversed(sent):
            assert store.append(batch_of(site, T0 + 1, batch)).duplicates == len(batch)
        assert store.count(site) == len(distinct)
        kept = Counter((p, repr(v)) for p in (FRIDGE, "fridge-2/temperature") for v in values(store, p, site))
    assert kept == Counter((point, value) for point, _, value, _ in distinct)


def test_a_large_batch_goes_in_whole_and_comes_back_in_pages(
    store: InfluxSeriesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.influx.store.PAGE", 1_000)
    points = ("a/temperature", "a/power", "b/temperature")
    batch = batch_of("school", T0, [Reading(p, T0 + n, float(n)) for n in range(4_000) for p in points])
    assert store.append(batch).stored == 12_000
    assert store.append(batch).duplicates == 12_000
    assert values(store, "a/power") == list(range(4_000))
    assert store.read("school", "b/temperature", T0, T0 * 2, limit=2_500).value.tolist() == list(range(2_500))
    assert store.count("school") == 12_000


def test_an_asset_that_moves_to_another_area_stays_one_history(address: InfluxAddress) -> None:
    areas = {"fridge-1": "kitchen"}
    with closing(InfluxSeriesStore(address, lambda _: dict(areas))) as store:
        store.append(batch_of("school", T0, minutes(0, 3)))
        areas["fridge-1"] = "canteen-2"
        assert store.append(batch_of("school", T0, minutes(0, 5))).duplicates == 3
        assert store.append(batch_of("school", T0, [Reading(FRIDGE, T0, 9.0)])).collisions == 1
        assert values(store) == [0.0, 9.0, 1.0, 2.0, 3.0, 4.0]
        assert [row.value for row in store.latest("school")] == [4.0]
    with closing(Connection(address)) as connection:
        tables = connection.query('SELECT count("value") FROM "temperature" GROUP BY "area"')
        assert {table.tags["area"]: list(table.rows("count")) for table in tables} == {
            "kitchen": [(3,)], "canteen-2": [(3,)],
        }  # fmt: skip


def test_lines_that_the_server_refuses_are_reported_with_its_words_and_all_others_are_stored(
    address: InfluxAddress, store: InfluxSeriesStore
) -> None:
    with closing(Connection(address)) as connection:
        # Somebody else wrote texts into the field of another metric's values.
        assert connection.write([f'power,site=x value="words" {T0}']) == []
    rows = [*minutes(0, 50), Reading("a/power", T0, 5.0), *minutes(50, 50), Reading("a/power", T0 + 1, 6.0)]
    done = store.append(batch_of("school", T0, rows))
    assert [one.row for one in done.refused] == [50, 101]
    assert all("field type conflict" in one.detail for one in done.refused)
    assert (done.stored, values(store)) == (100, [float(number) for number in range(100)])
    again = store.append(batch_of("school", T0, rows))
    assert (again.stored, again.duplicates, len(again.refused)) == (0, 100, 2)


def test_readings_that_are_older_than_the_servers_retention_are_reported(
    address: InfluxAddress, store: InfluxSeriesStore
) -> None:
    with closing(Connection(address)) as connection:
        if connection.version.major != 1:
            pytest.skip("a retention policy is altered like this on 1.x only")
        connection.query(f'ALTER RETENTION POLICY "autogen" ON "{address.database}" DURATION 24h SHARD DURATION 1h')
    done = store.append(batch_of("school", T0, [Reading(FRIDGE, 1_000_000_000_000, 1.0)]))
    assert done.stored == 0
    assert "retention policy" in done.refused[0].detail


def test_windows_agree_with_the_readings_they_sum_up(store: InfluxSeriesStore) -> None:
    generator = np.random.default_rng(7)
    times = np.unique(generator.integers(0, 7_200_000, 500))
    rows = [
        Reading(FRIDGE, T0 + int(time), float(value), Quality.BAD if value > 7.5 else Quality.GOOD)
        for time, value in zip(times, generator.uniform(0, 8, len(times)), strict=True)
    ]
    store.append(batch_of("school", T0, rows))
    for start, step in ((T0 - 7, 60_001), (T0, 900_000), (T0 + 123, 3_600_000)):
        windows = store.window("school", FRIDGE, start, T0 + 7_000_000, step)
        for index, begin in enumerate(windows.start.tolist()):
            inside = [
                row for row in rows if begin <= row.time < min(begin + step, T0 + 7_000_000) and row.time >= start
            ]
            good = [row.value for row in inside if row.quality is Quality.GOOD]
            assert (windows.count[index], windows.bad[index]) == (len(good), len(inside) - len(good))
            if good:
                assert (windows.low[index], windows.high[index], windows.last[index]) == (
                    min(good), max(good), good[-1],
                )  # fmt: skip
                assert math.isclose(windows.mean[index], sum(good) / len(good))
        assert int(np.sum(windows.count + windows.bad)) == sum(start <= row.time < T0 + 7_000_000 for row in rows)


def test_a_purge_that_was_cut_off_before_it_deleted_counts_nothing_twice(
    address: InfluxAddress, store: InfluxSeriesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(batch_of("school", T0, minutes(0, 45)))
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "delete", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.purge("school", T0 + SUMMARY_STEP * 2)
    with closing(InfluxSeriesStore(address)) as again:
        assert again.purge("school", T0 + SUMMARY_STEP * 3) == 45
        found = again.window("school", FRIDGE, T0, T0 + SUMMARY_STEP * 3, SUMMARY_STEP)
    assert (found.count.tolist(), found.mean.tolist()) == ([15, 15, 15], [7.0, 22.0, 37.0])


def test_a_purge_goes_through_long_pasts_in_slices(store: InfluxSeriesStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.influx.purge.SLICE", 4 * SUMMARY_STEP)
    store.append(batch_of("school", T0, [*minutes(0, 600), *minutes(0, 300, "a/power"), *minutes(5_000, 3)]))
    assert store.purge("school", T0 + 4_000 * 60_000) == 900
    assert values(store) == [5000.0, 5001.0, 5002.0]
    found = store.window("school", FRIDGE, T0, T0 + 40 * SUMMARY_STEP, 4 * SUMMARY_STEP)
    assert found.count.tolist() == [60] * 10
    assert found.high.tolist() == [float(60 * hour + 59) for hour in range(10)]


def test_a_purge_with_nothing_to_do_writes_nothing(address: InfluxAddress, store: InfluxSeriesStore) -> None:
    store.append(batch_of("school", T0, minutes(0, 1)))
    with closing(Connection(address)) as connection:
        assert Purge(connection, "school").run(["temperature"], T0) == 0
        assert connection.query(influxql.purge_state("school")) == []


def test_two_stores_that_take_turns_do_not_overwrite_each_other(address: InfluxAddress) -> None:
    clock = [0.0]
    with (
        closing(InfluxSeriesStore(address, monotonic=lambda: clock[0])) as north,
        closing(InfluxSeriesStore(address)) as south,
    ):
        north.append(batch_of("school", T0, minutes(0, 1)))
        south.append(batch_of("school", T0, minutes(1, 1)))
        clock[0] += 20.0  # the lease of the first ran out meanwhile
        done = north.append(batch_of("school", T0, [Reading(FRIDGE, T0 + 60_000, 7.0)]))
        assert (done.stored, done.collisions) == (0, 1)
        assert values(south) == [0.0, 1.0, 7.0]


def test_a_store_that_was_paused_stores_again_what_another_one_stored_meanwhile_and_changes_nothing(
    address: InfluxAddress,
) -> None:
    clash = batch_of("school", T0 + 2, [Reading(FRIDGE, T0 + 60_000, 7.0), Reading(FRIDGE, T0 + 120_000, 8.0)])
    entries = [batch_of("school", T0 + 1, minutes(1, 2)), clash, batch_of("school", T0 + 3, minutes(3, 2))]
    with (
        closing(InfluxSeriesStore(address)) as north,
        closing(InfluxSeriesStore(address)) as south,
    ):
        north.append_all([batch_of("school", T0, minutes(0, 1))])
        south.append_all(entries)
        before = south.read("school", FRIDGE, T0, T0 + 3_600_000)
        north.append_all(entries, unbroken=True)
        after = south.read("school", FRIDGE, T0, T0 + 3_600_000)
        assert before.value.tolist() == after.value.tolist() == [0.0, 1.0, 7.0, 2.0, 8.0, 3.0, 4.0]
        assert (before.time.tolist(), before.quality, before.texts) == (after.time.tolist(), after.quality, after.texts)


def test_a_server_that_is_away_is_worth_another_try_and_nothing_is_lost(influxd: Influxd) -> None:
    with closing(InfluxSeriesStore(influxd.address("canteen"))) as store:
        store.append(batch_of("school", T0, minutes(0, 10)))
        influxd.stop()
        later = batch_of("school", T0, [*minutes(5, 10), Reading(FRIDGE, T0, 99.0)])
        for _ in range(3):
            with pytest.raises(StoreUnavailableError, match="does not answer"):
                store.append(later)
        for call in (lambda: store.latest("school"), lambda: store.count("school"), lambda: values(store)):
            with pytest.raises(StoreUnavailableError):
                call()
        influxd.start()
        done = store.append(later)
        assert (done.stored, done.duplicates, done.collisions) == (5, 5, 1)
        assert values(store) == [0.0, 99.0, *(float(number) for number in range(1, 15))]


def test_a_server_killed_while_it_stores_loses_and_doubles_nothing(influxd: Influxd) -> None:
    batches = [
        batch_of("school", T0 + n, [Reading(f"{asset}/temperature", T0 + n * 1000 + row, float(row % 50))
                                    for asset in ("a", "b") for row in range(1000)])
        for n in range(30)
    ]  # fmt: skip
    with closing(InfluxSeriesStore(influxd.address("canteen"))) as store:
        for kill_after in (2, 5, 9):
            acknowledged = _append_until_killed(influxd, store, batches, kill_after)
            influxd.start()
            # What was acknowledged is still there; all of it comes again, as after a crash of ingest.
            assert store.count("school") >= acknowledged * 2000
            for batch in batches[: acknowledged + 1]:
                store.append(batch)
            assert store.count("school") == (acknowledged + 1) * 2000
            for asset in ("a", "b"):
                kept = values(store, f"{asset}/temperature")
                assert kept == [float(row % 50) for _ in range(acknowledged + 1) for row in range(1000)]
            store.purge("school", T0 * 2)


def _append_until_killed(
    influxd: Influxd, store: InfluxSeriesStore, batches: list[ReadingBatch], kill_after: int
) -> int:
    """How many batches were acknowledged before the server was gone."""
    begun = threading.Semaphore(0)

    def kill() -> None:
        for _ in range(kill_after):
            begun.acquire()
        influxd.kill()

    killer = threading.Thread(target=kill, name="killer")
    killer.start()
    acknowledged = 0
    try:
        for batch in batches:
            begun.release()
            store.append(batch)
            acknowledged += 1
    except StoreUnavailableError:
        pass
    else:
        pytest.fail("the server was killed too late to matter")
    finally:
        for _ in range(kill_after):
            begun.release()
        killer.join()
    return acknowledged


def test_a_server_that_asks_for_a_password_is_given_it(tmp_path: Path) -> None:
    program = needs("influxd", "influxdb")
    server = Influxd(tmp_path / "auth", program, "  auth-enabled = true")
    server.start()
    try:
        plain = server.address("canteen")
        known = InfluxAddress(plain.scheme, plain.host, plain.port, "canteen", "caretaker", "pass:w/ö'rd")
        with closing(Connection(plain)) as nobody, pytest.raises(StoreRefusedError, match="create admin user"):
            nobody.query("SHOW MEASUREMENTS")
        with closing(Connection(known)) as connection:
            # The first user may make himself.
            connection._query("CREATE USER \"caretaker\" WITH PASSWORD 'pass:w/ö\\'rd' WITH ALL PRIVILEGES")
        with closing(InfluxSeriesStore(known)) as store:
            assert store.append(batch_of("school", T0, minutes(0, 2))).stored == 2
            assert values(store) == [0.0, 1.0]
        wrong = InfluxAddress(plain.scheme, plain.host, plain.port, "canteen", "caretaker", "guess")
        with closing(InfluxSeriesStore(wrong)) as store:
            with pytest.raises(StoreRefusedError, match="401") as caught:
                store.append(batch_of("school", T0, minutes(0, 2)))
            assert "token" in caught.value.remedy
            assert "guess" not in str(caught.value)
    finally:
        server.stop()


@pytest.mark.parametrize("version", ["1.8.10", "v2.7.11", "3.0.1"])
def test_the_paths_of_newer_versions_keep_the_same_promises(influxd: Influxd, version: str) -> None:
    front = Front(version, behind=influxd.address("canteen"))
    with closing(Connection(influxd.address("canteen"))) as connection:
        assert connection.version.major == 1  # makes the database, which on 2.x is a person's work
    with influx_front(front), closing(InfluxSeriesStore(front.address())) as store:
        same = batch_of("school", T0, [*minutes(0, 20), Reading(FRIDGE, T0, NAN, Quality.BAD, "E1")])
        assert store.append(same).collisions == 1
        assert store.append(same).duplicates == 21
        assert len(values(store)) == store.count("school") == 21
        assert store.latest("school")[0].value == 19.0
        assert store.window("school", FRIDGE, T0, T0 + SUMMARY_STEP, SUMMARY_STEP).count.tolist() == [15]
        if version.startswith("3"):
            with pytest.raises(StoreRefusedError, match="retention period"):
                store.purge("school", T0 + SUMMARY_STEP)
        else:
            assert store.purge("school", T0 + SUMMARY_STEP) == 16
            assert len(values(store)) == 5
            assert store.window("school", FRIDGE, T0, T0 + SUMMARY_STEP, SUMMARY_STEP).count.tolist() == [15]
    writes = {asked.path for asked in front.asked if "write" in asked.path}
    assert writes == {"/api/v2/write"}
    assert all(";" not in asked.statement for asked in front.of("/query"))
