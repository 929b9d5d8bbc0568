"""What is not taken: each refusal has its word, and costs no more than what was wrong."""

import math
from typing import Any

import msgspec
import pytest

from domain.catalogue import Point
from domain.reasons import DeadReason
from domain.units import UNITS
from wire.decode import DecodedPack, decode_pack
from wire.rejection import Rejection
from wire.senml import LONGEST_TEXT, MAX_PACK_BYTES, MAX_RECORDS

NOON = 1_780_000_000_000
NAME = "fridge-1/temperature"
POINTS = {
    NAME: Point("fridge-1", "temperature", UNITS["Cel"]),
    "boiler-1/status": Point("boiler-1", "status", UNITS["state"], states={"off": 0, "run": 1}),
}
GOOD = {"n": NAME, "v": 4.5, "t": NOON / 1000}


def answer(payload: bytes, *, sequenced: bool = False) -> DecodedPack | Rejection:
    return decode_pack(payload, site="school", received=NOON, points=POINTS, sequenced=sequenced)


def refusals(*records: Any, sequenced: bool = False) -> list[tuple[int, DeadReason]]:
    """The refused records among good ones; the good ones before and after must have been kept."""
    given = [GOOD, *records, GOOD]
    pack = answer(msgspec.json.encode(given), sequenced=sequenced)
    assert isinstance(pack, DecodedPack), pack
    assert pack.value.tolist()[0] == pack.value.tolist()[-1] == 4.5
    assert len(pack) + len({refused.index for refused in pack.rejected}) == len(given)
    assert all(refused.detail.isprintable() and len(refused.detail) < 400 for refused in pack.rejected)
    return [(refused.index, refused.reason) for refused in pack.rejected]


def whole(payload: bytes, *, sequenced: bool = False) -> DeadReason:
    refused = answer(payload, sequenced=sequenced)
    assert isinstance(refused, Rejection), refused
    assert refused.detail
    return refused.reason


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"garbage",
        b"[",
        b'[{"n":"fridge-1/temperature","v":4}',
        b'[{"n":"fridge-1/temperature","v":4}]]',
        b'[{"n":"fridge-1/temperature","v":NaN}]',
        b'[{"n":"fridge-1/temperature","v":Infinity}]',
        b'[{"n":"fridge-1/temperature","v":04}]',
        b"[{'n':'fridge-1/temperature','v':4}]",
        b'[{"n":"fridge-1/temperature","v":4},]',
        b'[{"n":"fridge-1/\xff","v":4}]',
        b'[{"n":"fridge-1/temperature","v":4,"note":"\xff"}]',
        b"\xef\xbb\xbf[]",
        '[{"n":"a/b","v":1}]'.encode("utf-16"),
        b"\x00",
        b"[" * 100_000,
        b'[{"x":' + b"[" * 100_000,
        b'[{"x":' + b'{"x":' * 30_000 + b"1" + b"}" * 30_000 + b"}]",
    ],
)
def test_what_is_not_json_is_refused_whole(payload: bytes) -> None:
    assert whole(payload) is DeadReason.NOT_JSON


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b"4.5",
        b'"fridge"',
        b"null",
        b'{"n":"fridge-1/temperature","v":4}',
        b"[1]",
        b"[null]",
        b"[[]]",
        b'[{"n":"fridge-1/temperature","v":4},"x"]',
    ],
)
def test_what_is_not_an_array_of_records_is_refused_whole(payload: bytes) -> None:
    assert whole(payload) is DeadReason.NOT_SENML


@pytest.mark.parametrize(
    "base", [{"bn": 5}, {"bt": "noon"}, {"bu": None}, {"bv": []}, {"bver": 1.5}, {"bver": 11}, {"must_": 1}]
)
def test_base_fields_that_nobody_can_read_take_the_pack_with_them(base: dict[str, object]) -> None:
    # The record after it would be filed under the wrong name or time: better nothing than something false.
    assert whole(msgspec.json.encode([GOOD, {**GOOD, **base}, GOOD])) is DeadReason.NOT_SENML


