"""Readings from CSV: the fast way is the slow way, and every file gives readings or a placed mistake."""

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputError, Place
from domain.times import iso, parse_time
from rules.loading import load_rules
from rules.readings_csv import ReadingRows, _Reader, read_readings
from rules.timestamps import parse_times

TIMES = st.integers(631_152_000_000, 4_000_000_000_000)
CELLS = st.sampled_from(["4", "-18.5", "0", "1e3", "", "off", "nan", "1_0", "85 °C", "--", "+7", "inf"])
POINTS = st.sampled_from(["a/t", "b/t", "freezer-1/product_temperature"])
QUALITIES = st.sampled_from(["", "good", "uncertain", "bad"])
ROWS = st.lists(st.tuples(TIMES, POINTS, CELLS, QUALITIES, TIMES), max_size=30)

RULE = """\
rules:
  - id: warm
    applies_to: {asset_type: [refrigerator], metric: temperature}
    levels:
      - {above: 8.0, deadband: 0.5, on_delay: 30min, priority: high}
      - {above: 12.0, priority: urgent}
    basis: {kind: legal, document: x, clause: "", verified: false}
    escalate: {to: [a, b], after: [0min, 15min]}
"""


class Slow(_Reader):
    """Without the fast way."""

    def _uniform(self, body: bytes) -> None:
        return None


def slowly(data: bytes) -> ReadingRows:
    reader = Slow("r.csv", {})
    reader.take(data)
    return reader.result()


def mistake(read: Callable[[], object]) -> Place | None:
    """Where the mistake is; anything else that is raised passes on."""
    try:
        read()
    except InputError as error:
        return error.place
    return None


def same(first: ReadingRows, second: ReadingRows) -> bool:
    columns = ("point", "time", "quality", "received")
    return (
        first.points == second.points
        and all(np.array_equal(getattr(first, name), getattr(second, name)) for name in columns)
        and np.array_equal(first.value, second.value, equal_nan=True)
        and dict(first.texts) == dict(second.texts)
    )


@settings(max_examples=200, deadline=None)
@given(ROWS, st.booleans(), st.sampled_from(["\n", "\r\n"]), st.integers(1, 200))
def test_the_fast_way_is_the_slow_way_wherever_the_file_is_cut(
    rows: list[tuple[int, str, str, str, int]], as_text: bool, end: str, block: int
) -> None:
    form = iso if as_text else str
    lines = ["time,point,value,quality,received"]
    lines += [f"{form(time)},{point},{cell},{quality},{form(came)}" for time, point, cell, quality, came in rows]
    data = (end.join(lines) + end).encode()
    whole = slowly(data)
    assert len(whole) == len(rows)
    assert same(read_readings([data], "r.csv"), whole)
    assert same(read_readings([data[at : at + block] for at in range(0, len(data), block)], "r.csv"), whole)


@settings(max_examples=200, deadline=None)
@given(st.lists(TIMES, min_size=1, max_size=20), st.sampled_from(["Z", "+08:00", "-03:30"]), st.booleans())
def test_a_column_of_times_is_read_as_each_of_them(times: list[int], zone: str, fraction: bool) -> None:
    texts = [iso(time)[: 23 if fraction else 19] + zone for time in times]
    found = parse_times([text.encode() for text in texts])
    assert found is not None
    assert found.tolist() == [parse_time(text) for text in texts]


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.binary(max_size=200), st.text('time,pointvalue\n\r"0123456789-:TZa/ ', max_size=200).map(str.encode))
)
def test_any_bytes_are_readings_or_a_placed_mistake(data: bytes) -> None:
    for blocks in ([data], [b"time,point,value\n", data]):
        place = mistake(lambda blocks=blocks: read_readings(blocks, "r.csv"))
        assert place is None or (place.file == "r.csv" and place.line >= 1)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(RULE)), st.integers(0, 12), st.text('{}[]:,-#&*!|>%@ "\n\tabc019.', max_size=8))
def test_a_damaged_rule_file_is_rules_or_a_placed_mistake(at: int, gone: int, put: str) -> None:
    place = mistake(lambda: load_rules(RULE[:at] + put + RULE[at + gone :], "r.yaml"))
    assert place is None or place.file == "r.yaml"
