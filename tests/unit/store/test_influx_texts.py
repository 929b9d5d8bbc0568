"""Addresses, InfluxQL and line protocol: what is written, and that no name and no text can say anything else."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.batch import Gap
from domain.errors import CaretakerError
from store.influx import influxql
from store.influx.address import InfluxAddress, is_influx, parse_address
from store.influx.lines import (
    LONGEST_TEXT,
    UnwritableError,
    gap_line,
    number_line,
    point_tags,
    reading_fields,
    series_head,
)

T0 = 1_767_225_600_000
NAN = float("nan")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://influx/school", InfluxAddress("http", "influx", 8086, "school")),
        ("http://influx:9999/school", InfluxAddress("http", "influx", 9999, "school")),
        (
            "https://u%40x:p%2Fw@influx.example/school?org=my%20school",
            InfluxAddress("https", "influx.example", 8086, "school", "u@x", "p/w", "my school"),
        ),
        ("http://:token@[::1]:8086/a%20b/", InfluxAddress("http", "::1", 8086, "a b", "", "token")),
    ],
)
def test_an_address_says_where_and_as_whom(text: str, address: InfluxAddress) -> None:
    assert is_influx(text)
    assert parse_address(text) == address
    assert parse_address(text).base.startswith(text.split(":")[0])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begin with http"),
        ("sqlite", "begin with http"),
        ("mongodb://secret@x/y", "begin with http"),
        ("http:///school", "begin with http"),
        ("http://:secret@influx", "names no database"),
        ("http://:secret@influx/a/b", "names no database"),
        ("http://:secret@influx/a?bucket=x", "only org is known"),
        ("http://:secret@influx:port/a", "port"),
        ("http://:secret@influx:99999/a", "out of range"),
        ("http://:secret@influx/a?org", "bad query"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_a_secret(text: str, why: str) -> None:
    with pytest.raises(CaretakerError, match=why) as caught:
        parse_address(text)
    assert "secret" not in str(caught.value)
    assert "http://user:token@host:8086/database" in caught.value.remedy


def test_the_token_is_in_no_text_of_an_address() -> None:
    address = parse_address("http://user:secret@influx/school")
    assert "secret" not in repr(address)
    assert str(address) == "InfluxDB http://influx:8086/school"


HOSTILE = "x' OR 1=1; DROP DATABASE school --"


def test_a_hostile_name_stays_one_literal() -> None:
    query = influxql.readings('temp"; DROP', HOSTILE, "a\\' OR ''='", 0, 10, 5)
    assert '"temp\\"; DROP"' in query
    assert "'x\\' OR 1=1; DROP DATABASE school --'" in query
    assert "'a\\\\\\' OR \\'\\'=\\''" in query
    assert "\n" not in influxql.text("a\nb")


@given(st.text())
def test_a_literal_ends_only_where_it_should(word: str) -> None:
    for quoted, mark in ((influxql.text(word), "'"), (influxql.name(word), '"')):
        inside = quoted[1:-1]
        escaped = False
        for letter in inside:
            assert letter not in "\n\r"
            if escaped:
                escaped = False
            elif letter == "\\":
                escaped = True
            else:
                assert letter != mark
        assert not escaped
        assert quoted[0] == quoted[-1] == mark


@given(st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70))
def test_times_stay_within_what_influxdb_can_hold(start: int, end: int) -> None:
    written = influxql.between(start, end)
    for part in written.split(" AND "):
        assert abs(int(part.split(" ")[2].removesuffix("ms"))) * 1_000_000 < 2**63


def test_a_reading_becomes_one_line() -> None:
    tags = point_tags("school", "fridge-1/temperature", "kitchen")
    head = series_head("temperature", tags)
    assert head == "temperature,area=kitchen,asset=fridge-1,point=fridge-1/temperature,site=school "
    assert reading_fields(4.0, 0, T0, "", None, 0) == f"value=4.0,quality=0,received={T0}"
    assert reading_fields(NAN, 2, T0, 'say "85"\\', None, 2) == f'quality=2,received={T0},text="say \\"85\\"\\\\"'
    assert reading_fields(1e300, 1, T0, "", T0 - 1, 0) == f"value=1e+300,quality=1,received={T0},asked={T0 - 1},was=0"


def test_a_point_without_an_area_has_no_such_tag() -> None:
    assert "area" not in series_head("temperature", point_tags("s", "a/temperature", ""))


def test_names_with_commas_spaces_and_equals_signs_are_escaped() -> None:
    assert series_head("m x", (("site", "a b,c=d"),)) == "m\\ x,site=a\\ b\\,c\\=d "


@pytest.mark.parametrize("name", ["a\nb", "a\\", "\x00", "tab\there"])
def test_a_name_that_cannot_be_written_is_refused(name: str) -> None:
    for measurement, tag in ((name, "x"), ("x", name)):
        with pytest.raises(UnwritableError, match="cannot keep"):
            series_head(measurement, (("site", tag),))
    with pytest.raises(UnwritableError, match="without a metric"):
        series_head("", ())


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_value_is_refused(value: float) -> None:
    with pytest.raises(UnwritableError, match="infinite"):
        reading_fields(value, 0, T0, "", None, 0)


def test_a_text_longer_than_a_field_is_refused() -> None:
    assert reading_fields(1.0, 2, T0, "x" * LONGEST_TEXT, None, 0)
    with pytest.raises(UnwritableError, match="longer"):
        reading_fields(1.0, 2, T0, "é" * LONGEST_TEXT, None, 0)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_value_is_written_so_that_it_is_read_back_exactly(value: float) -> None:
    written = reading_fields(value, 0, T0, "", None, 0).split(",")[0].removeprefix("value=")
    assert float(written) == value
    assert "i" not in written  # never an integer field


def test_gaps_and_summaries_are_lines_of_their_own_measurements() -> None:
    gap = Gap("kitchen", T0, T0 + 5, 3, 'say "x"', ("a/b",))
    assert gap_line("school", gap, json.dumps(["a/b"]), T0 + 1) == (
        f"caretaker.gaps,agent=kitchen,site=school start={T0},end={T0 + 5},count=3,"
        f'reason="say \\"x\\"",points="[\\"a/b\\"]" {T0 + 1}'
    )
    line = number_line(influxql.summary_of("temperature"), (("site", "s"),), {"min": NAN, "count": 0.0}, T0)
    assert line == "temperature.15min,site=s count=0.0 1767225600000"
