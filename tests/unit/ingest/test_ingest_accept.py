"""Accept or reject: one message after another at one site's door."""

import json

import pytest

from domain.catalogue_file import load_catalogue
from domain.readings import QualityCode, Reading
from domain.reasons import DeadReason
from domain.records import Position
from ingest.accept import PACKS_MISSING, Acceptor, Outcome, Verdict
from ingest.inbox import Inbound
from ingest.letters import LETTERS_PER_PACK
from tests.unit.ingest.fake_ledger import SITE_YAML
from tests.unit.ingest.ingest_fakes import NOW, SITE, pack, raw, simple
from wire.messages import Birth, ClockState, OnlineState, Status, encode_birth, encode_status
from wire.senml import MAX_PACK_BYTES, GapRecord, encode_pack
from wire.topics import birth_topic, readings_topic, status_topic


def door(
    positions: dict[str, Position] | None = None, owners: dict[str, str] | None = None, seen: tuple[Position, ...] = ()
) -> Acceptor:
    acceptor = Acceptor(SITE, positions or {}, owners or {}, seen)
    acceptor.configure(load_catalogue(SITE_YAML, "site.yaml").by_name)
    return acceptor


def accept(acceptor: Acceptor, message: Inbound) -> Outcome:
    return acceptor.accept(message, NOW)


def refused_for(outcome: Outcome) -> DeadReason:
    assert outcome.verdict is Verdict.DEAD_LETTER
    (letter,) = outcome.letters
    assert letter.detail
    return letter.reason


def status(state: OnlineState, boot: str, agent: str = "a") -> Inbound:
    return raw(status_topic(SITE, agent), encode_status(Status(state, boot)), retained=True)


def test_a_first_pack_is_taken_and_owed_a_receipt() -> None:
    outcome = accept(door(), pack(1, 4.0, 5.0))
    assert outcome.verdict is Verdict.TAKEN
    assert outcome.pack is not None
    assert (outcome.pack.agent, outcome.pack.boot, outcome.pack.seq, len(outcome.pack.rows)) == ("a", "b1", 1, 2)
    assert outcome.pack.upto == NOW + 2000
    assert outcome.answer == outcome.position == Position("a", "b1", 1)
    assert outcome.owners == (("fridge-1/temperature", "a"),)


def test_the_same_pack_again_changes_nothing_and_is_answered_with_the_receipt() -> None:
    acceptor = door()
    accept(acceptor, pack(1, 4.0))
    outcome = accept(acceptor, pack(1, 4.0))
    assert outcome == Outcome(Verdict.DUPLICATE, answer=Position("a", "b1", 1))


def test_a_pack_ahead_of_its_turn_is_answered_with_the_receipt_so_that_the_agent_goes_back() -> None:
    acceptor = door()
    accept(acceptor, pack(1, 4.0))
    assert accept(acceptor, pack(3, 4.0)) == Outcome(Verdict.OUT_OF_ORDER, answer=Position("a", "b1", 1))
    assert accept(acceptor, pack(2, 4.0)).verdict is Verdict.TAKEN
    assert accept(acceptor, pack(3, 4.0)).verdict is Verdict.TAKEN


def test_an_unknown_boot_that_begins_in_the_middle_is_asked_to_begin_at_its_first() -> None:
    acceptor = door({"a": Position("a", "b1", 7)})
    assert accept(acceptor, pack(3, 4.0, boot="b2")) == Outcome(Verdict.OUT_OF_ORDER, answer=Position("a", "b2", 0))
    assert accept(acceptor, pack(8, 4.0)).verdict is Verdict.TAKEN, "the question did not move the position"


def test_a_new_boot_starts_at_one_and_replaces_the_old_one() -> None:
    acceptor = door({"a": Position("a", "b1", 7)})
    assert accept(acceptor, pack(1, 4.0, boot="b2")).answer == Position("a", "b2", 1)
    assert accept(acceptor, pack(8, 4.0, boot="b1")) == Outcome(Verdict.OLD_BOOT)
    assert accept(acceptor, pack(2, 4.0, boot="b2")).verdict is Verdict.TAKEN


def test_a_late_copy_of_an_old_boot_does_not_reset_the_position_even_after_a_restart_of_ingest() -> None:
    acceptor = door({"a": Position("a", "b2", 3)}, seen=(Position("a", "b1", 1), Position("a", "b2", 2)))
    assert accept(acceptor, pack(1, 4.0, boot="b1")) == Outcome(Verdict.OLD_BOOT)
    assert accept(acceptor, pack(4, 4.0, boot="b2")).answer == Position("a", "b2", 4)


