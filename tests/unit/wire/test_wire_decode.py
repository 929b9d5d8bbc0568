"""What one pack says: SenML resolved by the book, units converted, states named."""

import math
from typing import Any

import msgspec
import pytest

from domain.catalogue import Point
from domain.readings import Quality, QualityCode, Reading
from domain.units import UNITS
from wire.decode import DecodedPack, decode_pack
from wire.senml import GapRecord, encode_pack

NOON = 1_780_000_000_000
POINTS = {
    point.name: point
    for point in (
        Point("fridge-1", "temperature", UNITS["Cel"]),
        Point("fridge-1", "door", UNITS["state"], states={"closed": 0, "open": 1}),
        Point("boiler-1", "status", UNITS["state"], states={"off": 0, "run": 1, "fault": 2}),
        Point("meter-1", "energy", UNITS["kWh"]),
        Point("meter-1", "power", UNITS["W"]),
    )
}


def decode(records: object, *, sequenced: bool = False, received: int = NOON) -> DecodedPack:
    payload = records if isinstance(records, bytes) else msgspec.json.encode(records)
    pack = decode_pack(payload, site="school", received=received, points=POINTS, sequenced=sequenced)
    assert isinstance(pack, DecodedPack), pack
    return pack


def rows(pack: DecodedPack) -> list[tuple[str, int, float, Quality, str]]:
    return [
        (
            pack.names[pack.point[row]],
            int(pack.time[row]),
            float(pack.value[row]),
            QualityCode(int(pack.quality[row])).quality,
            pack.texts.get(row, ""),
        )
        for row in range(len(pack))
    ]


def test_one_reading_published_by_hand() -> None:
    pack = decode(b'[{"n":"fridge-1/temperature","u":"Cel","v":4.5}]')
    assert rows(pack) == [("fridge-1/temperature", NOON, 4.5, Quality.GOOD, "")]
    assert (pack.sent, pack.upto, pack.low, pack.gaps, pack.rejected) == (None, None, None, (), ())
    assert (pack.site, pack.units) == ("school", {"fridge-1/temperature": "Cel"})


def test_the_columns_have_the_types_of_a_batch() -> None:
    for pack in (decode([]), decode([{"n": "fridge-1/temperature", "v": 4.5}])):
        dtypes = [str(column.dtype) for column in (pack.point, pack.time, pack.value, pack.quality)]
        assert dtypes == ["int32", "int64", "float64", "uint8"]


def test_an_empty_pack_says_how_far_the_agent_is() -> None:
    pack = decode(encode_pack([], units={}, sent=NOON + 7, upto=NOON - 1, low=9), sequenced=True)
    assert len(pack) == 0
    assert (pack.sent, pack.upto, pack.low, pack.rejected) == (NOON + 7, NOON - 1, 9, ())
    assert len(decode(b"[]")) == 0


def test_base_fields_hold_until_others_come() -> None:
    pack = decode(
        [
            {"bn": "fridge-1/", "bt": 1_780_000_000, "bu": "degF", "n": "temperature", "v": 41},
            {"n": "temperature", "t": 60, "v": 50},
            {"n": "temperature", "t": 120, "u": "Cel", "v": 3},
            {"bn": "meter-1/", "bu": "kW", "bt": 1_780_000_600, "n": "power", "v": 1.5},
            {"n": "power", "v": 2},
        ]
    )
    assert [(name, time - NOON) for name, time, *_ in rows(pack)] == [
        ("fridge-1/temperature", 0),
        ("fridge-1/temperature", 60_000),
        ("fridge-1/temperature", 120_000),
        ("meter-1/power", 600_000),
        ("meter-1/power", 600_000),
    ]
    assert pack.value.tolist() == pytest.approx([5.0, 10.0, 3.0, 1500.0, 2000.0])
    assert pack.names == ("fridge-1/temperature", "meter-1/power")
    assert pack.point.tolist() == [0, 0, 0, 1, 1]


def test_a_base_unit_is_not_meant_for_the_states_of_the_pack() -> None:
    pack = decode([{"bu": "Cel", "n": "fridge-1/temperature", "v": 4}, {"n": "fridge-1/door", "vb": True}])
    assert (pack.value.tolist(), pack.rejected) == ([4.0, 1.0], ())


def test_a_point_that_is_first_heard_with_a_fault_still_has_its_unit() -> None:
    for order in (1, -1):
        pack = decode([{"n": "new-1/x", "u": "Cel", "v": 4}, {"n": "new-1/x", "vs": "crc error"}][::order])
        assert pack.units == {"new-1/x": "Cel"}


