"""The backup that docs/stores.md tells of: pg_dump while people write, pg_restore into an empty database."""

import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from domain.alarms import EventKind
from domain.records import TransitionFilter
from store.operational.leases import LeaseClock
from store.operational.store import OperationalStore
from tests.contract.operational_stories import T0, commit, event, one_batch
from tests.postgres import Server
from tests.support import needs

pytestmark = pytest.mark.integration
PAGE = Path(__file__).parents[2] / "docs" / "stores.md"


def as_written(program: str, **names: str) -> list[str]:
    """The page's command line, with the names filled in."""
    line = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"{program} "))
    words = line.partition("  #")[0].split()
    for name, value in names.items():
        words = [word.replace(f'"${name}"', value) for word in words]
    return [needs(program, "postgresql-client"), *words[1:]]


def test_a_dump_is_restored_whole_and_goes_on(postgres_url: str, postgres_server: Server, tmp_path: Path) -> None:
    with closing(OperationalStore(postgres_url, LeaseClock.CALLER)) as store:
        assert store.acquire("school", "worker-1", T0, 30_000) == 1
        store.apply_site("school", [("site.yaml", "site: {id: school}")], "li", T0)
        store.commit(one_batch())
        store.commit(commit(events=(event(EventKind.RAISE, 100),)))
        subprocess.run(as_written("pg_dump", URL=postgres_url), check=True, cwd=tmp_path)
        heads = store.audit_heads()
        store.commit(commit(events=(event(EventKind.CLEAR, 200),)))  # after the backup
    empty = postgres_server.database("template0")
    subprocess.run(as_written("pg_restore", EMPTY_DATABASE=empty), check=True, cwd=tmp_path)
    with closing(OperationalStore(empty, LeaseClock.CALLER)) as restored:
        assert (restored.audit_heads(), restored.verify_audit("school")) == (heads, None)
        assert (restored.sites(), restored.journal_end("school")) == (["school"], 1)
        again = restored.commit(commit(events=(event(EventKind.CLEAR, 200),)))
        assert [row.id for row in again.transitions] == [2]
        assert len(restored.transitions(TransitionFilter(), 9)) == 2
