"""Which failures of a database mean "try again", and what is shown of its address."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from domain.errors import CaretakerError, StoreUnavailableError
from domain.records import ProcessRow
from store import sqlite_files
from store.engine import Database
from store.operational.store import OperationalStore
from tests.contract.operational_stories import T0


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/operational.sqlite"


def test_a_file_that_another_process_holds_locked_is_tried_again(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.engine.BUSY_MS", 50)
    monkeypatch.setattr("store.engine._PRAGMAS", ("PRAGMA busy_timeout = 50",))
    monkeypatch.setattr(sqlite_files, "BUSY_MS", 50)
    with closing(OperationalStore(place)) as store:
        with closing(sqlite3.connect(place.removeprefix("sqlite:///"), isolation_level=None)) as rival:
            rival.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError, match="locked") as refused:
                store.beat(ProcessRow("web", 1, T0, T0))
            assert "operational.sqlite" in refused.value.message
            assert refused.value.remedy
        store.beat(ProcessRow("web", 1, T0, T0))
        assert [row.name for row in store.processes()] == ["web"]


def test_a_disk_without_room_is_tried_again(place: str) -> None:
    with closing(Database(place)) as database:
        with database.write() as connection:
            connection.execute(text("CREATE TABLE t (v BLOB)"))
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        with pytest.raises(StoreUnavailableError, match="full"), database.write() as connection:
            connection.execute(text("INSERT INTO t VALUES (zeroblob(1000000))"))


def test_what_the_program_did_wrong_is_no_reason_to_try_again(place: str) -> None:
    with closing(Database(place)) as database:
        with pytest.raises(OperationalError, match="no such table"), database.read() as connection:
            connection.execute(text("SELECT * FROM absent"))
        with database.write() as connection:
            connection.execute(text("CREATE TABLE t (v INTEGER PRIMARY KEY)"))
            connection.execute(text("INSERT INTO t VALUES (1)"))
        with pytest.raises(IntegrityError), database.write() as connection:
            connection.execute(text("INSERT INTO t VALUES (1)"))


def test_an_error_of_the_callers_own_passes_through_and_undoes_the_transaction(place: str) -> None:
    with closing(Database(place)) as database:
        with database.write() as connection:
            connection.execute(text("CREATE TABLE t (v INTEGER)"))
        with pytest.raises(KeyError):
            _stop_half_way(database)
        with database.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM t")).scalar() == 0


def test_no_free_connection_in_time_is_tried_again(place: str) -> None:
    with closing(Database(place)) as database, pytest.raises(StoreUnavailableError, match="pool"), database.read():
        raise PoolTimeoutError("the pool is empty")


def test_a_servers_name_is_shown_without_its_password() -> None:
    database = Database("postgresql://caretaker:s3cret@db.example:5432/caretaker?sslmode=require")
    assert "db.example:5432/caretaker" in database.name
    assert "s3cret" not in database.name
    assert not database.is_sqlite
    database.close()


@pytest.mark.parametrize("url", ["mysql://u:s3cret@h/n", "postgresql://u:s3cret@h:many/n"])
def test_an_address_that_cannot_be_used_is_not_repeated(url: str) -> None:
    with pytest.raises(CaretakerError) as refused:
        Database(url)
    assert "s3cret" not in str(refused.value)
    assert refused.value.remedy


def _stop_half_way(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
        raise KeyError("mine")
