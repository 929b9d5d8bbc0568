"""Migrations give both databases the schema of the code: from nothing, and up from every version, with its data."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from domain.errors import CaretakerError, FencedError
from domain.records import EntryKind
from store import schema
from store.engine import Database
from store.migrate import HEAD, SCRIPTS, migrate, version
from store.operational.store import OperationalStore
from tests.contract.operational_stories import T0, batch, commit, one_batch
from tests.postgres import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.sqlite"
        return
    server: Server = request.getfixturevalue("postgres_server")
    url = server.database()
    yield url
    server.drop(url)


def config(connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    made.attributes["connection"] = connection
    return made


VERSIONS = [str(script.revision) for script in ScriptDirectory.from_config(config()).walk_revisions()]


def at_version(url: str, wanted: str) -> None:
    with closing(Database(url)) as database, database.write() as connection:
        command.upgrade(config(connection), wanted)


def shape(connection: Connection) -> dict[str, object]:
    """Everything of the schema that the database tells: columns, keys, indexes, foreign keys."""
    found = inspect(connection)
    return {
        table: (
            [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in found.get_columns(table)
            ],
            found.get_pk_constraint(table),
            sorted((index["name"] or "", index["column_names"]) for index in found.get_indexes(table)),
            sorted((key["name"] or "", key["constrained_columns"]) for key in found.get_foreign_keys(table)),
        )
        for table in sorted(found.get_table_names())
        if table != "alembic_version"
    }


def from_scratch(empty: str, request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, object]:
    url = f"sqlite:///{tmp_path}/scratch.sqlite"
    if not empty.startswith("sqlite"):
        url = request.getfixturevalue("postgres_server").database().replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url)
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        made = shape(connection)
    engine.dispose()
    return made


@pytest.mark.parametrize("start", [None, *VERSIONS])
def test_every_version_comes_to_the_schema_of_the_code(
    empty: str, start: str | None, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if start is not None:
        at_version(empty, start)
    with closing(Database(empty)) as database:
        migrate(database)
        with database.read() as connection:
            assert version(connection) == HEAD
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
            assert shape(connection) == from_scratch(empty, request, tmp_path)


def test_a_store_of_the_first_version_goes_on_with_its_data(empty: str) -> None:
    at_version(empty, "0001")
    engine = create_engine(empty.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO journal_ends (site, n, bytes) VALUES ('school', 41, 1000)"))
        connection.execute(text("INSERT INTO leases VALUES ('school', 'worker-1', 3, 0)"))
        connection.execute(
            text(
                "INSERT INTO audit (id, site, at, by, action, subject, detail, previous, hash) "
                "VALUES (1, 'annex', 1, 'li', 'commission', 'annex', '{}', '', '')"
            )
        )
    engine.dispose()
    with closing(OperationalStore(empty)) as store:
        assert (store.journal_end("school"), store.journal_bytes("school")) == (41, 1_000)
        assert store.acquire("school", "worker-1", T0, 30_000) == 4
        with pytest.raises(FencedError):
            store.commit(one_batch(epoch=3))
        assert store.commit(commit(4, entries=((EntryKind.BATCH, batch()),), serial=1)).n == 42
        assert store.audit("annex", 9)[0]["by"] == "li"


def test_workers_that_start_at_once_migrate_once(empty: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(OperationalStore, [empty] * 4))
    for store in opened:
        assert store.sites() == []
        store.close()


def test_a_migration_that_stops_half_way_leaves_nothing(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise RuntimeError("the power went")

    with closing(Database(empty)) as database:
        with monkeypatch.context() as broken:
            broken.setattr("alembic.op.add_column", stop)  # of the second version: the first is undone with it
            with pytest.raises(RuntimeError, match="the power went"):
                migrate(database)
        with database.read() as connection:
            assert inspect(connection).get_table_names() == []
        migrate(database)


def test_a_store_of_a_newer_caretaker_is_left_alone(empty: str) -> None:
    OperationalStore(empty).close()
    with closing(Database(empty)) as database, database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CaretakerError, match="schema version 9999"):
        OperationalStore(empty)