def test_a_base_value_is_added_before_the_unit_is_converted() -> None:
    pack = decode([{"bn": "meter-1/", "bv": 1000, "n": "energy", "u": "Wh", "v": 500}, {"n": "energy", "v": 1}])
    assert pack.value.tolist() == pytest.approx([1.5, 1001.0])


def test_a_base_name_may_be_the_whole_name() -> None:
    assert rows(decode([{"bn": "fridge-1/temperature", "v": 4}]))[0][0] == "fridge-1/temperature"


def test_base_fields_may_stand_alone_in_a_record() -> None:
    pack = decode([{"bn": "fridge-1/", "bt": 1_780_000_000}, {"n": "temperature", "v": 4}, {"bn": "meter-1/"}])
    assert rows(pack) == [("fridge-1/temperature", NOON, 4.0, Quality.GOOD, "")]
    assert pack.rejected == ()


@pytest.mark.parametrize(
    ("seconds", "ms"),
    [
        (1_780_000_000, 0),
        (1_780_000_000.001, 1),
        (1_780_000_000.0005, 1),
        (1_780_000_000.00049, 0),
        (1_779_999_999.9996, 0),
        (1_780_000_000.9999, 1_000),
    ],
)
def test_a_time_is_rounded_to_the_nearest_millisecond(seconds: float, ms: int) -> None:
    assert decode([{"n": "fridge-1/temperature", "t": seconds, "v": 4}]).time.tolist() == [NOON + ms]


@pytest.mark.parametrize(
    ("seconds", "ms"), [(0, 0), (-5, -5_000), (1.5, 1_500), (-0.0004, 0), (2**28 - 1, 268_435_455_000)]
)
def test_a_plain_device_may_count_its_times_from_now(seconds: float, ms: int) -> None:
    assert decode([{"n": "fridge-1/temperature", "t": seconds, "v": 4}]).time.tolist() == [NOON + ms]


def test_a_relative_base_time_counts_from_now_too() -> None:
    pack = decode([{"bt": -60, "n": "fridge-1/temperature", "v": 4}, {"n": "fridge-1/temperature", "t": 30, "v": 4}])
    assert pack.time.tolist() == [NOON - 60_000, NOON - 30_000]


def test_readings_keep_the_order_of_the_pack() -> None:
    late_first = [{"n": "fridge-1/temperature", "t": 1_780_000_000 - n, "v": n} for n in (0, 300, 60, 60)]
    assert decode(late_first, sequenced=True).value.tolist() == [0.0, 300.0, 60.0, 60.0]


def test_states_are_names_booleans_or_numbers() -> None:
    pack = decode(
        [
            {"n": "boiler-1/status", "vs": "fault"},
            {"n": "fridge-1/door", "vb": True},
            {"n": "fridge-1/door", "vb": False},
            {"n": "boiler-1/status", "v": 1},
        ]
    )
    assert [(name, value, text) for name, _, value, _, text in rows(pack)] == [
        ("boiler-1/status", 2.0, "fault"),
        ("fridge-1/door", 1.0, ""),
        ("fridge-1/door", 0.0, ""),
        ("boiler-1/status", 1.0, ""),
    ]
    assert set(pack.quality.tolist()) == {0}


def test_the_name_of_a_state_counts_more_than_the_devices_own_number_for_it() -> None:
    assert decode([{"n": "boiler-1/status", "v": 7, "vs": "fault"}]).value.tolist() == [2.0]


def test_an_unknown_text_is_bad_and_kept() -> None:
    pack = decode([{"n": "boiler-1/status", "vs": "purging"}, {"n": "fridge-1/temperature", "vs": "open circuit"}])
    assert [(math.isnan(value), quality, text) for _, _, value, quality, text in rows(pack)] == [
        (True, Quality.BAD, "purging"),
        (True, Quality.BAD, "open circuit"),
    ]


def test_quality_is_taken_from_its_label() -> None:
    name = "fridge-1/temperature"
    pack = decode(
        [
            {"n": name, "v": 4, "q": "good"},
            {"n": name, "v": 4, "q": "uncertain"},
            {"n": name, "v": 4, "q": "bad"},
            {"n": name, "vs": "crc error", "q": "bad"},
            {"n": name, "q": "bad"},
            {"n": "boiler-1/status", "vs": "run", "q": "bad"},
        ]
    )
    assert [(quality.value, text) for *_, quality, text in rows(pack)] == [
        ("good", ""),
        ("uncertain", ""),
        ("bad", ""),
        ("bad", "crc error"),
        ("bad", ""),
        ("bad", "run"),
    ]
    assert [math.isnan(value) for value in pack.value.tolist()] == [False, False, False, True, True, True]


