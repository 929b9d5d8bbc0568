"""Receipt, birth, status and alarm: read back as written, refused by name when they are anything else."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from domain.alarms import Alarm, AlarmKey, AlarmState, Overlay, OverlayKind, Priority, Reason
from domain.reasons import DeadReason
from wire.messages import (
    MAX_MESSAGE_BYTES,
    MAX_POINTS,
    AlarmMessage,
    Birth,
    BirthPoint,
    Calibration,
    ClockState,
    OnlineState,
    Receipt,
    Status,
    alarm_message,
    decode_alarm,
    decode_birth,
    decode_receipt,
    decode_status,
    encode_alarm,
    encode_birth,
    encode_receipt,
    encode_status,
)
from wire.rejection import Rejection

NOON = 1_780_000_000_000
BIRTH = Birth(
    "b7f3",
    "0.1.0",
    ClockState.SYNCHRONISED,
    (
        BirthPoint("fridge-1/temperature", "Cel", 60_000),
        BirthPoint("boiler-1/status", "state", None, {"off": 0, "run": 1}),
    ),
    (Calibration("fridge-1/temperature", -0.2, NOON, "2026-117"),),
)
DECODERS = [decode_receipt, decode_status, decode_birth, decode_alarm]


def reason_of(answer: object) -> DeadReason:
    assert isinstance(answer, Rejection)
    assert answer.detail
    return answer.reason


def test_a_receipt_is_read_back_as_written() -> None:
    assert encode_receipt(Receipt("b7f3", 41)) == b'{"boot":"b7f3","through":41}'
    assert decode_receipt(b'{"boot":"b7f3","through":41}') == Receipt("b7f3", 41)


def test_a_receipt_of_nothing_yet_is_legal() -> None:
    assert decode_receipt(encode_receipt(Receipt("b7f3", 0))) == Receipt("b7f3", 0)


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b"null",
        b"[]",
        b"41",
        b'{"boot":"b7f3"}',
        b'{"through":41}',
        b'{"boot":"b7f3","through":"41"}',
        b'{"boot":"b7f3","through":41.5}',
        b'{"boot":"b7f3","through":true}',
        b'{"boot":"b7f3","through":-1}',
        b'{"boot":"b7f3","through":9223372036854775808}',
        b'{"boot":"b7f3","through":99999999999999999999999999}',
        b'{"boot":"B7/F3","through":41}',
        b'{"boot":"","through":41}',
        b'{"boot":null,"through":41}',
    ],
)
def test_what_is_not_quite_a_receipt_is_refused(payload: bytes) -> None:
    assert reason_of(decode_receipt(payload)) is DeadReason.BAD_MESSAGE


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("payload", [b"{", b"\xff\xfe", b'{"boot":"\xff"}', b"NaN", b"{'boot': 1}", b'{"boot":1}}'])
def test_what_is_not_json_is_refused_as_that(decode: Any, payload: bytes) -> None:
    assert reason_of(decode(payload)) in (DeadReason.NOT_JSON, DeadReason.BAD_MESSAGE)


@pytest.mark.parametrize("decode", DECODERS)
def test_hostile_depth_and_size_are_refused(decode: Any) -> None:
    assert reason_of(decode(b'{"x":' * 40_000)) in (DeadReason.NOT_JSON, DeadReason.BAD_MESSAGE)
    assert reason_of(decode(b" " * (MAX_MESSAGE_BYTES + 1))) is DeadReason.TOO_LARGE


def test_an_empty_payload_is_a_refused_receipt_status_and_birth_but_a_gone_alarm() -> None:
    assert reason_of(decode_receipt(b"")) is DeadReason.NOT_JSON
    assert reason_of(decode_status(b"")) is DeadReason.NOT_JSON
    assert reason_of(decode_birth(b"")) is DeadReason.NOT_JSON
    assert decode_alarm(b"") is None
    assert encode_alarm(None) == b""


def test_a_newer_program_may_say_more() -> None:
    assert decode_receipt(b'{"boot":"b7f3","through":41,"since":5,"more":{"a":[1]}}') == Receipt("b7f3", 41)


def test_a_status_is_read_back_as_written() -> None:
    for state in OnlineState:
        assert decode_status(encode_status(Status(state, "b7f3"))) == Status(state, "b7f3")
    assert reason_of(decode_status(b'{"state":"sleeping","boot":"b7f3"}')) is DeadReason.BAD_MESSAGE
    assert reason_of(decode_status(b'{"state":"online","boot":"#"}')) is DeadReason.BAD_MESSAGE


def test_a_birth_is_read_back_as_written() -> None:
    assert decode_birth(encode_birth(BIRTH)) == BIRTH


def test_a_birth_without_points_is_legal() -> None:
    bare = Birth("b7f3", "0.1.0", ClockState.UNKNOWN, ())
    assert decode_birth(encode_birth(bare)) == bare


@pytest.mark.parametrize(
    "change",
    [
        {"boot": "B"},
        {"clock": "good"},
        {"points": [{"point": "temperature", "unit": "Cel"}]},
        {"points": [{"point": "fridge-1/temperature"}]},
        {"points": [{"point": "fridge-1/temperature", "unit": "Cel", "interval": 0}]},
        {"points": [{"point": "fridge-1/temperature", "unit": "Cel", "interval": 1.5}]},
        {"points": [{"point": "boiler-1/status", "unit": "state", "states": {"off": "0"}}]},
        {"points": [{"point": "a/b", "unit": "W"}] * (MAX_POINTS + 1)},
        {"calibration": [{"point": "fridge-1/temperature", "deviation": 0.1, "at": 1_780_000_000}]},
        {"calibration": [{"point": "fridge", "deviation": 0.1, "at": NOON}]},
        {"version": "v" * 2_000},
    ],
)
def test_a_birth_with_one_fault_is_refused(change: dict[str, object]) -> None:
    document = msgspec.json.decode(encode_birth(BIRTH))
    payload = msgspec.json.encode({**document, **change})
    assert len(payload) <= MAX_MESSAGE_BYTES
    assert reason_of(decode_birth(payload)) is DeadReason.BAD_MESSAGE


ALARM = Alarm(
    "school",
    AlarmKey("cold-high", "fridge-1/temperature"),
    AlarmState.RETURNED_UNACKNOWLEDGED,
    Priority.HIGH,
    0,
    9.2,
    Reason.ABOVE_LIMIT,
    raised_at=NOON,
    changed_at=NOON + 5,
    overlays=(Overlay(OverlayKind.SHELVED, "duty", "probe is being changed", NOON, NOON + 60_000),),
)


def test_an_alarm_is_published_as_others_need_it() -> None:
    message = alarm_message(ALARM)
    assert msgspec.json.decode(encode_alarm(message)) == {
        "site": "school",
        "rule": "cold-high",
        "point": "fridge-1/temperature",
        "state": "returned-unacknowledged",
        "active": False,
        "priority": "high",
        "value": 9.2,
        "reason": "above_limit",
        "raised_at": NOON,
        "changed_at": NOON + 5,
        "acknowledged_by": "",
        "overlays": ["shelved"],
    }
    assert decode_alarm(encode_alarm(message)) == message


def test_an_alarm_without_a_value_says_null() -> None:
    message = alarm_message(replace(ALARM, value=None))
    assert b'"value":null' in encode_alarm(message)
    assert decode_alarm(encode_alarm(message)) == message


@pytest.mark.parametrize("change", [{"site": "a b"}, {"rule": ""}, {"point": "x"}, {"state": "odd"}, {"active": 1}])
def test_an_alarm_with_one_fault_is_refused(change: dict[str, object]) -> None:
    document = msgspec.json.decode(encode_alarm(alarm_message(ALARM)))
    assert reason_of(decode_alarm(msgspec.json.encode({**document, **change}))) is DeadReason.BAD_MESSAGE


def test_an_alarm_message_says_whether_it_is_active() -> None:
    message = alarm_message(replace(ALARM, state=AlarmState.ACKNOWLEDGED, acknowledged_by="duty"))
    assert isinstance(message, AlarmMessage)
    assert (message.active, message.acknowledged_by) == (True, "duty")
