"""Parts of packs are packs: what is cut out says by itself what it said before."""

import json

from hypothesis import given
from hypothesis import strategies as st

from ingest.excerpt import Anatomy
from tests.unit.ingest.ingest_fakes import NOW, SITE
from wire.decode import DecodedPack, decode_pack

RECORDS = st.lists(
    st.fixed_dictionaries(
        {"n": st.sampled_from(["temperature", "door"]), "v": st.integers(-9, 9), "t": st.integers(0, 99)},
        optional={
            "bn": st.sampled_from(["fridge-1/", "freezer-1/"]),
            "bt": st.sampled_from([1_772_000_000, 1_772_000_100.25]),
            "bu": st.sampled_from(["Cel", "degF", ""]),
            "bv": st.sampled_from([0, 1.5]),
        },
    ),
    min_size=1,
    max_size=8,
)


def rows(payload: bytes) -> list[tuple[str, int, float, str]]:
    decoded = decode_pack(payload, site=SITE, received=NOW, points={}, sequenced=False)
    assert isinstance(decoded, DecodedPack)
    return [
        (decoded.names[point], time, value, decoded.units[decoded.names[point]])
        for point, time, value in zip(
            decoded.point.tolist(), decoded.time.tolist(), decoded.value.tolist(), strict=True
        )
    ]


@given(RECORDS, st.sets(st.integers(0, 7)))
def test_the_parts_of_a_pack_say_what_they_said_in_it(records: list[dict[str, object]], chosen: set[int]) -> None:
    records[0].setdefault("bn", "fridge-1/")
    records[0].setdefault("bt", 1_772_000_000)
    payload = json.dumps(records).encode()
    chosen = {index for index in chosen if index < len(records)}
    part = Anatomy(payload, NOW).pack(lambda one: one.index in chosen)
    if not chosen:
        assert part == payload
        return
    whole = [row[:3] for row in rows(payload)]
    assert [row[:3] for row in rows(part)] == [whole[index] for index in sorted(chosen)]


def test_names_and_times_are_resolved_as_the_decoder_resolves_them() -> None:
    payload = b'[{"bn":"fridge-1/","bt":1772000000,"n":"temperature"},{"n":"door","t":0.25,"v":1},{"t":-5,"bt":0}]'
    parts = Anatomy(payload, NOW).parts
    assert [(part.index, part.name, part.time) for part in parts] == [
        (0, "fridge-1/temperature", NOW),
        (1, "fridge-1/door", NOW + 250),
        (2, "fridge-1/", NOW - 5000),
    ]


def test_what_cannot_be_taken_apart_stays_whole() -> None:
    for payload in (b"", b"garbage", b"{}", b"[", b"\xff"):
        assert Anatomy(payload, NOW).pack(lambda part: True) == payload
    odd = b'[1,{"n":"a/b","t":"x","v":1}]'
    assert [part.time for part in Anatomy(odd, NOW).parts][1] == 0
    assert Anatomy(odd, NOW).pack(lambda part: part.index == 1) == odd[:1] + odd[3:]


def test_the_bytes_of_a_record_are_kept_as_they_came() -> None:
    payload = b'[ {"bn":"fridge-1/"} , {"n": "door",  "v":1.50} ]'
    assert b'{"n": "door",  "v":1.50}' in Anatomy(payload, NOW).pack(lambda part: part.index == 1)