def test_a_boot_that_says_it_is_online_is_taken_back_where_it_stood() -> None:
    acceptor = door({"a": Position("a", "b2", 3)})
    accept(acceptor, status(OnlineState.ONLINE, "b2"))
    stolen = accept(acceptor, pack(1, 4.0, boot="stray"))
    assert stolen.verdict is Verdict.TAKEN, "a boot that begins at 1 may be the agent after a lost status"
    assert accept(acceptor, pack(4, 4.0, boot="b2")).answer == Position("a", "b2", 4)


def test_packs_that_the_agent_no_longer_holds_are_a_gap() -> None:
    acceptor = door({"a": Position("a", "b1", 2)})
    outcome = accept(acceptor, pack(6, 4.0, low=6))
    assert outcome.verdict is Verdict.TAKEN
    assert outcome.skipped == 3
    assert outcome.position == Position("a", "b1", 6)
    (gap,) = outcome.gaps
    assert (gap.agent, gap.start, gap.end, gap.count, gap.reason) == ("a", NOW, NOW, 0, PACKS_MISSING)


def test_a_gap_of_missing_packs_begins_where_the_agents_story_ended() -> None:
    acceptor = door()
    accept(acceptor, pack(1, 4.0, start=NOW - 60_000))
    (gap,) = accept(acceptor, pack(4, 4.0, low=4, start=NOW - 10_000)).gaps
    assert (gap.start, gap.end) == (NOW - 59_000, NOW - 10_000)


def test_low_beyond_the_receipt_moves_it_even_when_the_oldest_pack_is_not_this_one() -> None:
    acceptor = door({"a": Position("a", "b1", 2)})
    outcome = accept(acceptor, pack(9, 4.0, low=6))
    assert (outcome.verdict, outcome.answer, outcome.position) == (
        Verdict.OUT_OF_ORDER,
        Position("a", "b1", 5),
        Position("a", "b1", 5),
    )
    assert len(outcome.gaps) == 1
    assert accept(acceptor, pack(6, 4.0, low=6)).verdict is Verdict.TAKEN


def test_an_agent_goes_on_after_the_store_was_restored_from_a_backup() -> None:
    acceptor = door({"a": Position("a", "old", 40)})
    accept(acceptor, status(OnlineState.ONLINE, "b2"))
    outcome = accept(acceptor, pack(70, 4.0, boot="b2", low=70))
    assert (outcome.verdict, outcome.skipped) == (Verdict.TAKEN, 69)


def test_a_stray_pack_cannot_jump_into_the_place_of_the_boot_that_is_online() -> None:
    acceptor = door({"a": Position("a", "b2", 3)})
    accept(acceptor, status(OnlineState.ONLINE, "b2"))
    assert accept(acceptor, pack(10, 4.0, boot="b1", low=10)).position is None
    assert accept(acceptor, pack(4, 4.0, boot="b2")).verdict is Verdict.TAKEN


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", DeadReason.NOT_JSON),
        (b"\xff\xfe", DeadReason.NOT_JSON),
        (b"{}", DeadReason.NOT_SENML),
        (b"[" + b"{}," * 5000 + b"{}]", DeadReason.TOO_MANY_RECORDS),
    ],
)
def test_an_unreadable_pack_whose_turn_it_is_becomes_a_dead_letter_and_is_settled(
    payload: bytes, reason: DeadReason
) -> None:
    acceptor = door()
    outcome = accept(acceptor, raw(readings_topic(SITE, "a", "b1", 1), payload))
    assert refused_for(outcome) is reason
    assert outcome.letters[0].payload == payload
    assert outcome.answer == outcome.position == Position("a", "b1", 1)
    assert accept(acceptor, pack(2, 4.0)).verdict is Verdict.TAKEN


