"""What every operational store must do with decisions about food: add, supersede, audit, never change."""

from dataclasses import replace

import pytest

from domain.alarms import EventKind, FoodFate
from domain.errors import ConflictError, NotFoundError
from domain.food import FoodDecision, FoodOption
from domain.records import Excursion, Purgeable
from domain.times import HOUR
from store.operational.retention import KEPT_FOR
from store.operational.store import OperationalStore
from tests.contract.operational_stories import POINT, T0, commit, event


def excursion_of(store: OperationalStore) -> Excursion:
    """One excursion of an hour, as the engine's events make it."""
    store.commit(commit(events=(event(EventKind.RAISE), event(EventKind.CLEAR, HOUR))))
    (found,) = store.excursions("school", POINT, T0, T0 + HOUR)
    return found


def decision(excursion: int, **parts: object) -> FoodDecision:
    made = FoodDecision(
        "school", excursion, FoodOption.ASSESS, FoodFate.MOVED, "Li", T0 + 2 * HOUR, "5 °C in the middle"
    )
    return replace(made, **parts)  # type: ignore[arg-type]


def test_a_decision_is_kept_with_who_what_and_what_was_seen(store: OperationalStore) -> None:
    about = excursion_of(store)
    kept = store.decide_food(decision(about.id, seen='{"beyond":3600000}'))
    assert kept.id > 0
    assert store.food_decisions("school", [about.id]) == [kept]
    assert replace(kept, id=0) == decision(about.id, seen='{"beyond":3600000}')


def test_an_excursion_is_found_by_its_id_and_only_at_its_own_site(store: OperationalStore) -> None:
    about = excursion_of(store)
    assert store.excursion("school", about.id) == about
    assert store.excursion("annex", about.id) is None
    assert store.excursion("school", about.id + 1) is None
    assert store.food_decisions("school", []) == store.food_decisions("annex", [about.id]) == []


def test_a_newer_decision_supersedes_and_the_older_stays_as_it_was(store: OperationalStore) -> None:
    about = excursion_of(store)
    first = store.decide_food(decision(about.id))
    second = store.decide_food(decision(about.id, option=FoodOption.DISCARD, fate=FoodFate.DISCARDED), first.id)
    assert store.food_decisions("school", [about.id]) == [first, second]


def test_who_did_not_see_the_newest_decision_is_refused_and_nothing_is_written(store: OperationalStore) -> None:
    about = excursion_of(store)
    first = store.decide_food(decision(about.id))
    entries = len(store.audit("school", 100))
    with pytest.raises(ConflictError, match=r"assess, by Li") as refused:
        store.decide_food(decision(about.id, by="Wang", option=FoodOption.USE))
    assert refused.value.remedy == "look at it again, then decide"
    with pytest.raises(ConflictError):
        store.decide_food(decision(about.id), first.id + 1)
    assert store.food_decisions("school", [about.id]) == [first]
    assert len(store.audit("school", 100)) == entries


def test_a_decision_that_supersedes_what_never_was_is_refused(store: OperationalStore) -> None:
    about = excursion_of(store)
    with pytest.raises(ConflictError, match="does not exist"):
        store.decide_food(decision(about.id), 99)


def test_there_is_no_decision_about_an_excursion_that_never_was(store: OperationalStore) -> None:
    with pytest.raises(NotFoundError, match="no excursion 7"):
        store.decide_food(decision(7))
    about = excursion_of(store)
    with pytest.raises(NotFoundError, match="annex"):
        store.decide_food(decision(about.id, site="annex"))


def test_each_decision_stands_in_the_audits_chain(store: OperationalStore) -> None:
    about = excursion_of(store)
    kept = store.decide_food(decision(about.id, seen='{"beyond":1}'))
    newest = store.audit("school", 1)[0]
    assert (newest["action"], newest["by"], newest["subject"]) == ("decide_food", "Li", f"{about.rule} {about.point}")
    assert newest["detail"] == {
        "decision": kept.id, "excursion": about.id, "option": "assess", "fate": "moved", "note": "5 °C in the middle",
        "seen": '{"beyond":1}', "supersedes": None, "start": about.start, "end": about.end,
    }  # fmt: skip
    assert store.verify_audit("school") is None


def test_what_a_database_cannot_hold_is_made_plain(store: OperationalStore) -> None:
    about = excursion_of(store)
    kept = store.decide_food(decision(about.id, note="a\x00b", by="L\x00i"))
    assert store.food_decisions("school", [about.id]) == [kept]
    assert "\x00" not in kept.note + kept.by


def test_when_an_excursion_is_purged_after_two_years_its_decisions_go_with_it(store: OperationalStore) -> None:
    about = excursion_of(store)
    store.decide_food(decision(about.id))
    now = T0 + KEPT_FOR[Purgeable.EXCURSIONS] + 3 * HOUR
    assert store.purge_before("school", Purgeable.EXCURSIONS, T0 + 2 * HOUR, "Li", now) == 1
    assert store.food_decisions("school", [about.id]) == []
    assert store.excursion("school", about.id) is None
    assert store.verify_audit("school") is None
