"""Moving to other stores: every row with its number, every reading once; nothing over what is there."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from domain.alarms import EventKind
from domain.batch import Gap, batch_of
from domain.errors import CaretakerError
from domain.readings import Quality, Reading
from domain.reasons import DeadReason
from domain.records import DeadLetter, EntryKind, TransitionFilter
from store import moving
from store.moving import move_operational, move_readings
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.contract.operational_stories import POINT, T0, WARM, batch, commit, event

END = T0 + 10**9
LETTER = DeadLetter("school", T0, "caretaker/1/school/agents/a/readings", b"\x00raw", DeadReason.NOT_JSON, "bad")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An operational store with something in every kind of table."""
    path = tmp_path / "old.sqlite"
    with closing(OperationalStore(f"sqlite:///{path}")) as store:
        store.apply_site("school", [("site.yaml", "地点")], "li", T0)
        store.apply_rules("school", [("rules.yaml", "r")], "li", T0)
        store.commission("school", T0, "li", T0)
        epoch = store.acquire("school", "worker-1", T0, 30_000)
        assert epoch == 1
        store.commit(
            commit(
                entries=((EntryKind.BATCH, batch()),), events=(event(EventKind.RAISE, 100, value=9.5),),
                dead_letters=(LETTER,), serial=1,
            )
        )  # fmt: skip
        store.save_snapshot("school", 1, b"\x00\xff", T0)
        store.set_cursor("school", "series", 1)
        store.command("school", event(EventKind.ACKNOWLEDGE, 200, by="cook"))
    return path


@pytest.fixture
def new(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/new.sqlite"


def rows(path: str, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path.removeprefix("sqlite:///"))) as connection:
        return sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)


def test_every_row_of_every_table_arrives_with_its_number(old: Path, new: str) -> None:
    counts = move_operational(old, new)
    assert counts["transitions"] == 2
    assert counts["journal"] == counts["snapshots"] == counts["dead_letters"] == 1
    for table in counts:
        if table not in ("leases", "processes"):
            assert rows(new, table) == rows(str(old), table), table


def test_the_moved_store_goes_on_where_the_old_one_stopped(old: Path, new: str) -> None:
    move_operational(old, new)
    with closing(OperationalStore(new)) as store:
        alarm = store.alarm("school", WARM)
        assert alarm is not None
        assert store.verify_audit("school") is None
        assert store.acquire("school", "worker-2", T0, 30_000) == 2, (
            "the old lease is free, its epoch is not used again"
        )
        done = store.commit(
            replace(commit(epoch=2, events=(event(EventKind.CLEAR, 300),), serial=1), worker="worker-2")
        )
        assert [one.id for one in done.transitions] == [3]
        assert len(store.transitions(TransitionFilter("school"), 10)) == 3
        assert store.verify_audit("school") is None


def test_signs_of_life_stay_behind(old: Path, new: str) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("INSERT INTO processes VALUES ('web', 1, 2, 3, '{}')")
    assert move_operational(old, new)["processes"] == 0


def test_more_rows_than_one_statement_takes(old: Path, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "ROWS", 1)
    assert move_operational(old, new)["transitions"] == 2


def test_a_database_that_holds_data_is_refused_and_stays_as_it_is(old: Path, new: str) -> None:
    with closing(OperationalStore(new)) as store:
        store.apply_site("annex", [("site.yaml", "a")], "li", T0)
    with pytest.raises(CaretakerError, match="holds data already"):
        move_operational(old, new)
    assert len(rows(new, "site_revisions")) == 1
    assert rows(new, "transitions") == []


def test_an_empty_store_moves_as_nothing(tmp_path: Path, new: str) -> None:
    OperationalStore(f"sqlite:///{tmp_path}/empty.sqlite").close()
    assert set(move_operational(tmp_path / "empty.sqlite", new).values()) == {0}


def test_an_audit_that_was_tampered_with_is_not_moved(old: Path, new: str) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("DROP TRIGGER IF EXISTS audit_no_update")
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE audit SET detail = '{}' WHERE id = 1")
    with pytest.raises(CaretakerError, match="audit of school"):
        move_operational(old, new)
    assert rows(new, "audit") == []


@pytest.fixture
def series(tmp_path: Path) -> Iterator[tuple[SqliteSeriesStore, SqliteSeriesStore]]:
    with (
        closing(SqliteSeriesStore(tmp_path / "a.sqlite")) as source,
        closing(SqliteSeriesStore(tmp_path / "b.sqlite")) as target,
    ):
        yield source, target


def test_every_reading_and_gap_arrives_once_however_often_it_is_moved(
    series: tuple[SqliteSeriesStore, SqliteSeriesStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "READINGS", 2)
    source, target = series
    readings = [Reading(POINT, T0 + number * 1000, 4.0 + number) for number in range(4)]
    readings.append(Reading(POINT, T0 + 9_000, math.nan, Quality.BAD, "85"))
    readings.append(Reading("pump/status", T0, 1.0, Quality.UNCERTAIN, "run"))
    source.append(batch_of("school", T0, readings))
    source.append(batch_of("school", T0, [Reading(POINT, T0, 7.0)]))  # a collision: moved by a millisecond
    source.add_gaps("school", [Gap("kitchen", T0, T0 + 5, 3, "outbox_full")])
    (moved,) = move_readings(source, target, ["school"], T0)
    assert (moved.points, moved.stored, moved.present, moved.refused) == (2, 7, 0, 0)
    for point in (POINT, "pump/status"):
        before, after = source.read("school", point, 0, END), target.read("school", point, 0, END)
        assert after.time.tolist() == before.time.tolist()
        assert repr(after.value.tolist()) == repr(before.value.tolist())
        assert (after.quality, after.texts) == (before.quality, before.texts)
    assert target.gaps("school", 0, END) == source.gaps("school", 0, END)
    (again,) = move_readings(source, target, ["school"], T0)
    assert (again.stored, again.present) == (0, 7)
    assert target.count("school") == source.count("school")


def test_what_the_target_has_already_is_kept_and_a_site_without_readings_moves_as_nothing(
    series: tuple[SqliteSeriesStore, SqliteSeriesStore],
) -> None:
    source, target = series
    source.append(batch_of("school", T0, [Reading(POINT, T0, 4.0)]))
    target.append(batch_of("school", T0, [Reading(POINT, T0 + 1000, 5.0)]))
    first, second = move_readings(source, target, ["annex", "school"], T0)
    assert (first.points, first.stored) == (0, 0)
    assert (second.stored, target.count("school")) == (1, 2)