def test_a_message_beyond_the_limit_is_refused_and_its_beginning_is_kept() -> None:
    payload = b"[" * (MAX_PACK_BYTES + 1)
    outcome = accept(door(), raw(readings_topic(SITE, "a", "b1", 1), payload, size=5_000_000))
    assert refused_for(outcome) is DeadReason.TOO_LARGE
    assert len(outcome.letters[0].payload) == MAX_PACK_BYTES
    assert "5000000 bytes" in outcome.letters[0].detail


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"n": "fridge-1", "v": 1}, DeadReason.BAD_NAME),
        ({"n": "fridge-1/temperature", "t": 5, "v": 1}, DeadReason.BAD_TIME),
        ({"n": "fridge-1/temperature", "t": NOW / 1000}, DeadReason.BAD_VALUE),
        ({"n": "fridge-1/temperature", "t": NOW / 1000, "v": 1, "u": "W"}, DeadReason.BAD_UNIT),
    ],
)
def test_one_bad_record_is_refused_alone_with_its_own_bytes(record: dict[str, object], reason: DeadReason) -> None:
    good = {"n": "fridge-1/temperature", "t": NOW / 1000, "v": 4.0}
    payload = json.dumps([good, record]).encode()
    outcome = accept(door(), raw(readings_topic(SITE, "a", "b1", 1), payload))
    assert outcome.verdict is Verdict.TAKEN
    assert outcome.pack is not None
    assert outcome.pack.rows.value.tolist() == [4.0]
    (letter,) = outcome.letters
    assert letter.reason is reason
    assert json.loads(letter.payload) == [record]
    assert letter.detail.startswith("record 1: ")


def test_a_pack_of_nothing_but_bad_records_leaves_a_bounded_number_of_letters() -> None:
    payload = json.dumps([{"n": "no point", "v": 1}] * 4000).encode()
    outcome = accept(door(), raw(readings_topic(SITE, "a", "b1", 1), payload))
    assert len(outcome.letters) == LETTERS_PER_PACK + 1
    assert "3950 more bad records" in outcome.letters[-1].detail
    assert outcome.position == Position("a", "b1", 1)


def test_only_the_agent_that_the_catalogue_names_may_write_a_point() -> None:
    acceptor = door()
    outcome = accept(acceptor, pack(1, -18.0, point="freezer-1/temperature"))
    assert outcome.letters[0].reason is DeadReason.NOT_OWNER
    assert "freezer-1/temperature" in outcome.letters[0].detail
    assert outcome.pack is not None
    assert len(outcome.pack.rows) == 0
    assert outcome.answer == Position("a", "b1", 1), "settled: the agent must not send it again"
    assert accept(acceptor, pack(1, -18.0, agent="cellar", point="freezer-1/temperature")).letters == ()


def test_without_a_word_of_the_catalogue_the_first_publisher_owns_the_point() -> None:
    acceptor = door()
    accept(acceptor, pack(1, 4.0))
    late = accept(acceptor, pack(1, 4.0, agent="other"))
    assert late.letters[0].reason is DeadReason.NOT_OWNER
    restarted = door(owners={"fridge-1/temperature": "a"})
    assert accept(restarted, pack(1, 4.0, agent="other")).letters[0].reason is DeadReason.NOT_OWNER


def test_rows_of_own_points_survive_beside_foreign_ones() -> None:
    readings = [
        Reading("freezer-1/temperature", NOW, -18.0),
        Reading("fridge-1/temperature", NOW, 4.0),
        Reading("freezer-1/temperature", NOW + 1, -18.1),
        Reading("fridge-1/door", NOW, 1.0, text="open"),
    ]
    payload = encode_pack(readings, units={}, sent=NOW, upto=NOW, low=1)
    outcome = accept(door(), raw(readings_topic(SITE, "a", "b1", 1), payload))
    assert outcome.pack is not None
    rows = outcome.pack.rows
    assert rows.names == ("fridge-1/temperature", "fridge-1/door")
    assert rows.point.tolist() == [0, 1]
    assert rows.value.tolist() == [4.0, 1.0]
    assert dict(rows.texts) == {1: "open"}


def test_an_unknown_point_is_taken_and_listed_for_discovery() -> None:
    readings = [Reading("mystery/flow", NOW, 1.0), Reading("mystery/flow", NOW + 1000, 2.0)]
    payload = encode_pack(readings, units={"mystery/flow": "l/s"}, sent=NOW, upto=NOW, low=1)
    outcome = accept(door(), raw(readings_topic(SITE, "a", "b1", 1), payload))
    assert outcome.pack is not None
    (found,) = outcome.discoveries
    assert (found.point, found.agent, found.unit, found.value) == ("mystery/flow", "a", "m3/s", 0.002)
    assert outcome.letters == ()


def test_an_idle_agents_empty_pack_is_taken_for_its_promise() -> None:
    outcome = accept(door(), pack(1, upto=NOW))
    assert outcome.verdict is Verdict.TAKEN
    assert outcome.pack is not None
    assert (len(outcome.pack.rows), outcome.pack.upto) == (0, NOW)


