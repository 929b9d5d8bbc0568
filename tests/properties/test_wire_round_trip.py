"""What an agent writes, ingest reads: values to the last bit, times to the millisecond, qualities and texts."""

import math
import struct

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalogue import Point
from domain.ids import ID_PATTERN
from domain.readings import Quality, QualityCode, Reading
from domain.times import EARLIEST, LATEST
from domain.units import UNITS
from wire.decode import DecodedPack, decode_pack
from wire.messages import Receipt, decode_receipt, encode_receipt
from wire.senml import AGENT_PACK_BYTES, LARGEST_VALUE, MAX_RECORDS, GapRecord, encode_pack, split_packs
from wire.topics import LAST_SEQ, Kind, Topic, build_topic, parse_topic

POINTS = {
    point.name: point
    for point in (
        Point("fridge-1", "temperature", UNITS["Cel"]),
        Point("fridge-2", "temperature", UNITS["Cel"]),
        Point("boiler-1", "status", UNITS["state"], states={"off": 0, "run": 1, "fault": 2}),
    )
}
UNIT_CODES = {name: point.unit.code for name, point in POINTS.items()}
TIMES = st.integers(EARLIEST, LATEST)
VALUES = st.floats(-LARGEST_VALUE, LARGEST_VALUE, allow_nan=False)
# A text that is the name of a state means that state, whatever number stands beside it; NUL is kept by no database.
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40).filter(
    lambda text: text not in ("off", "run", "fault")
)
NAMES = st.sampled_from([*POINTS, "new-1/temperature"])
MEASURED = st.builds(Reading, NAMES, TIMES, VALUES, st.sampled_from(Quality), TEXTS)
MISSING = st.builds(Reading, NAMES, TIMES, st.just(math.nan), st.just(Quality.BAD), TEXTS)
READINGS = st.lists(st.one_of(MEASURED, MISSING), max_size=40)
GAPS = st.lists(
    st.builds(
        lambda start, length, count, reason, points: GapRecord(
            start, min(start + length, LATEST), count, reason, points
        ),
        TIMES,
        st.integers(0, 10**9),
        st.integers(0, 2**40),
        st.text(min_size=1, max_size=64).filter(str.isascii),
        st.lists(NAMES, max_size=3).map(tuple),
    ),
    max_size=4,
)
IDS = st.from_regex(ID_PATTERN, fullmatch=True)


def bits(value: float) -> bytes:
    return b"nan" if math.isnan(value) else struct.pack("<d", value)


def rows_of(readings: list[Reading]) -> list[tuple[object, ...]]:
    return [(r.point, r.time, bits(r.value), r.quality, r.text) for r in readings]


def rows(pack: DecodedPack) -> list[tuple[object, ...]]:
    return [
        (
            pack.names[pack.point[row]],
            int(pack.time[row]),
            bits(float(pack.value[row])),
            QualityCode(int(pack.quality[row])).quality,
            pack.texts.get(row, ""),
        )
        for row in range(len(pack))
    ]


def decode(payload: bytes) -> DecodedPack:
    pack = decode_pack(payload, site="school", received=EARLIEST, points=POINTS, sequenced=True)
    assert isinstance(pack, DecodedPack), pack
    return pack


@settings(max_examples=150)
@given(READINGS, GAPS, TIMES, TIMES, st.integers(1, LAST_SEQ))
def test_a_pack_is_read_as_it_was_written(
    readings: list[Reading], gaps: list[GapRecord], sent: int, upto: int, low: int
) -> None:
    pack = decode(encode_pack(readings, units=UNIT_CODES, sent=sent, upto=upto, low=low, gaps=gaps))
    assert pack.rejected == ()
    assert rows(pack) == rows_of(readings)
    assert (pack.gaps, pack.sent, pack.upto, pack.low) == (tuple(gaps), sent, upto, low)
    assert len(set(pack.names)) == len(pack.names)
    assert set(pack.units) == set(pack.names)


@settings(max_examples=100)
@given(st.lists(st.one_of(MEASURED, MISSING), max_size=60), st.integers(400, 5_000), GAPS)
def test_however_it_is_cut_nothing_is_lost_doubled_or_turned_round(
    readings: list[Reading], limit: int, gaps: list[GapRecord]
) -> None:
    joined: list[tuple[object, ...]] = []
    for number, run in enumerate(split_packs(readings, units=UNIT_CODES, limit=limit, gaps=gaps)):
        with_gaps = gaps if number == 0 else []
        payload = encode_pack(run, units=UNIT_CODES, sent=LATEST, upto=LATEST, low=LAST_SEQ, gaps=with_gaps)
        assert len(run) == 1 or len(payload) <= limit
        assert 1 <= len(run) <= MAX_RECORDS
        joined += rows(decode(payload))
    assert joined == rows_of(readings)


@settings(max_examples=100)
@given(st.floats(allow_nan=True, allow_infinity=True), st.text(max_size=5_000), TIMES)
def test_nothing_that_an_agent_can_send_is_refused(value: float, text: str, time: int) -> None:
    reading = Reading("fridge-1/temperature", time, value, Quality.BAD, text)
    payload = encode_pack([reading], units=UNIT_CODES, sent=time, upto=time, low=1)
    assert len(payload) < AGENT_PACK_BYTES
    pack = decode(payload)
    assert (len(pack), pack.rejected) == (1, ())


@settings(max_examples=100)
@given(st.lists(st.sampled_from(list(UNITS)), min_size=1, max_size=8), st.floats(-1e6, 1e6))
def test_an_unknown_point_is_always_stored_in_a_canonical_unit(codes: list[str], value: float) -> None:
    records = [{"n": f"new-{n}/x", "u": code, "v": value, "t": EARLIEST / 1000} for n, code in enumerate(codes)]
    pack = decode(msgspec.json.encode(records))
    for row, code in enumerate(codes):
        assert bits(pack.value[row]) == bits(UNITS[code].to_canonical(value))
        stored = UNITS[pack.units[pack.names[pack.point[row]]]]
        assert (stored.quantity, stored.factor, stored.offset) == (UNITS[code].quantity, 1.0, 0.0)


@settings(max_examples=150)
@given(
    st.one_of(
        st.builds(Topic, st.just(Kind.READINGS), IDS, IDS, IDS, st.integers(1, LAST_SEQ)),
        st.builds(Topic, st.sampled_from([Kind.UNSEQUENCED, Kind.RECEIPT, Kind.BIRTH, Kind.STATUS]), IDS, IDS),
        st.builds(
            lambda site, rule, asset, metric: Topic(Kind.ALARM, site, rule=rule, point=f"{asset}/{metric}"),
            IDS, IDS, IDS, IDS,
        ),
    )
)  # fmt: skip
def test_every_topic_is_read_as_it_was_written(topic: Topic) -> None:
    assert parse_topic(build_topic(topic)) == topic


@settings(max_examples=100)
@given(IDS, st.integers(0, LAST_SEQ))
def test_every_receipt_is_read_as_it_was_written(boot: str, through: int) -> None:
    assert decode_receipt(encode_receipt(Receipt(boot, through))) == Receipt(boot, through)
