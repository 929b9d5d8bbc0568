"""How readings become packs: what stands in the JSON, and where a long run is cut."""

import math
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from domain.readings import Quality, Reading
from wire.senml import (
    AGENT_PACK_BYTES,
    LONGEST_TEXT,
    MAX_GAPS,
    MAX_RECORDS,
    GapRecord,
    encode_pack,
    split_packs,
)

NOON = 1_780_000_000_000
UNITS = {"fridge-1/temperature": "Cel", "fridge-2/temperature": "Cel", "boiler-1/status": "state"}


def pack(*readings: Reading, gaps: tuple[GapRecord, ...] = ()) -> Any:
    return msgspec.json.decode(
        encode_pack(readings, units=UNITS, sent=NOON + 61_000, upto=NOON + 60_123, low=3, gaps=gaps)
    )


def test_a_pack_names_its_asset_its_time_and_its_unit_once() -> None:
    assert pack(
        Reading("fridge-1/temperature", NOON + 123, 4.25),
        Reading("fridge-1/temperature", NOON + 60_123, 4.5),
        Reading("fridge-2/temperature", NOON + 60_123, -0.5),
    ) == [
        {
            "bn": "fridge-1/",
            "bt": 1_780_000_000.0,
            "n": "temperature",
            "u": "Cel",
            "t": 0.123,
            "v": 4.25,
            "sent": 1_780_000_061.0,
            "upto": 1_780_000_060.123,
            "low": 3,
        },
        {"n": "temperature", "u": "Cel", "t": 60.123, "v": 4.5},
        {"bn": "fridge-2/", "n": "temperature", "u": "Cel", "t": 60.123, "v": -0.5},
    ]


def test_an_idle_agent_says_only_how_far_it_is() -> None:
    assert pack() == [{"sent": 1_780_000_061.0, "upto": 1_780_000_060.123, "low": 3}]


def test_quality_and_raw_text_travel_with_the_reading() -> None:
    uncertain, error, blank, state = pack(
        Reading("fridge-1/temperature", NOON, 4.0, Quality.UNCERTAIN),
        Reading("fridge-1/temperature", NOON, 85.0, Quality.BAD, "85 power-on reset"),
        Reading("fridge-1/temperature", NOON, math.nan, Quality.BAD),
        Reading("boiler-1/status", NOON, 1.0, Quality.GOOD, "run"),
    )
    assert (uncertain["q"], uncertain["v"]) == ("uncertain", 4.0)
    assert (error["q"], error["v"], error["vs"]) == ("bad", 85.0, "85 power-on reset")
    assert (blank["q"], blank["vs"]) == ("bad", "")
    assert "v" not in blank
    assert (state["v"], state["vs"]) == (1.0, "run")
    assert "q" not in state


@pytest.mark.parametrize("value", [math.inf, -math.inf, 3.4e38, -1.1e18])
def test_a_number_that_is_no_measurement_travels_as_text(value: float) -> None:
    (record,) = pack(Reading("fridge-1/temperature", NOON, value))
    assert "v" not in record
    assert (record["q"], record["vs"]) == ("bad", repr(value))


def test_a_point_without_a_known_unit_is_sent_without_one() -> None:
    (record,) = pack(Reading("fridge-9/temperature", NOON, 4.0))
    assert "u" not in record


def test_gaps_stand_before_the_readings_with_times_in_seconds() -> None:
    header, gap, reading = pack(
        Reading("fridge-1/temperature", NOON, 4.0),
        gaps=(GapRecord(NOON - 5_000, NOON - 1_500, 7, "outbox_full", ("fridge-1/temperature",)),),
    )
    assert (header["low"], header["bt"]) == (3, 1_780_000_000.0)
    assert "n" not in header
    assert gap == {
        "gap": {
            "from": 1_779_999_995.0,
            "to": 1_779_999_998.5,
            "count": 7,
            "reason": "outbox_full",
            "points": ["fridge-1/temperature"],
        }
    }
    assert reading["v"] == 4.0


