"""The stores that the operational contract runs against."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from domain.alarms import EventKind
from store.operational.leases import LeaseClock
from store.operational.store import OperationalStore
from tests.contract.operational_stories import T0, commit, event
from tests.postgres import Server


@pytest.fixture(scope="session")
def migrated(postgres_server: Server) -> str:
    """The name of a database that has the newest schema already: each test's own is a copy of it."""
    url = postgres_server.database()
    OperationalStore(url).close()
    return url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty operational store of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/operational.sqlite"
        return
    server: Server = request.getfixturevalue("postgres_server")
    url = server.database(request.getfixturevalue("migrated"))
    yield url
    server.drop(url)


@pytest.fixture
def store(place: str) -> Iterator[OperationalStore]:
    """A store whose leases go by the time that the test tells; worker-1 has the school."""
    with closing(OperationalStore(place, LeaseClock.CALLER)) as made:
        assert made.acquire("school", "worker-1", T0, 30_000) == 1
        yield made


@pytest.fixture
def raised(store: OperationalStore) -> OperationalStore:
    store.commit(commit(events=(event(EventKind.RAISE, 100, value=9.5),), rules_revision=3))
    return store