def test_a_pack_may_be_as_large_as_the_bound_and_no_larger() -> None:
    exact = b"[" + b" " * (MAX_PACK_BYTES - 2) + b"]"
    assert isinstance(answer(exact), DecodedPack)
    assert whole(exact + b" ") is DeadReason.TOO_LARGE
    assert whole(b"\xff" * (MAX_PACK_BYTES + 1)) is DeadReason.TOO_LARGE


def test_a_pack_may_have_as_many_records_as_the_bound_and_no_more() -> None:
    record = b'{"n":"a/b","v":1},'
    full = answer(b"[" + record * (MAX_RECORDS - 1) + record[:-1] + b"]")
    assert isinstance(full, DecodedPack)
    assert len(full) == MAX_RECORDS
    assert whole(b"[" + record * MAX_RECORDS + record[:-1] + b"]") is DeadReason.TOO_MANY_RECORDS
    assert whole(b"[" + b'{"z":1},' * MAX_RECORDS + b"{}]") is DeadReason.TOO_MANY_RECORDS


@pytest.mark.parametrize(
    "name", ["", "fridge", "Fridge-1/temperature", "fridge-1/temperature/x", "a//b", "/", "urn:dev:ow:10e2", "a/b\n", 5]
)
def test_a_bad_name_costs_one_record(name: object) -> None:
    assert refusals({"n": name, "v": 1}) == [(1, DeadReason.BAD_NAME)]


@pytest.mark.parametrize(
    "seconds", [1_780_000_000_000, 631_151_999, 7_258_118_401, -(2**28), 2**28, 1e308, "now", None]
)
def test_a_bad_time_costs_one_record(seconds: object) -> None:
    assert refusals({"n": NAME, "v": 1, "t": seconds}) == [(1, DeadReason.BAD_TIME)]


def test_times_that_add_up_to_more_than_a_number_holds_cost_their_records() -> None:
    pack = answer(b'[{"bt":1.7e308,"n":"a/b","v":1,"t":1.7e308},{"bt":0,"n":"a/b","v":1}]')
    assert isinstance(pack, DecodedPack)
    assert ([r.index for r in pack.rejected], len(pack)) == ([0], 1)


@pytest.mark.parametrize("seconds", [0, -5, 30.5])
def test_a_sequenced_pack_needs_absolute_times_because_it_may_have_waited(seconds: float) -> None:
    assert refusals({"n": NAME, "v": 1, "t": seconds}, sequenced=True) == [(1, DeadReason.BAD_TIME)]
    assert refusals({"n": NAME, "v": 1}, sequenced=True) == [(1, DeadReason.BAD_TIME)]


@pytest.mark.parametrize("unit", ["W", "%RH", "celsius", "°C", 5])
def test_a_unit_of_something_else_costs_one_record(unit: object) -> None:
    assert refusals({"n": NAME, "v": 1, "u": unit}) == [(1, DeadReason.BAD_UNIT)]


def test_the_refused_unit_says_what_would_have_fitted() -> None:
    pack = answer(msgspec.json.encode([{"n": NAME, "v": 1, "u": "W"}]))
    assert isinstance(pack, DecodedPack)
    assert "Cel" in pack.rejected[0].detail
    assert (len(pack), pack.names, pack.units) == (0, (), {})


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"v": "4.5"},
        {"v": None},
        {"v": [4.5]},
        {"v": True},
        {"vb": 1},
        {"vb": True},
        {"v": 1, "vb": True},
        {"vs": 4.5},
        {"vs": "x" * (LONGEST_TEXT + 1)},
        {"vd": "aGk="},
        {"s": 120.5},
        {"vd": "aGk=", "q": "bad"},
        {"v": 1e19},
        {"v": -1e300},
        {"v": 10**19},
        {"v": 1, "q": "excellent"},
        {"v": 1, "q": 0},
        {"v": 1, "gap": 5},
    ],
)
def test_a_bad_value_costs_one_record(value: dict[str, object]) -> None:
    assert refusals({"n": NAME, **value}) == [(1, DeadReason.BAD_VALUE)]


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"9" * 400])
def test_a_number_beyond_all_numbers_costs_one_record(number: bytes) -> None:
    pack = answer(b'[{"n":"a/b","v":1},{"n":"a/b","v":%b},{"n":"a/b","v":3}]' % number)
    assert isinstance(pack, DecodedPack)
    assert pack.value.tolist() == [1.0, 3.0]
    assert [(r.index, r.reason) for r in pack.rejected] == [(1, DeadReason.BAD_VALUE)]


