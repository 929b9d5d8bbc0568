"""What every operational store must do, whatever is behind it: leases, journal, catalogue, who is there."""

import math
from dataclasses import replace

import numpy as np
import pytest

from domain.alarms import EventKind
from domain.errors import FencedError, NotFoundError
from domain.readings import Quality
from domain.records import (
    AlarmFilter,
    Clock,
    ConfigChange,
    DeadLetter,
    DeadReason,
    Discovery,
    EntryKind,
    Latest,
    Position,
    ProcessRow,
    Review,
    TransitionFilter,
)
from store.operational.store import OperationalStore
from tests.contract.operational_stories import POINT, T0, WARM, batch, commit, event, one_batch

ANY_ALARM, ANY = AlarmFilter(), TransitionFilter()


def test_a_new_store_has_nothing_and_says_so(store: OperationalStore) -> None:
    assert store.sites() == []
    assert (store.journal_end("school"), store.journal("school", 0, 10), store.journal_bytes("school")) == (0, [], 0)
    assert (store.positions("school"), store.owners("school")) == ({}, {})
    assert (store.snapshot("school"), store.cursor("school", "series"), store.trim("school", 99)) == (None, 0, 0)
    assert (store.site_revision("school"), store.rules_revision("school"), store.commissioned_at("school")) == (
        None,
    ) * 3
    assert store.alarms(ANY_ALARM, 10) == ([], 0)
    assert (store.alarm("school", WARM), store.transitions(ANY, 10)) == (None, [])
    assert (store.excursions("school", None, 0, T0), store.latest("school"), store.agents("school")) == ([], [], [])
    assert (store.dead_letters(None, 10), store.discoveries("school"), store.processes()) == ([], [], [])
    assert (store.audit(None, 10), store.verify_audit("school"), store.pending_notices(10)) == ([], None, [])
    assert (list(store.notices(10)), store.dead_letters_dropped()) == ([], 0)


def test_a_lease_is_held_by_one_worker_until_it_expires(store: OperationalStore) -> None:
    assert store.acquire("school", "worker-2", T0 + 29_999, 30_000) is None
    assert store.acquire("school", "worker-2", T0 + 30_000, 30_000) == 2
    assert store.acquire("school", "worker-1", T0 + 31_000, 30_000) is None


def test_renewing_keeps_the_epoch_and_taking_again_gives_a_new_one(store: OperationalStore) -> None:
    assert store.acquire("school", "worker-1", T0 + 20_000, 30_000, epoch=1) == 1
    assert store.acquire("school", "worker-2", T0 + 40_000, 30_000) is None
    assert store.acquire("school", "worker-1", T0 + 41_000, 30_000) == 2  # the same worker, started again
    assert store.acquire("school", "worker-1", T0 + 41_000, 30_000, epoch=1) is None


def test_a_lease_that_ran_out_may_be_renewed_while_nobody_took_it(store: OperationalStore) -> None:
    assert store.acquire("school", "worker-1", T0 + 90_000, 30_000, epoch=1) == 1
    assert store.acquire("school", "worker-2", T0 + 91_000, 30_000) is None


def test_sites_are_leased_apart(store: OperationalStore) -> None:
    assert store.acquire("annex", "worker-2", T0, 30_000) == 1


def test_a_worker_that_was_started_again_is_fenced_from_its_own_past(store: OperationalStore) -> None:
    assert store.acquire("school", "worker-1", T0 + 1, 30_000) == 2
    with pytest.raises(FencedError, match="epoch 2"):
        store.commit(one_batch(epoch=1))
    assert store.commit(one_batch(epoch=2)).n == 1


def test_a_fenced_worker_writes_nothing(store: OperationalStore) -> None:
    store.acquire("school", "worker-2", T0 + 60_000, 30_000)
    late = replace(one_batch(), positions=(Position("kitchen", "b1", 7),), events=(event(EventKind.RAISE),))
    with pytest.raises(FencedError, match="worker-2"):
        store.commit(late)
    with pytest.raises(FencedError, match="nobody"):
        store.commit(commit(site="unheard-of"))
    assert (store.journal_end("school"), store.positions("school"), store.transitions(ANY, 9)) == (0, {}, [])