@pytest.mark.parametrize("value", [85.0, -127.0, 327.67, 882.6, 999.0])
def test_a_number_that_a_device_sends_as_error_code_is_not_touched(value: float) -> None:
    pack = decode([{"n": "fridge-1/temperature", "u": "Cel", "v": value}])
    assert (pack.value.tolist(), pack.quality.tolist()) == ([value], [0])


@pytest.mark.parametrize(
    ("name", "unit", "value", "stored"),
    [
        ("fridge-1/temperature", "K", 277.15, 4.0),
        ("fridge-1/temperature", "degF", 32.0, 0.0),
        ("fridge-1/temperature", "", 4.0, 4.0),
        ("meter-1/energy", "J", 3_600_000.0, 1.0),
        ("meter-1/energy", "Wh", 250.0, 0.25),
        ("meter-1/power", "kW", 0.3, 300.0),
    ],
)
def test_a_known_point_is_stored_in_its_own_unit(name: str, unit: str, value: float, stored: float) -> None:
    pack = decode([{"n": name, "u": unit, "v": value}])
    assert pack.value.tolist() == pytest.approx([stored])
    assert pack.units[name] == POINTS[name].unit.code


def test_an_unknown_point_is_stored_in_the_canonical_unit_of_what_it_sends() -> None:
    pack = decode(
        [
            {"n": "new-1/temperature", "u": "degF", "v": 50},
            {"n": "new-1/noise", "u": "dBm", "v": -3},
            {"n": "new-1/count", "v": 7},
            {"n": "new-1/lamp", "vb": True},
            {"n": "new-1/mode", "vs": "eco"},
        ]
    )
    assert pack.value.tolist()[:4] == pytest.approx([10.0, -3.0, 7.0, 1.0])
    assert math.isnan(pack.value[4])
    assert pack.units == {
        "new-1/temperature": "Cel",
        "new-1/noise": "dBm",
        "new-1/count": "",
        "new-1/lamp": "",
        "new-1/mode": "",
    }


def test_gap_records_are_read() -> None:
    gap = GapRecord(NOON - 5_000, NOON - 1_500, 7, "outbox_full", ("fridge-1/temperature",))
    whole = GapRecord(NOON, NOON, 0, "clock_step")
    reading = Reading("fridge-1/temperature", NOON, 4.0)
    payload = encode_pack([reading], units={}, sent=NOON, upto=NOON, low=1, gaps=(gap, whole))
    pack = decode(payload, sequenced=True)
    assert (pack.gaps, len(pack), pack.rejected) == ((gap, whole), 1, ())


def test_only_the_first_record_speaks_for_the_pack() -> None:
    pack = decode([{"n": "fridge-1/temperature", "v": 4}, {"n": "fridge-1/temperature", "v": 4, "low": 3, "sent": 1}])
    assert (pack.low, pack.sent, len(pack), pack.rejected) == (None, None, 2, ())


def test_labels_that_nobody_knows_are_ignored() -> None:
    pack = decode([{"n": "fridge-1/temperature", "v": 4, "battery": {"volt": [3.1]}}, {"n": "meter-1/power", "v": 9}])
    assert (pack.value.tolist(), pack.rejected) == ([4.0, 9.0], ())


def test_labels_of_rfc_8428_that_say_nothing_here_are_ignored() -> None:
    pack = decode([{"bver": 10, "bs": 5, "n": "fridge-1/temperature", "v": 4, "s": 9, "ut": 60}])
    assert (pack.value.tolist(), pack.rejected) == ([4.0], ())


def test_a_repeated_label_counts_as_its_last() -> None:
    assert decode(b'[{"n":"fridge-1/temperature","v":1,"v":2}]').value.tolist() == [2.0]


def test_what_the_edge_writes_ingest_reads_to_the_last_bit() -> None:
    readings = [
        Reading("fridge-1/temperature", NOON + 1, -0.0),
        Reading("fridge-1/temperature", NOON + 999, 0.1 + 0.2),
        Reading("boiler-1/status", NOON + 60_001, 2.0, Quality.UNCERTAIN, "fault"),
        Reading("fridge-1/temperature", NOON - 86_400_001, 5e-324),
    ]
    units: dict[str, Any] = {name: point.unit.code for name, point in POINTS.items()}
    pack = decode(encode_pack(readings, units=units, sent=NOON, upto=NOON, low=1), sequenced=True)
    assert rows(pack) == [(r.point, r.time, r.value, r.quality, r.text) for r in readings]
    assert math.copysign(1.0, pack.value[0]) == -1.0