def test_a_conversion_that_leaves_the_numbers_costs_one_record() -> None:
    pack = answer(b'[{"bv":1.7e308,"n":"a/b","u":"bar","v":1.7e308}]')
    assert isinstance(pack, DecodedPack)
    assert (len(pack), pack.rejected[0].reason) == (0, DeadReason.BAD_VALUE)


def test_every_wrong_record_is_named_by_its_place() -> None:
    assert refusals({"n": "x", "v": 1}, {"n": NAME, "v": 1, "t": 1e300}, {"n": NAME}, {"n": NAME, "v": "1"}) == [
        (1, DeadReason.BAD_NAME),
        (2, DeadReason.BAD_TIME),
        (3, DeadReason.BAD_VALUE),
        (4, DeadReason.BAD_VALUE),
    ]


def test_a_wrong_record_still_hands_its_base_fields_on() -> None:
    pack = answer(b'[{"bn":"fridge-1/","n":"temperature","v":"warm"},{"n":"temperature","v":5}]')
    assert isinstance(pack, DecodedPack)
    assert (pack.names, pack.value.tolist()) == ((NAME,), [5.0])
    assert [r.index for r in pack.rejected] == [0]


def test_a_wrong_first_record_still_speaks_for_the_pack() -> None:
    pack = answer(b'[{"n":"fridge-1/temperature","v":"warm","sent":1780000000,"upto":1780000000,"low":4}]')
    assert isinstance(pack, DecodedPack)
    assert (pack.sent, pack.upto, pack.low, len(pack.rejected)) == (NOON, NOON, 4, 1)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"sent": 5}, DeadReason.BAD_TIME),
        ({"upto": 1e300}, DeadReason.BAD_TIME),
        ({"upto": "later"}, DeadReason.BAD_TIME),
        ({"low": 0}, DeadReason.BAD_VALUE),
        ({"low": -1}, DeadReason.BAD_VALUE),
    ],
)
def test_a_header_that_makes_no_sense_is_refused_and_the_other_records_are_kept(
    header: dict[str, object], reason: DeadReason
) -> None:
    pack = answer(msgspec.json.encode([header, GOOD]), sequenced=True)
    assert isinstance(pack, DecodedPack)
    assert (pack.sent, pack.upto, pack.low, len(pack)) == (None, None, None, 1)
    assert [(r.index, r.reason) for r in pack.rejected] == [(0, reason)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"from": NOON / 1000 + 9}, DeadReason.BAD_TIME),
        ({"to": 0}, DeadReason.BAD_TIME),
        ({"from": "x"}, DeadReason.BAD_VALUE),
        ({"count": -1}, DeadReason.BAD_VALUE),
        ({"count": 1.5}, DeadReason.BAD_VALUE),
        ({"reason": ""}, DeadReason.BAD_VALUE),
        ({"reason": "x" * 65}, DeadReason.BAD_VALUE),
        ({"points": ["fridge"]}, DeadReason.BAD_NAME),
    ],
)
def test_a_gap_that_makes_no_sense_costs_one_record(change: dict[str, object], reason: DeadReason) -> None:
    gap = {"from": NOON / 1000, "to": NOON / 1000 + 1, "count": 3, "reason": "outbox_full", "points": [NAME]}
    assert refusals({"gap": {**gap, **change}}) == [(1, reason)]


def test_a_text_with_a_null_character_is_kept_without_it() -> None:
    pack = answer(b'[{"n":"fridge-1/temperature","vs":"a\\u0000b","q":"bad"}]')
    assert isinstance(pack, DecodedPack)
    assert pack.texts == {0: "a\ufffdb"}
    assert math.isnan(pack.value[0])


def test_details_quote_hostile_bytes_harmlessly() -> None:
    pack = answer(msgspec.json.encode([{"n": "\x1b[31m" + "x" * 10_000, "v": 1}]))
    assert isinstance(pack, DecodedPack)
    assert pack.rejected[0].detail.isprintable()
    assert len(pack.rejected[0].detail) < 200
