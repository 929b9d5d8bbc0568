"""What every operational store must do for several workers, for hostile texts, and for records that grow old."""

import math
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError

from domain.alarms import AlarmState, EventKind
from domain.errors import CaretakerError, FencedError, NotFoundError
from domain.readings import Quality
from domain.records import (
    AlarmFilter,
    Commit,
    DeadLetter,
    DeadReason,
    Discovery,
    EntryKind,
    Latest,
    Lease,
    Position,
    ProcessRow,
    Purgeable,
    SentNotice,
    TransitionFilter,
)
from domain.times import DAY
from store.operational.store import OperationalStore
from tests.contract.operational_stories import T0, WARM, batch, commit, event, one_batch

ANY_ALARM, ANY = AlarmFilter(), TransitionFilter()
LETTER = DeadLetter("school", T0, "t", b"raw", DeadReason.BAD_VALUE, "d")


def whole(serial: int = 1, epoch: int = 1) -> Commit:
    """A commit that changes a bit of everything."""
    return commit(
        epoch,
        entries=((EntryKind.BATCH, batch()),),
        positions=(Position("kitchen", "b1", 7),),
        events=(event(EventKind.RAISE, 100), event(EventKind.CLEAR, 200)),
        dead_letters=(LETTER,),
        discoveries=(Discovery("school", "new-1/power", "kitchen", "W", T0, T0, 80.0),),
        serial=serial,
    )


def everything(store: OperationalStore) -> tuple[object, ...]:
    return (
        store.journal_end("school"), store.journal_bytes("school"), store.positions("school"),
        store.transitions(ANY, 99), store.pending_notices(99), store.dead_letters(None, 99), store.audit(None, 99),
        store.excursions("school", None, 0, T0 * 2), store.alarms(ANY_ALARM, 9),
    )  # fmt: skip


# A commit tried again


def test_the_same_commit_again_is_found_and_writes_nothing(store: OperationalStore) -> None:
    first = store.commit(whole())
    before = everything(store)
    assert store.commit(whole()) == first
    assert [transition.id for transition in first.transitions] == [1, 2]
    assert everything(store) == before


def test_a_commit_without_entries_or_transitions_is_known_again_too(store: OperationalStore) -> None:
    store.commit(whole())
    only_letters = commit(dead_letters=(LETTER,), serial=2)
    assert [store.commit(only_letters).transitions for _ in range(3)] == [(), (), ()]
    assert len(store.dead_letters(None, 99)) == 2


def test_the_next_serial_and_the_same_serial_of_the_next_epoch_are_other_commits(store: OperationalStore) -> None:
    assert [store.commit(replace(one_batch(), serial=serial)).n for serial in (1, 2, 2, 3)] == [1, 2, 2, 3]
    assert store.acquire("school", "worker-1", T0, 30_000) == 2
    assert store.commit(replace(one_batch(epoch=2), serial=3)).n == 4


def test_a_commit_that_is_not_counted_is_written_each_time(store: OperationalStore) -> None:
    assert [store.commit(one_batch()).n for _ in range(2)] == [1, 2]


def test_who_lost_the_lease_is_fenced_even_with_a_commit_that_took_place(store: OperationalStore) -> None:
    store.commit(whole())
    store.acquire("school", "worker-2", T0 + 60_000, 30_000)
    with pytest.raises(FencedError):
        store.commit(whole())


def test_sites_are_counted_apart(store: OperationalStore) -> None:
    store.acquire("annex", "worker-1", T0, 30_000)
    assert store.commit(replace(one_batch(), serial=1)).n == 1
    assert store.commit(commit(site="annex", entries=((EntryKind.BATCH, batch(site="annex")),), serial=1)).n == 1


# Leases


def test_a_released_lease_is_free_at_once_and_its_epoch_does_not_come_back(store: OperationalStore) -> None:
    store.release("school", "worker-1", 1)
    assert store.acquire("school", "worker-2", T0 + 1, 30_000) == 2
    with pytest.raises(FencedError):
        store.commit(one_batch(epoch=1))


