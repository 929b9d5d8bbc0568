"""A connection is made ready although another process opens the same file at that moment; and how purging is cut."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from domain.batch import Gap
from store.series_sqlite import IDLE_READERS, SqliteSeriesStore
from store.sqlite_files import prepare
from tests.contract.operational_stories import POINT, T0, batch

WAL = ("PRAGMA journal_mode = WAL",)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """A connection that holds the file for itself, and another that wants it."""
    path = tmp_path / "x.sqlite"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as holder,
        closing(sqlite3.connect(path, timeout=0)) as mine,
    ):
        holder.execute("CREATE TABLE t (x)")
        holder.execute("BEGIN EXCLUSIVE")
        yield holder, mine


def test_a_file_that_is_locked_for_a_moment_is_tried_again(
    locked: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    holder, mine = locked
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            holder.execute("COMMIT")

    prepare(mine, WAL, lambda: sum(pauses), pause)
    assert mine.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert len(pauses) == 3


def test_a_file_that_stays_locked_is_given_up_after_the_busy_time(
    locked: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    pauses: list[float] = []
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        prepare(locked[1], WAL, lambda: sum(pauses), pauses.append)
    assert sum(pauses) == pytest.approx(10, abs=0.1)


def test_another_error_is_not_tried_again() -> None:
    with closing(sqlite3.connect(":memory:")) as mine, pytest.raises(sqlite3.OperationalError, match="syntax error"):
        prepare(mine, ("PRAGMA nonsense nonsense",), pause=lambda _: pytest.fail("tried again"))


def test_a_purge_in_pieces_deletes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.series_sqlite.PURGE_CHUNK", 2)
    with closing(SqliteSeriesStore(tmp_path / "s.sqlite")) as store:
        store.append(batch(rows=7))
        store.append(batch(100, rows=2))
        store.add_gaps("school", [Gap("kitchen", T0, T0 + 50, 1, "dropped")])
        assert store.purge("school", T0 + 100) == 7
        assert (store.count("school"), store.gaps("school", 0, T0 * 2)) == (2, [])
        assert store.purge("elsewhere", T0 * 2) == 0


def test_a_purged_collision_does_not_come_back_as_two(tmp_path: Path) -> None:
    with closing(SqliteSeriesStore(tmp_path / "s.sqlite")) as store:
        store.append(batch(rows=1))
        moved = batch(rows=1)
        store.append(
            type(moved)(**{name: getattr(moved, name) for name in moved.__slots__} | {"value": moved.value + 1})
        )
        assert store.purge("school", T0 + 10) == 2
        assert store._writer.execute("SELECT COUNT(*) FROM moved").fetchone() == (0,)
        assert store.append(batch(rows=1)).stored == 1


def test_read_connections_are_reused_and_not_kept_without_bound(tmp_path: Path) -> None:
    with closing(SqliteSeriesStore(tmp_path / "s.sqlite")) as store:
        store.append(batch())
        for _ in range(3):
            assert len(store.read("school", POINT, 0, T0 * 2).time) == 3
        assert len(store._idle) == 1
        many = [store._reading() for _ in range(IDLE_READERS + 3)]
        for reading in many:
            reading.__enter__()
        for reading in many:
            reading.__exit__(None, None, None)
        assert len(store._idle) == IDLE_READERS


def _execute(store: SqliteSeriesStore, statement: str) -> None:
    with store._reading() as connection:
        connection.execute(statement)


def test_a_read_that_fails_does_not_give_its_connection_back(tmp_path: Path) -> None:
    with closing(SqliteSeriesStore(tmp_path / "s.sqlite")) as store:
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            _execute(store, "SELECT * FROM nowhere")
        assert store._idle == []


def test_a_read_connection_cannot_write(tmp_path: Path) -> None:
    store = SqliteSeriesStore(tmp_path / "s.sqlite")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        _execute(store, "DELETE FROM points")
    store.close()
