"""The migrations make the schema of the code, once, whatever was there before; connections are durable."""

from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, inspect, select, text
from sqlalchemy.schema import CreateTable

from domain.errors import CaretakerError
from store import schema
from store.engine import Database
from store.migrate import HEAD, SCRIPTS, migrate, version
from store.operational.store import OperationalStore
from store.operational.upsert import new_column, upsert


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/deep/folder/operational.sqlite"


def test_upgrading_an_empty_database_gives_the_schema_of_the_code(place: str) -> None:
    with closing(Database(place)) as database:
        migrate(database)
        with database.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
            made = {name: _columns(connection, name) for name in schema.metadata.tables}
    fresh = create_engine("sqlite://")
    with fresh.connect() as connection:
        schema.metadata.create_all(connection)
        assert made == {name: _columns(connection, name) for name in schema.metadata.tables}
    fresh.dispose()


def _columns(connection: object, table: str) -> list[tuple[str, str, bool, object]]:
    found = inspect(connection).get_columns(table)  # type: ignore[call-overload]
    return [(column["name"], str(column["type"]), column["nullable"], column["default"]) for column in found]


def test_the_head_that_the_code_expects_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_every_table_can_be_made_on_postgresql() -> None:
    from sqlalchemy.dialects import postgresql

    for table in schema.metadata.sorted_tables:
        made = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
        assert table.name in made


def test_migrating_again_changes_nothing(place: str) -> None:
    with closing(Database(place)) as database:
        with database.read() as connection:
            assert version(connection) is None
        for _ in range(2):
            migrate(database)
            with database.read() as connection:
                assert version(connection) == HEAD


def test_a_migration_that_stops_half_way_leaves_the_database_as_it_was(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise RuntimeError("the power went")

    with closing(Database(place)) as database:
        with monkeypatch.context() as broken:
            broken.setattr("alembic.op.create_index", stop)
            with pytest.raises(RuntimeError, match="the power went"):
                migrate(database)
        with database.read() as connection:
            assert inspect(connection).get_table_names() == []
        migrate(database)


def test_a_store_of_a_newer_caretaker_is_refused_with_a_remedy(place: str) -> None:
    OperationalStore(place).close()
    with closing(Database(place)) as database, database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CaretakerError, match="schema version 9999") as refused:
        OperationalStore(place)
    assert "newer Caretaker" in refused.value.remedy


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no url at all", "not a database URL"),
        ("mysql://host/name", "mysql is not a database Caretaker knows"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_a_url_that_cannot_work_is_refused_with_a_remedy(url: str, words: str) -> None:
    with pytest.raises(CaretakerError, match=words) as refused:
        OperationalStore(url)
    assert refused.value.remedy


def test_connections_are_durable_and_check_foreign_keys(place: str) -> None:
    with closing(Database(place)) as database, database.read() as connection:
        wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
        assert {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in wanted} == wanted


def test_a_writing_transaction_takes_its_turn_at_its_beginning_and_a_failure_undoes_it(place: str) -> None:
    OperationalStore(place).close()
    with closing(Database(place)) as database:
        with pytest.raises(RuntimeError, match="half-way"):
            _stop_half_way(database)
        with database.read() as connection:
            assert connection.execute(select(schema.cursors)).all() == []


def _stop_half_way(database: Database) -> None:
    with database.write() as connection:
        upsert(connection, schema.cursors, [{"site": "a", "name": "b", "n": 1}], ("n",))
        with database.read() as other:  # a reader is not held up, and sees nothing of it
            assert other.execute(select(schema.cursors)).all() == []
        raise RuntimeError("half-way")


def test_upsert_inserts_updates_leaves_alone_or_asks() -> None:
    table = Table("t", MetaData(), Column("k", Integer, primary_key=True), Column("v", Integer))
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        table.create(connection)
        upsert(connection, table, [], ("v",))
        upsert(connection, table, [{"k": 1, "v": 1}, {"k": 2, "v": 1}], ("v",))
        upsert(connection, table, [{"k": 1, "v": 5}], ())
        upsert(connection, table, [{"k": 1, "v": 0}, {"k": 2, "v": 9}], ("v",), new_column("v") > table.c.v)
        assert connection.execute(select(table)).all() == [(1, 1), (2, 9)]
    engine.dispose()