def test_entries_are_numbered_from_one_without_holes_and_read_back_as_they_were(store: OperationalStore) -> None:
    clock, change = Clock(T0 + 5, True), ConfigChange(2, 3, None)
    review = Review(T0 + 6, ("fridge-1/temperature",), (("cold", "fridge-1/temperature"),))
    first = store.commit(
        commit(
            entries=(
                (EntryKind.BATCH, batch()),
                (EntryKind.CLOCK, clock),
                (EntryKind.CONFIG, change),
                (EntryKind.REVIEW, review),
            )
        )
    )
    second = store.commit(replace(one_batch(start=1000), received=T0 + 1000))
    assert (first.n, second.n, store.journal_end("school")) == (4, 5, 5)
    entries = store.journal("school", 0, 10)
    assert [entry.n for entry in entries] == [1, 2, 3, 4, 5]
    assert [str(entry.kind) for entry in entries] == ["batch", "clock", "config", "review", "batch"]
    assert [entry.content for entry in entries[1:4]] == [clock, change, review]
    assert entries[4].received == T0 + 1000
    content, sent = entries[0].content, batch()
    assert not isinstance(content, Clock | ConfigChange | Review)
    assert (content.spans, content.texts, content.points) == (sent.spans, dict(sent.texts), sent.points)
    np.testing.assert_array_equal(content.value, sent.value)
    assert [entry.n for entry in store.journal("school", 1, 2)] == [2, 3]


def test_a_commit_without_entries_moves_nothing_in_the_journal(store: OperationalStore) -> None:
    store.commit(one_batch())
    assert store.commit(commit()).n == 1


def test_positions_and_owners_are_of_the_last_commit(store: OperationalStore) -> None:
    store.commit(
        commit(positions=(Position("kitchen", "b1", 7), Position("plant", "c1", 2)), owners=((POINT, "kitchen"),))
    )
    store.commit(commit(positions=(Position("kitchen", "b2", 1), Position("kitchen", "b2", 2))))
    assert store.positions("school") == {"kitchen": Position("kitchen", "b2", 2), "plant": Position("plant", "c1", 2)}
    assert store.owners("school") == {POINT: "kitchen"}
    store.commit(commit(owners=((POINT, "plant"),)))
    assert store.owners("school") == {POINT: "plant"}


def test_a_snapshot_replaces_the_older_one(store: OperationalStore) -> None:
    store.save_snapshot("school", 3, b"old", T0)
    store.save_snapshot("school", 9, b"new\x00", T0 + 1)
    assert store.snapshot("school") == (9, b"new\x00")


def test_the_journal_is_trimmed_behind_everybody_and_its_numbers_go_on(store: OperationalStore) -> None:
    for number in range(8):
        store.commit(one_batch(start=number * 10))
    full = store.journal_bytes("school")
    assert store.trim("school", 8) == 0  # no reader has set a cursor, and there is no snapshot
    store.set_cursor("school", "series", 6)
    assert store.trim("school", 8) == 0
    store.save_snapshot("school", 7, b"state", T0)
    assert store.trim("school", 4) == 4
    assert store.trim("school", 8) == 2
    assert [entry.n for entry in store.journal("school", 0, 10)] == [7, 8]
    assert store.journal_bytes("school") == full // 4
    store.set_cursor("school", "series", 8)
    store.save_snapshot("school", 8, b"state", T0)
    assert store.trim("school", 8) == 2
    assert (store.journal_bytes("school"), store.journal_end("school")) == (0, 8)
    assert store.commit(one_batch()).n == 9