def test_the_agents_own_gap_records_are_kept_with_its_name() -> None:
    gap = GapRecord(NOW - 5000, NOW - 1000, 12, "outbox_full")
    payload = encode_pack([], units={}, sent=NOW, upto=NOW, low=1, gaps=[gap])
    (kept,) = accept(door(), raw(readings_topic(SITE, "a", "b1", 1), payload)).gaps
    assert (kept.agent, kept.start, kept.end, kept.count, kept.reason) == ("a", NOW - 5000, NOW - 1000, 12, gap.reason)


def test_a_simple_device_is_taken_without_receipt_and_without_promise() -> None:
    outcome = accept(door(), simple(b'[{"n":"fridge-1/temperature","v":4.5,"upto":1900000000}]'))
    assert outcome.verdict is Verdict.TAKEN
    assert outcome.pack is not None
    assert (outcome.pack.upto, outcome.pack.boot, outcome.pack.seq) == (0, "", 0)
    assert outcome.pack.rows.time.tolist() == [NOW]
    assert outcome.answer is None


def test_garbage_of_a_simple_device_is_a_dead_letter() -> None:
    assert refused_for(accept(door(), simple(b"22.5"))) is DeadReason.NOT_SENML
    assert refused_for(accept(door(), simple(b"hello"))) is DeadReason.NOT_JSON
    assert refused_for(accept(door(), simple(b'[{"n":"x","v":1}]'))) is DeadReason.BAD_NAME
    assert accept(door(), simple(b"[]")).verdict is Verdict.EMPTY


def test_retained_readings_are_ignored() -> None:
    acceptor = door()
    assert accept(acceptor, simple(b'[{"n":"fridge-1/temperature","v":4}]', retained=True)).verdict is Verdict.RETAINED
    assert accept(acceptor, pack(1, 4.0, retained=True)) == Outcome(Verdict.RETAINED)


@pytest.mark.parametrize(
    "text",
    [
        f"caretaker/1/{SITE}/agents/a/readings/b1",
        f"caretaker/1/{SITE}/agents/a/readings/b1/0",
        f"caretaker/1/{SITE}/agents/A/readings",
    ],
)
def test_what_is_no_topic_for_ingest_is_a_dead_letter(text: str) -> None:
    assert refused_for(accept(door(), raw(text, b"[]"))) is DeadReason.BAD_TOPIC


def test_a_birth_is_kept_once_and_a_broken_one_refused() -> None:
    acceptor = door()
    birth = raw(birth_topic(SITE, "a"), encode_birth(Birth("b1", "1.0", ClockState.UNKNOWN, ())), retained=True)
    assert accept(acceptor, birth).births == (("a", birth.payload),)
    assert accept(acceptor, birth) == Outcome(Verdict.DUPLICATE)
    assert refused_for(accept(acceptor, raw(birth_topic(SITE, "a"), b"{}"))) is DeadReason.BAD_MESSAGE
    assert accept(acceptor, raw(birth_topic(SITE, "a"), b"")).verdict is Verdict.EMPTY


def test_an_older_boots_offline_is_ignored() -> None:
    acceptor = door({"a": Position("a", "b2", 3)})
    assert accept(acceptor, status(OnlineState.ONLINE, "b2")).statuses == (("a", True, "b2"),)
    assert accept(acceptor, status(OnlineState.OFFLINE, "b1")).verdict is Verdict.OLD_BOOT
    assert accept(acceptor, status(OnlineState.OFFLINE, "b2")).statuses == (("a", False, "b2"),)
    assert refused_for(accept(acceptor, raw(status_topic(SITE, "a"), b"[]"))) is DeadReason.BAD_MESSAGE
    assert accept(acceptor, raw(status_topic(SITE, "a"), b"")).verdict is Verdict.EMPTY
    large = raw(status_topic(SITE, "a"), b"{}", size=300_000)
    assert refused_for(accept(acceptor, large)) is DeadReason.TOO_LARGE


def test_a_bad_reading_keeps_its_text() -> None:
    payload = b'[{"n":"fridge-1/temperature","vs":"sensor error 85","q":"bad"}]'
    outcome = accept(door(), simple(payload))
    assert outcome.pack is not None
    assert outcome.pack.rows.quality.tolist() == [QualityCode.BAD]
    assert dict(outcome.pack.rows.texts) == {0: "sensor error 85"}


def test_a_receipt_or_alarm_that_a_broker_delivers_unasked_is_ignored() -> None:
    for text in (f"caretaker/1/{SITE}/agents/a/receipt", f"caretaker/1/{SITE}/alarms/rule/fridge-1/temperature"):
        assert accept(door(), raw(text, b"{}")) == Outcome(Verdict.MISDELIVERED)