def test_only_the_holder_releases(store: OperationalStore) -> None:
    store.release("school", "worker-2", 1)
    store.release("school", "worker-1", 7)
    store.release("unheard-of", "worker-1", 1)
    assert store.acquire("school", "worker-2", T0 + 1, 30_000) is None


def test_leases_are_listed_by_site(store: OperationalStore) -> None:
    store.acquire("annex", "worker-2", T0, 1_000)
    store.acquire("annex-2", "worker-2", T0, 1_000)
    store.acquire("annex_1", "worker-2", T0, 1_000)
    assert store.leases() == [
        Lease("annex", "worker-2", 1, T0 + 1_000), Lease("annex-2", "worker-2", 1, T0 + 1_000),
        Lease("annex_1", "worker-2", 1, T0 + 1_000), Lease("school", "worker-1", 1, T0 + 30_000),
    ]  # fmt: skip


def test_a_late_snapshot_of_a_former_holder_does_not_replace_a_newer_one(store: OperationalStore) -> None:
    store.save_snapshot("school", 9, b"successor", T0)
    store.save_snapshot("school", 5, b"former", T0 + 1)
    assert store.snapshot("school") == (9, b"successor")
    store.save_snapshot("school", 9, b"again", T0 + 2)
    assert store.snapshot("school") == (9, b"again")


# Letters of a cursor that is moved again


def test_moving_a_cursor_again_keeps_no_letter_twice(store: OperationalStore) -> None:
    for _ in range(2):
        store.set_cursor("school", "series", 4, (LETTER,))
    assert len(store.dead_letters(None, 9)) == 1
    store.set_cursor("school", "series", 5, (LETTER,))
    assert len(store.dead_letters(None, 9)) == 2


# Notices in bulk


def test_notices_are_settled_together_or_not_at_all(store: OperationalStore) -> None:
    store.commit(whole())
    store.settle_notices([])
    both = [SentNotice(number, "page", "wecom", T0, "sent") for number in (2, 1)]
    with pytest.raises(NotFoundError, match="no transition 99"):
        store.settle_notices([*both, SentNotice(99, "page", "sms", T0, "sent")])
    assert [notice.id for notice in store.pending_notices(9)] == [1, 2]
    assert list(store.notices(9)) == []
    store.settle_notices(both)
    assert store.pending_notices(9) == []
    assert [notice.transition_id for notice in store.notices(9)] == [1, 2]


def test_more_notices_than_a_statement_has_room_for(store: OperationalStore) -> None:
    kinds = (EventKind.RAISE, EventKind.CLEAR)
    store.commit(commit(events=tuple(event(kinds[n % 2], n) for n in range(1_100))))
    pending = store.pending_notices(2_000)
    store.settle_notices([SentNotice(notice.id, "none", "", T0, "") for notice in pending])
    assert (len(pending), store.pending_notices(9)) == (1_100, [])


# Hostile texts, odd numbers, names in order


def test_a_text_with_nul_is_kept_with_a_visible_sign_and_under_the_seal(store: OperationalStore) -> None:
    odd = "a\x00b"
    hostile = commit(
        events=(event(EventKind.RAISE, value=float("nan")),),
        dead_letters=(replace(LETTER, topic=odd, detail=odd, site=odd, payload=b"\x00"),),
        discoveries=(Discovery("school", "new-1/power", "kitchen", odd, T0, T0, math.inf),),
        births=(("kitchen", b'"\x00"'),),
        statuses=(("kitchen", True, odd),),
    )
    store.commit(hostile)
    store.flush_latest("school", [Latest("fridge-1/temperature", T0, math.nan, Quality.BAD, T0, odd)])
    done = store.command("school", event(EventKind.ACKNOWLEDGE, 900, by=odd, note=odd))
    store.settle_notices([SentNotice(1, odd, odd, T0, odd)])
    store.note("school", T0, odd, odd, {odd: odd})
    (letter,) = store.dead_letters(None, 9)
    assert (letter.topic, letter.detail, letter.site, letter.payload) == (*["a\u2400b"] * 3, b"\x00")
    assert (done.by, done.note) == ("a\u2400b", "a\u2400b")
    (latest,) = store.latest("school")
    assert (latest.text, math.isnan(latest.value)) == ("a\u2400b", True)
    assert store.discoveries("school")[0].value == math.inf
    alarm = store.alarm("school", WARM)
    assert alarm is not None
    assert (alarm.value, alarm.acknowledged_by) == (None, "a\u2400b")
    assert store.verify_audit("school") is None