def test_no_more_gaps_than_a_pack_may_hold() -> None:
    gaps = tuple(GapRecord(NOON, NOON + n, n, "outbox_full") for n in range(MAX_GAPS + 5))
    assert len(pack(gaps=gaps)) == 1 + MAX_GAPS


def test_half_a_character_does_not_stop_the_pack() -> None:
    first, second = pack(
        Reading("fridge-1/temperature", NOON, math.nan, Quality.BAD, "85\udc80"),
        Reading("fridge-1/temperature", NOON, math.nan, Quality.BAD, "冷"),
    )
    assert (first["vs"], second["vs"]) == ("85?", "冷")


def test_a_text_is_cut_at_its_bound() -> None:
    (record,) = pack(Reading("fridge-1/temperature", NOON, math.nan, Quality.BAD, "x" * 5_000))
    assert len(record["vs"]) == LONGEST_TEXT


def runs(readings: list[Reading], limit: int = AGENT_PACK_BYTES, gaps: tuple[GapRecord, ...] = ()) -> list[int]:
    """The lengths of the runs; each was encoded and found within the limits."""
    lengths, seen = [], []
    for number, run in enumerate(split_packs(readings, units=UNITS, limit=limit, gaps=gaps)):
        payload = encode_pack(run, units=UNITS, sent=NOON, upto=NOON, low=2**62, gaps=gaps if number == 0 else ())
        assert len(payload) <= limit
        assert len(msgspec.json.decode(payload)) <= MAX_RECORDS
        lengths.append(len(run))
        seen += run
    assert seen == readings
    return lengths


def readings(count: int) -> list[Reading]:
    return [Reading(f"fridge-{n % 2 + 1}/temperature", NOON + n * 1_000, n / 7) for n in range(count)]


def test_nothing_is_cut_into_nothing_and_one_into_one() -> None:
    assert runs([]) == []
    assert runs(readings(1)) == [1]


def test_a_day_of_readings_is_cut_at_64_kib() -> None:
    lengths = runs(readings(3_000))
    assert len(lengths) > 2
    assert min(lengths[:-1]) > 500  # the estimate is not so careful that packs are half empty


def test_short_records_are_cut_at_the_number_of_records() -> None:
    short = [Reading("a/b", NOON, 1.0)] * 11_000
    lengths = []
    for run in split_packs(short, units={}, limit=10_000_000):
        assert len(msgspec.json.decode(encode_pack(run, units={}, sent=1, upto=1, low=1))) <= MAX_RECORDS
        lengths.append(len(run))
    assert lengths == [4_999, 4_999, 1_002]


def test_gaps_take_their_room_in_the_first_pack() -> None:
    gaps = tuple(GapRecord(NOON, NOON + n, n, "outbox_full", ("fridge-1/temperature",) * 20) for n in range(60))
    with_gaps, without = runs(readings(2_000), gaps=gaps), runs(readings(2_000))
    assert with_gaps[0] < without[0]
    assert abs(with_gaps[1] - without[1]) < 20  # later packs have the whole room again


def test_a_reading_larger_than_the_limit_still_travels_alone() -> None:
    long = Reading("fridge-1/temperature", NOON, math.nan, Quality.BAD, "\1" * 5_000)
    assert [len(run) for run in split_packs([long, long], units=UNITS, limit=1_000)] == [1, 1]
    assert len(encode_pack([long], units=UNITS, sent=NOON, upto=NOON, low=1)) < 16 * 1024


def test_splitting_is_lazy() -> None:
    def endless() -> Any:
        while True:
            yield readings(1)[0]

    first = next(split_packs(endless(), units=UNITS))
    assert 100 < len(first) < MAX_RECORDS


def test_what_the_edge_box_imports_needs_no_numpy() -> None:
    code = (
        "import sys; import wire.senml, wire.topics, wire.messages, wire.rejection; "
        "print([name for name in ('numpy', 'yaml', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
