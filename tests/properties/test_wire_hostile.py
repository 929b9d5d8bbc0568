"""Whatever bytes arrive, decoding answers with a value: never an exception, never a false row."""

import json
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalogue import Point
from domain.ids import parse_point
from domain.readings import Reading
from domain.times import EARLIEST, LATEST
from domain.units import UNITS
from wire.decode import DecodedPack, decode_pack
from wire.messages import decode_alarm, decode_birth, decode_receipt, decode_status
from wire.rejection import Rejection
from wire.senml import LARGEST_VALUE, LONGEST_TEXT, GapRecord, encode_pack
from wire.topics import Topic, parse_topic

NOON = 1_780_000_000_000
POINTS = {
    "fridge-1/temperature": Point("fridge-1", "temperature", UNITS["Cel"]),
    "boiler-1/status": Point("boiler-1", "status", UNITS["state"], states={"off": 0, "run": 1}),
}
VALID = encode_pack(
    [
        Reading("fridge-1/temperature", NOON, 4.25),
        Reading("boiler-1/status", NOON + 1, 1.0, text="run"),
        Reading("fridge-1/temperature", NOON + 60_000, -18.5),
    ],
    units={"fridge-1/temperature": "Cel", "boiler-1/status": "state"},
    sent=NOON,
    upto=NOON,
    low=1,
    gaps=[GapRecord(NOON, NOON + 5, 3, "outbox_full", ("fridge-1/temperature",))],
)
LABELS = ["bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "t", "v", "vb", "vs", "vd", "s", "ut", "q", "sent", "upto",
          "low", "gap", "from", "to", "count", "reason", "points", "x", "x_", ""]  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**300), 2**300),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        ["fridge-1/", "temperature", "fridge-1/temperature", "Cel", "degF", "run", "good", "bad", NOON / 1000]
    ),
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(LABELS), st.text(max_size=5)), inner)
    ),
    max_leaves=12,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(LABELS), st.one_of(SCALARS, ANY_JSON), max_size=8), max_size=8)


def check(payload: bytes) -> None:
    for sequenced in (True, False):
        answer = decode_pack(payload, site="school", received=NOON, points=POINTS, sequenced=sequenced)
        if isinstance(answer, Rejection):
            assert answer.detail
        else:
            check_pack(answer, payload)


def check_pack(pack: DecodedPack, payload: bytes) -> None:
    """What was accepted is sound: names legal, times plausible, values measurements, nothing counted twice."""
    count = len(msgspec.json.decode(payload, type=list[msgspec.Raw]))
    assert len(pack) + len(pack.gaps) + len({refused.index for refused in pack.rejected}) <= count + 1
    assert all(0 <= refused.index < count for refused in pack.rejected)
    assert all(str(parse_point(name)) == name for name in pack.names)
    assert set(pack.point.tolist()) == set(range(len(pack.names)))
    assert all(EARLIEST <= time <= LATEST for time in pack.time.tolist())
    assert np.all(np.isnan(pack.value) | (np.abs(pack.value) <= LARGEST_VALUE))
    assert np.all(pack.quality[np.isnan(pack.value)] == 2)
    assert all(0 <= row < len(pack) and len(text) <= LONGEST_TEXT for row, text in pack.texts.items())
    assert all(EARLIEST <= gap.start <= gap.end <= LATEST for gap in pack.gaps)
    assert pack.low is None or pack.low >= 1


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes(payload: bytes) -> None:
    check(payload)
    for decode in (decode_receipt, decode_status, decode_birth, decode_alarm):
        decode(payload)


@settings(max_examples=200)
@given(ANY_JSON)
def test_any_json(document: Any) -> None:
    payload = encode(document)
    check(payload)
    for decode in (decode_receipt, decode_status, decode_birth, decode_alarm):
        decode(payload)


@settings(max_examples=200)
@given(RECORDS)
def test_any_records(records: list[dict[str, Any]]) -> None:
    check(encode(records))


@settings(max_examples=200)
@given(st.data())
def test_valid_packs_with_broken_bytes(data: st.DataObject) -> None:
    payload = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(payload) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert", "double"])):
            case "change":
                payload[position] = data.draw(st.integers(0, 255))
            case "cut":
                del payload[position : position + data.draw(st.integers(1, 20))]
            case "insert":
                payload[position:position] = data.draw(
                    st.sampled_from([b"9" * 50, b"NaN", b"null", b"[", b"\xff", b"-"])
                )
            case _:
                payload[position:position] = payload[position : position + data.draw(st.integers(1, 40))]
        if not payload:
            break
    check(bytes(payload))


@settings(max_examples=200)
@given(st.sampled_from(json_members := msgspec.json.decode(VALID)), st.sampled_from(LABELS), SCALARS)
def test_valid_packs_with_one_member_changed(record: dict[str, Any], label: str, value: Any) -> None:
    changed = [{**other, label: value} if other is record else other for other in json_members]
    check(encode(changed))


@settings(max_examples=150)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from(["caretaker", "1", "agents", "a", "readings", "7", "+", "#", ""])).map("/".join),
    )
)
def test_any_topic(text: str) -> None:
    answer = parse_topic(text)
    assert isinstance(answer, Topic | Rejection)
    assert isinstance(answer, Rejection) or str(answer) == text


def encode(document: Any) -> bytes:
    """Plain JSON, with the numbers of any size and the half characters that Hypothesis thinks of."""
    return json.dumps(document).encode()