def test_texts_of_every_language_come_back_as_they_were(store: OperationalStore) -> None:
    words = "冷藏温度过高 🧊 ß \\ ' \" %s :x {}"
    store.commit(commit(dead_letters=(replace(LETTER, detail=words),)))
    assert store.dead_letters(None, 1)[0].detail == words


def test_names_are_sorted_the_same_whatever_language_the_database_speaks(store: OperationalStore) -> None:
    names = ["a-b", "a_b", "aa", "ab", "a1", "b"]
    for name in names:
        store.apply_site(name, [("s.yaml", "")], "li", T0)
        store.beat(ProcessRow(name, 1, T0, T0))
    store.commit(commit(statuses=tuple((name, True, "b") for name in names)))
    store.flush_latest("school", [Latest(f"{name}/t", T0, 1.0, Quality.GOOD, T0) for name in names])
    assert store.sites() == sorted(names)
    assert [row.name for row in store.processes()] == sorted(names)
    assert [row.agent for row in store.agents("school")] == sorted(names)
    assert [row.point for row in store.latest("school")] == sorted(f"{name}/t" for name in names)


# What may be deleted


def test_old_letters_and_discoveries_go_and_the_audit_says_so(store: OperationalStore) -> None:
    old = replace(LETTER, received=T0 - DAY)
    seen = Discovery("school", "old-1/power", "a", "W", T0 - DAY, T0 - DAY, 1.0)
    store.commit(commit(dead_letters=(old, old, LETTER), discoveries=(seen, replace(seen, point="b/c", last_seen=T0))))
    assert store.purge_before("school", Purgeable.DEAD_LETTERS, T0, "li", T0) == 2
    assert store.purge_before("school", Purgeable.DISCOVERIES, T0, "li", T0) == 1
    assert store.purge_before("school", Purgeable.DISCOVERIES, T0, "li", T0) == 0
    assert store.purge_before("annex", Purgeable.DEAD_LETTERS, T0, "li", T0) == 0
    assert [letter.received for letter in store.dead_letters(None, 9)] == [T0]
    assert [item.point for item in store.discoveries("school")] == ["b/c"]
    assert [(entry["action"], entry["by"], entry["subject"], entry["detail"]) for entry in store.audit(None, 9)] == [
        ("purge", "li", "discoveries", {"before": T0, "deleted": 1}),
        ("purge", "li", "dead_letters", {"before": T0, "deleted": 2}),
    ]
    assert store.dead_letters_dropped() == 0


