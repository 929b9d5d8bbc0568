"""The audit trail is append-only and chained: whoever changes, removes or inserts an entry is seen."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from domain.alarms import EventKind
from domain.records import Clock, EntryKind
from store.operational.audit import GENESIS, canonical
from store.operational.store import OperationalStore
from tests.contract.operational_stories import T0, commit, event

CHANGES = (
    ("UPDATE audit SET by = 'nobody' WHERE id = 2", "entry 2 was changed"),
    ("UPDATE audit SET detail = '{\"revision\":9}' WHERE id = 2", "entry 2 was changed"),
    ("UPDATE audit SET at = at + 1 WHERE id = 1", "entry 1 was changed"),
    ("DELETE FROM audit WHERE id = 2", "does not follow"),
    ("DELETE FROM audit WHERE id = 1", "does not follow"),
    ("UPDATE transitions SET value = 3 WHERE id = 1", "covers were changed or removed"),
    ("UPDATE transitions SET note = 'nothing happened' WHERE id = 2", "covers were changed or removed"),
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "operational.sqlite"
    with closing(OperationalStore(f"sqlite:///{path}")) as store:
        store.apply_site("school", [("site.yaml", "a")], "li", T0)
        store.apply_site("school", [("site.yaml", "校")], "李", T0 + 1)
        store.acquire("school", "worker-1", T0, 1000)
        store.commit(commit(events=(event(EventKind.RAISE, value=9.5),)))
        store.command("school", event(EventKind.ACKNOWLEDGE, 5, by="li", note="牛奶已转移"))
        store.apply_site("annex", [("site.yaml", "b")], "li", T0 + 2)
    return path


def verdict(path: Path, site: str = "school") -> str | None:
    with closing(OperationalStore(f"sqlite:///{path}")) as store:
        return store.verify_audit(site)


def test_an_untouched_trail_holds_together_for_every_site(place: Path) -> None:
    assert [verdict(place, site) for site in ("school", "annex", "never-heard-of")] == [None, None, None]


def test_each_entry_carries_the_hash_of_the_one_before_it_on_the_same_site(place: Path) -> None:
    with closing(OperationalStore(f"sqlite:///{place}")) as store:
        school = store.audit("school", 100)[::-1]
        annex = store.audit("annex", 100)
        heads = store.audit_heads()
        older = store.audit(None, 2, before=3)
    assert [entry["action"] for entry in school] == [
        "apply_site", "apply_site", "transitions", "acknowledge", "transitions",
    ]  # fmt: skip
    assert [entry["previous"] for entry in school] == [GENESIS] + [entry["hash"] for entry in school[:-1]]
    assert annex[0]["previous"] == GENESIS
    assert heads == {"annex": annex[0]["hash"], "school": school[-1]["hash"]}
    assert [entry["id"] for entry in older] == [2, 1]


@pytest.mark.parametrize("statement", ["UPDATE audit SET by = 'x'", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_the_trail(place: Path, statement: str) -> None:
    with closing(sqlite3.connect(place)) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)


@pytest.mark.parametrize(("statement", "words"), CHANGES)
def test_who_takes_the_triggers_away_and_changes_something_is_seen(place: Path, statement: str, words: str) -> None:
    with closing(sqlite3.connect(place)) as connection, connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("DROP TRIGGER audit_no_delete")
        connection.execute(statement)
    assert words in (verdict(place) or "nothing seen")
    assert verdict(place, "annex") is None


def test_a_head_kept_elsewhere_shows_that_the_end_was_cut_off(place: Path) -> None:
    with closing(OperationalStore(f"sqlite:///{place}")) as store:
        kept = store.audit_heads()["school"]
    with closing(sqlite3.connect(place)) as connection, connection:
        connection.execute("DROP TRIGGER audit_no_delete")
        connection.execute("DELETE FROM audit WHERE site = 'school' AND id > 3")
    assert verdict(place) is None  # the chain alone cannot tell
    with closing(OperationalStore(f"sqlite:///{place}")) as store:
        assert store.audit_heads()["school"] != kept


def test_a_commit_that_changes_no_alarm_leaves_no_audit_entry(place: Path) -> None:
    with closing(OperationalStore(f"sqlite:///{place}")) as store:
        before = len(store.audit(None, 100))
        store.commit(commit(entries=((EntryKind.CLOCK, Clock(T0, True)),)))
        assert len(store.audit(None, 100)) == before


def test_a_note_of_something_done_elsewhere_joins_the_chain(place: Path) -> None:
    with closing(OperationalStore(f"sqlite:///{place}")) as store:
        store.note("school", T0 + 9, "li", "restore", {"made_at": "yesterday"})
        assert store.audit("school", 1)[0]["detail"] == {"made_at": "yesterday"}
    assert verdict(place) is None


def test_a_transition_that_is_referred_to_cannot_be_deleted(place: Path) -> None:
    with (
        closing(OperationalStore(f"sqlite:///{place}")) as store,
        pytest.raises(IntegrityError, match="FOREIGN KEY"),
        store._database.write() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM transitions WHERE id = 1")


@pytest.mark.parametrize("value", [-0.0, 0.1 + 0.2, 1e300, 8, float("nan"), float("inf")])
def test_a_value_that_the_database_gives_back_differently_does_not_break_the_seal(place: Path, value: float) -> None:
    with closing(OperationalStore(f"sqlite:///{place}")) as store:
        store.commit(commit(events=(event(EventKind.STEP_UP, 9, value=value),)))
        store.commit(commit(events=(event(EventKind.CLEAR, 10, value=value),)))
    assert verdict(place) is None


def test_canonical_json_is_one_text_per_value() -> None:
    assert canonical({"b": 1, "a": {"d": [1.5, None], "c": "中"}}) == '{"a":{"c":"中","d":[1.5,null]},"b":1}'.encode()
