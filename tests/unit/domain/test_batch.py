"""Readings in columns: what goes into the journal comes out of it unchanged."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.batch import Gap, ReadingBatch, Span, batch_of, decode_batch, encode_batch
from domain.readings import Quality, QualityCode, Reading

NAMES = st.sampled_from(["fridge-1/temperature", "fridge-2/temperature", "boiler-1/status"])
GOOD = st.builds(
    Reading,
    NAMES,
    st.integers(0, 2**42),
    st.floats(allow_nan=False),
    st.sampled_from([Quality.GOOD, Quality.UNCERTAIN]),
)
BAD = st.builds(Reading, NAMES, st.integers(0, 2**42), st.just(math.nan), st.just(Quality.BAD), st.text(max_size=20))


def rows(batch: ReadingBatch) -> list[tuple[object, ...]]:
    return [(r.point, r.time, "nan" if math.isnan(r.value) else r.value, r.quality, r.text) for r in batch.readings()]


@given(st.lists(st.one_of(GOOD, BAD), max_size=30), st.integers(0, 2**42))
def test_a_batch_survives_the_journal(readings: list[Reading], received: int) -> None:
    batch = batch_of("school", received, readings, agent="canteen", upto=17)
    again = decode_batch(encode_batch(batch))
    assert rows(again) == rows(batch)
    assert (again.site, again.received, again.spans) == ("school", received, (Span("canteen", 0, len(readings), 17),))


def test_gaps_and_spans_survive_the_journal() -> None:
    gap = Gap("canteen", 5, 9, 0, "outbox_full", ("fridge-1/temperature",))
    empty = np.zeros(0, np.int32)
    batch = ReadingBatch(
        "school", 1, (), empty, empty.astype(np.int64), empty.astype(np.float64), empty.astype(np.uint8),
        (Span("canteen", 0, 0, 99, "b7", 12),), (gap,),
    )  # fmt: skip
    again = decode_batch(encode_batch(batch))
    assert (again.gaps, again.spans, len(again)) == ((gap,), batch.spans, 0)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        ReadingBatch("s", 1, ("a/b",), np.zeros(1, np.int32), np.zeros(2, np.int64), np.zeros(1), np.zeros(1, np.uint8))


@pytest.mark.parametrize("blob", [b"", b"\xc1", b"\x91\x02", b"[]", encode_batch(batch_of("s", 1, []))[:-3]])
def test_foreign_bytes_are_not_a_batch(blob: bytes) -> None:
    with pytest.raises(ValueError):
        decode_batch(blob)


def test_a_reading_without_a_value_must_be_bad() -> None:
    with pytest.raises(ValueError, match="must be bad"):
        Reading("fridge-1/temperature", 0, math.nan)
    assert Quality.UNCERTAIN.code is QualityCode.UNCERTAIN
    assert QualityCode.BAD.quality is Quality.BAD