def test_the_bound_of_letters_counts_anew_after_a_purge(
    store: OperationalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.operational.letters.MAX_LETTERS", 2)
    store.commit(commit(dead_letters=(replace(LETTER, received=T0 - 1), LETTER, LETTER)))
    assert (len(store.dead_letters(None, 9)), store.dead_letters_dropped()) == (2, 1)
    assert store.purge_before("school", Purgeable.DEAD_LETTERS, T0 + 1, "li", T0 + 2) == 2
    store.commit(commit(dead_letters=(LETTER, LETTER)))
    assert (len(store.dead_letters(None, 9)), store.dead_letters_dropped()) == (2, 1)


def test_a_long_purge_is_done_in_pieces(store: OperationalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.operational.retention.CHUNK", 2)
    store.commit(commit(dead_letters=(LETTER,) * 5))
    assert store.purge_before("school", Purgeable.DEAD_LETTERS, T0 + 1, "li", T0 + 1) == 5
    assert len(store.audit("school", 9)) == 3


def test_what_is_sent_once_keeps_its_first_word_per_channel_over_a_restart(store: OperationalStore, place: str) -> None:
    subject = "weekly:school:2026-W48"
    assert store.sent_once(subject) == {}
    store.note_sent(subject, "school", "sms", T0, "failed: 503")
    store.note_sent(subject, "school", "log", T0, "sent")
    store.note_sent(subject, "school", "log", T0 + 1, "sent again")
    with closing(OperationalStore(place)) as again:
        assert again.sent_once(subject) == {"sms": "failed: 503", "log": "sent"}
        assert again.sent_once("weekly:school:2026-W49") == {}
    now = T0 + 800 * DAY
    assert store.purge_before("school", Purgeable.NOTICES, T0 + 1, "li", now) == 2
    assert store.sent_once(subject) == {}


def test_what_became_of_a_transition_can_be_asked(raised: OperationalStore) -> None:
    assert raised.notices_of([1]) == {}
    raised.settle_notice(SentNotice(1, "page: raised", "log", T0, "sent"))
    assert raised.notices_of([1, 2]) == {1: SentNotice(1, "page: raised", "log", T0, "sent")}
    assert raised.notices_of([]) == {}


@pytest.mark.parametrize("what", [Purgeable.EXCURSIONS, Purgeable.NOTICES])
def test_what_is_evidence_is_kept_for_two_years(store: OperationalStore, what: Purgeable) -> None:
    store.commit(whole())
    store.settle_notices([SentNotice(1, "page", "wecom", T0, "sent")])
    now = T0 + 731 * DAY
    with pytest.raises(CaretakerError, match=f"{what} after 2026-01-01") as refused:
        store.purge_before("school", what, T0 + 1, "li", now)
    assert "up to 2026-01-01" in refused.value.remedy
    assert store.purge_before("annex", what, T0 + 1_000, "li", now + 1_000) == 0
    assert store.purge_before("school", what, T0 + 1_000, "li", now + 1_000) == 1
    gone = (store.excursions("school", None, 0, T0 * 2), list(store.notices(9)))
    assert gone[0 if what is Purgeable.EXCURSIONS else 1] == []
    assert store.verify_audit("school") is None
    assert len(store.transitions(ANY, 9)) == 2  # they stay for ever


def test_an_excursion_that_is_not_over_is_never_old(store: OperationalStore) -> None:
    store.commit(commit(events=(event(EventKind.RAISE), event(EventKind.PAST_RAISE, 5))))
    assert store.purge_before("school", Purgeable.EXCURSIONS, T0 + DAY, "li", T0 + 800 * DAY) == 0
    store.commit(commit(events=(event(EventKind.PAST_CLEAR, 9), event(EventKind.CLEAR, 50))))
    assert store.purge_before("school", Purgeable.EXCURSIONS, T0 + DAY, "li", T0 + 800 * DAY) == 2


# Nobody changes the audit


@pytest.mark.parametrize("change", ["UPDATE audit SET site = 'x'", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_the_audit(store: OperationalStore, place: str, change: str) -> None:
    store.note("school", T0, "li", "restore", {})
    engine = create_engine(place.replace("postgresql:", "postgresql+psycopg:"))
    with pytest.raises(DatabaseError, match="append-only"), engine.begin() as connection:
        connection.execute(text(change))
    engine.dispose()
    assert len(store.audit("school", 9)) == 1
    assert store.alarms(AlarmFilter(states=(AlarmState.NORMAL,)), 9) == ([], 0)