def test_a_long_journal_is_trimmed_in_pieces(store: OperationalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.operational.journal.TRIM_CHUNK", 2)
    for number in range(5):
        store.commit(one_batch(start=number * 10))
    store.set_cursor("school", "series", 5)
    store.save_snapshot("school", 5, b"", T0)
    assert store.trim("school", 5) == 5


def test_revisions_are_numbered_and_the_same_documents_give_the_present_one(store: OperationalStore) -> None:
    first = store.apply_site("school", [("site.yaml", "site: 1")], "li", T0)
    again = store.apply_site("school", [("site.yaml", "site: 1")], "wang", T0 + 9)
    second = store.apply_site("school", [("site.yaml", "site: 2")], "wang", T0 + 10)
    assert (first.number, again, second.number) == (1, first, 2)
    assert store.site_revision("school") == second
    assert store.site_revision("school", 1) == first
    assert store.site_revision("school", 3) is None
    assert store.sites() == ["school"]
    assert [(entry["action"], entry["by"]) for entry in store.audit("school", 10)] == [
        ("apply_site", "wang"),
        ("apply_site", "li"),
    ]


def test_going_back_to_older_documents_is_a_revision_of_its_own(store: OperationalStore) -> None:
    for text in ("a", "b", "a"):
        last = store.apply_site("school", [("site.yaml", text)], "li", T0)
    assert last.number == 3


def test_the_history_of_the_rules_says_who_saved_what_and_why(store: OperationalStore) -> None:
    store.apply_site("school", (("site.yaml", "site: {id: school}"),), "setup", T0)
    assert store.rules_revisions("school", 10) == []
    for number, why in enumerate(("", "too noisy at lunch", "back again"), 1):
        store.apply_rules("school", (("own.yaml", f"rules: [] # {number}"),), f"li-{number}", T0 + number, why)
    found = store.rules_revisions("school", 2)
    assert [(one.number, one.applied_by, one.why) for one in found] == [
        (3, "li-3", "back again"), (2, "li-2", "too noisy at lunch"),
    ]  # fmt: skip
    assert [one.number for one in store.rules_revisions("school", 10, before=2)] == [1]
    assert store.rules_revision("school", 2) == found[1]
    assert store.rules_revision("school") == found[0]
    said = [entry["detail"] for entry in store.audit("school", 9) if entry["action"] == "apply_rules"]
    assert [one.get("why") for one in said] == ["back again", "too noisy at lunch", None]  # type: ignore[attr-defined]
    assert store.verify_audit("school") is None


def test_rules_and_commissioning_need_a_site(store: OperationalStore) -> None:
    for attempt in (
        lambda: store.apply_rules("school", [("r.yaml", "rules: []")], "li", T0),
        lambda: store.commission("school", T0, "li", T0),
    ):
        with pytest.raises(NotFoundError, match="no site 'school'"):
            attempt()
    assert store.audit(None, 10) == []


def test_a_site_is_commissioned_and_taken_back_with_an_audit_entry_each(store: OperationalStore) -> None:
    store.apply_site("school", [("site.yaml", "")], "li", T0)
    rules = store.apply_rules("school", [("pack:cn", "rules: []"), ("own.yaml", "")], "li", T0)
    assert store.rules_revision("school") == rules
    assert rules.documents == (("pack:cn", "rules: []"), ("own.yaml", ""))
    store.commission("school", T0 + 5, "li", T0)
    assert store.commissioned_at("school") == T0 + 5
    store.commission("school", None, "li", T0 + 1)
    assert store.commissioned_at("school") is None
    assert [entry["detail"] for entry in store.audit("school", 2)] == [
        {"from": T0 + 5, "to": None},
        {"from": None, "to": T0 + 5},
    ]


def test_discoveries_keep_the_first_sight_and_the_newest_value(store: OperationalStore) -> None:
    store.commit(commit(discoveries=(Discovery("school", "new-1/power", "kitchen", "W", T0, T0, 80.0),)))
    store.commit(commit(discoveries=(Discovery("school", "new-1/power", "kitchen", "W", T0 + 9, T0 + 9, 90.0),)))
    store.commit(commit(discoveries=(Discovery("school", "new-1/power", "plant", "kW", T0 + 3, T0 + 3, 1.0),)))
    assert store.discoveries("school") == [Discovery("school", "new-1/power", "kitchen", "W", T0, T0 + 9, 90.0)]


def test_what_gets_catalogued_is_no_discovery_any_more(store: OperationalStore) -> None:
    unknown = [
        Discovery("school", f"fridge-1/{metric}", "a", "", T0, T0, float("nan")) for metric in ("temperature", "odd")
    ]
    store.commit(commit(discoveries=tuple(unknown)))
    assert math.isnan(store.discoveries("school")[0].value)
    text = """
site: {id: school}
areas: [{id: kitchen}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, points: {temperature: {}}}
"""
    store.apply_site("school", [("site.yaml", text)], "li", T0)
    assert [item.point for item in store.discoveries("school")] == ["fridge-1/odd"]


def test_discoveries_are_bounded_and_the_known_ones_go_on(
    store: OperationalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.operational.catalogue.MAX_DISCOVERIES", 2)
    for number in range(4):
        found = (Discovery("school", f"x-{number}/power", "a", "W", T0, T0 + number, 1.0),)
        store.commit(commit(discoveries=found))
    store.commit(commit(discoveries=(Discovery("school", "x-0/power", "a", "W", T0, T0 + 99, 2.0),)))
    assert [(item.point, item.last_seen - T0) for item in store.discoveries("school")] == [
        ("x-0/power", 99),
        ("x-1/power", 1),
    ]


def test_an_agent_comes_and_goes(store: OperationalStore) -> None:
    store.commit(commit(statuses=(("kitchen", True, "b1"),), births=(("kitchen", b'{"version": "1"}'),)))
    store.commit(commit(received=T0 + 5, positions=(Position("kitchen", "b1", 7),)))
    (agent,) = store.agents("school")
    assert (agent.online, agent.since, agent.boot, agent.through, agent.birth) == (
        True,
        T0,
        "b1",
        7,
        '{"version": "1"}',
    )
    store.commit(commit(received=T0 + 9, statuses=(("kitchen", True, "b1"),)))
    assert store.agents("school")[0].since == T0  # still online: nothing new
    store.commit(commit(received=T0 + 10, statuses=(("kitchen", False, "b1"),)))
    assert [(row.online, row.since) for row in store.agents("school")] == [(False, T0 + 10)]


def test_an_offline_of_an_older_boot_is_ignored(store: OperationalStore) -> None:
    store.commit(commit(statuses=(("kitchen", True, "b1"), ("kitchen", True, "b2"), ("kitchen", False, "b1"))))
    (agent,) = store.agents("school")
    assert (agent.online, agent.boot, agent.through) == (True, "b2", 0)


def test_an_agent_known_only_by_its_packs_or_its_last_will_is_listed(store: OperationalStore) -> None:
    store.commit(
        commit(positions=(Position("meter", "m1", 3),), statuses=(("plant", False, "p1"),), births=(("old", b"\xff"),))
    )
    found = {row.agent: (row.online, row.boot, row.through) for row in store.agents("school")}
    assert found == {"meter": (True, "m1", 3), "plant": (False, "p1", 0), "old": (False, "", 0)}


def test_latest_moves_forward_in_event_time_only(store: OperationalStore) -> None:
    def row(time: int, value: float, quality: Quality = Quality.GOOD) -> Latest:
        return Latest(POINT, T0 + time, value, quality, T0 + 99, "E7" if quality is Quality.BAD else "")

    store.flush_latest("school", [])
    store.flush_latest("school", [row(10, 4.0), row(5, 3.0)])
    store.flush_latest("school", [row(9, 9.0), row(10, 7.0), row(10, 8.0)])
    assert store.latest("school") == [row(10, 4.0)]
    store.flush_latest("annex", [row(1, 1.0), row(3, 3.0), row(3, 5.0), row(2, 2.0)])
    assert store.latest("annex") == [row(3, 3.0)]
    store.flush_latest("school", [row(11, float("nan"), Quality.BAD)])
    (newest,) = store.latest("school")
    assert (newest.time, newest.quality, newest.text, math.isnan(newest.value)) == (T0 + 11, "bad", "E7", True)
    assert store.latest("nowhere") == []


def test_the_newest_revisions_are_known_by_number(store: OperationalStore) -> None:
    assert store.newest_change("annex") is None
    for word in ("site: {id: annex}", "site: {id: annex, name: A}"):
        store.apply_site("annex", [("site.yaml", word)], "li", T0)
    assert store.newest_change("annex") == ConfigChange(2, 0, None)
    store.apply_rules("annex", [("own.yaml", "")], "li", T0)
    store.commission("annex", T0 + 5, "li", T0)
    store.apply_site("other", [("site.yaml", "site: {id: other}")], "li", T0)
    assert store.newest_change("annex") == ConfigChange(2, 1, T0 + 5)


def test_a_process_has_one_row_with_its_last_sign_of_life(store: OperationalStore) -> None:
    store.beat(ProcessRow("web", 10, T0, T0))
    store.beat(ProcessRow("ingest", 11, T0, T0 + 5, '{"rate": 3}'))
    store.beat(ProcessRow("web", 12, T0 + 7, T0 + 8))
    assert store.processes() == [
        ProcessRow("ingest", 11, T0, T0 + 5, '{"rate": 3}'),
        ProcessRow("web", 12, T0 + 7, T0 + 8),
    ]


def letter(number: int, site: str = "school", size: int = 4) -> DeadLetter:
    return DeadLetter(site, T0 + number, "caretaker/1/x", b"\xff" * size, DeadReason.NOT_JSON, f"letter {number}")


def test_dead_letters_keep_the_raw_bytes_and_are_paged_newest_first(store: OperationalStore) -> None:
    store.commit(commit(dead_letters=(letter(1), letter(2), letter(3, site=""))))
    everything = store.dead_letters(None, 10)
    assert [found.detail for found in everything] == ["letter 3", "letter 2", "letter 1"]
    assert everything[0] == replace(letter(3, site=""), id=3)
    assert [found.id for found in store.dead_letters("school", 1)] == [2]
    assert [found.id for found in store.dead_letters("school", 9, before=2)] == [1]


def test_dead_letters_are_bounded_by_number_and_the_dropped_are_counted(
    store: OperationalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.operational.letters.MAX_LETTERS", 3)
    store.commit(commit(dead_letters=(letter(1), letter(2))))
    store.commit(commit(dead_letters=tuple(letter(number, site=f"made-up-{number}") for number in range(3, 8))))
    assert [found.detail for found in store.dead_letters(None, 10)] == ["letter 7", "letter 6", "letter 5"]
    assert store.dead_letters_dropped() == 4


def test_dead_letters_are_bounded_by_bytes_too(store: OperationalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.operational.letters.MAX_BYTES", 100)
    monkeypatch.setattr("store.operational.letters._LOOK", 2)
    store.commit(commit(dead_letters=tuple(letter(number, size=20) for number in range(5))))
    store.commit(commit(dead_letters=(letter(9, size=70),)))
    assert [found.detail for found in store.dead_letters(None, 10)] == ["letter 9", "letter 4"]
    assert store.dead_letters_dropped() == 4


def test_a_cursor_and_the_dead_letters_of_what_it_passed_are_written_together(store: OperationalStore) -> None:
    refused = DeadLetter("school", T0, "topic", b"[]", DeadReason.REFUSED_BY_STORE, "no")
    store.set_cursor("school", "series", 7, [refused])
    assert store.cursor("school", "series") == 7
    assert [letter.detail for letter in store.dead_letters("school", 10)] == ["no"]
