"""The stores that the operational contract runs against."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.alarms import EventKind
from store.operational.store import OperationalStore
from tests.contract.operational_stories import FACTORIES, T0, commit, event


@pytest.fixture(params=FACTORIES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OperationalStore]:
    made = FACTORIES[request.param](tmp_path)
    assert made.acquire("school", "worker-1", T0, 30_000) == 1
    yield made
    made.close()


@pytest.fixture
def raised(store: OperationalStore) -> OperationalStore:
    store.commit(commit(events=(event(EventKind.RAISE, 100, value=9.5),), rules_revision=3))
    return store
