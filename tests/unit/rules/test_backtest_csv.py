"""Readings from CSV: every way of writing the same thing is read alike, and every mistake has its line."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from domain.errors import InputError
from domain.readings import QualityCode
from domain.times import parse_time
from rules.readings_csv import ReadingRows, read_readings
from rules.timestamps import parse_times

GOOD, UNCERTAIN, BAD = (int(code) for code in (QualityCode.GOOD, QualityCode.UNCERTAIN, QualityCode.BAD))
T0 = 1_772_352_000_000  # 2026-03-01T08:00:00Z

PLAIN = "time,point,value\n2026-03-01T08:00:00Z,a/t,4\n2026-03-01T08:01:00Z,b/t,5.5\n2026-03-01T08:02:00Z,a/t,-6\n"


def read(text: str | bytes, block: int | None = None) -> ReadingRows:
    data = text.encode() if isinstance(text, str) else text
    return read_readings(_cut(data, block or len(data) or 1), "r.csv")


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def as_rows(rows: ReadingRows) -> list[tuple[str, int, float | None, int, int, str]]:
    return [
        (
            rows.points[rows.point[row]],
            int(rows.time[row]),
            None if math.isnan(rows.value[row]) else float(rows.value[row]),
            int(rows.quality[row]),
            int(rows.received[row]),
            rows.texts.get(row, ""),
        )
        for row in range(len(rows))
    ]


PLAIN_ROWS = [
    ("a/t", T0, 4.0, GOOD, T0, ""),
    ("b/t", T0 + 60_000, 5.5, GOOD, T0 + 60_000, ""),
    ("a/t", T0 + 120_000, -6.0, GOOD, T0 + 120_000, ""),
]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.removesuffix("\n"),
        PLAIN.replace("\n", "\r\n"),
        "\ufeff" + PLAIN,
        PLAIN.replace("time,point,value\n", ""),
        "\n\n" + PLAIN,
        PLAIN + "\n\n",
        PLAIN.replace("a/t", '"a/t"'),
        PLAIN.replace(",", " , "),
        PLAIN.replace("time,point,value", "Time,Point,VALUE"),
        PLAIN.replace("Z,", "+00:00,"),
        PLAIN.replace("T08:01:00Z", "T16:01:00+08:00"),
        PLAIN.replace("00Z", "00.000Z"),
        PLAIN.replace("2026-03-01T08:01:00Z", str(T0 + 60_000)),
        "value,point,time\n4,a/t,2026-03-01T08:00:00Z\n5.5,b/t,2026-03-01T08:01:00Z\n-6,a/t,2026-03-01T08:02:00Z\n",
        f"time,point,value\n{T0},a/t,4\n{T0 + 60_000},b/t,5.5\n{T0 + 120_000},a/t,-6\n",
    ],
)
def test_the_same_readings_however_they_are_written(text: str) -> None:
    assert as_rows(read(text)) == PLAIN_ROWS


@pytest.mark.parametrize("block", [1, 2, 3, 7, 20, 40, 1000])
@pytest.mark.parametrize("text", [PLAIN, "\ufeff" + PLAIN.replace("\n", "\r\n"), PLAIN.replace("5.5", '"a\nb"')])
def test_it_does_not_matter_where_the_blocks_are_cut(text: str, block: int) -> None:
    assert as_rows(read(text, block)) == as_rows(read(text))


def test_quality_and_arrival_may_follow() -> None:
    text = (
        "time,point,value,quality,received\n"
        f"{T0},a/t,4,good,{T0 + 500}\n"
        f"{T0},b/t,4,uncertain,\n"
        f"{T0},c/t,85,bad,{T0 + 1}\n"
        f"{T0},d/t,4,,{T0 + 2}\n"
        f"{T0},e/t,4\n"
    )
    assert as_rows(read(text)) == [
        ("a/t", T0, 4.0, GOOD, T0 + 500, ""),
        ("b/t", T0, 4.0, UNCERTAIN, T0, ""),
        ("c/t", T0, 85.0, BAD, T0 + 1, ""),
        ("d/t", T0, 4.0, GOOD, T0 + 2, ""),
        ("e/t", T0, 4.0, GOOD, T0, ""),
    ]


@pytest.mark.parametrize("text", ["", "off", "nan", "inf", "-inf", "1_000", "85 °C", "0x10", "4,2"])
def test_what_is_no_number_is_bad_with_its_text(text: str) -> None:
    cell = f'"{text}"' if "," in text else text
    (row,) = as_rows(read(f"time,point,value\n{T0},a/t,{cell}\n"))
    assert row == ("a/t", T0, None, BAD, T0, text)


def test_bad_values_among_good_ones_keep_their_rows() -> None:
    cells = ["4", "", "5", "err", "6"]
    text = "time,point,value,quality\n" + "".join(f"{T0 + n},a/t,{cell},good\n" for n, cell in enumerate(cells))
    found = as_rows(read(text))
    assert [row[2] for row in found] == [4.0, None, 5.0, None, 6.0]
    assert [row[3] for row in found] == [GOOD, BAD, GOOD, BAD, GOOD]
    assert [row[5] for row in found] == ["", "", "", "err", ""]


def test_names_of_states_are_numbers_where_the_site_says_so() -> None:
    cells = ("p/status,fault,", "p/status,fault,bad", "q/status,fault,", "p/status,2,")
    text = "time,point,value,quality\n" + "".join(f"{T0},{cell}\n" for cell in cells)
    rows = read_readings([text.encode()], "r.csv", {"p/status": {"fault": 2}})
    assert [(row[2], row[3]) for row in as_rows(rows)] == [(2.0, GOOD), (None, BAD), (None, BAD), (2.0, GOOD)]


def test_no_rows_are_no_readings_but_an_empty_file_is_a_mistake() -> None:
    assert len(read("time,point,value\n")) == 0
    assert read("time,point,value\n").points == ()
    for nothing in ("", "\n\n", "\ufeff"):
        with pytest.raises(InputError, match=r"r\.csv:1: the file is empty"):
            read(nothing)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("time,point,valeu\n", 1, "did you mean 'value'?"),
        ("time,point,value,colour\n", 1, "columns: time, point, value, quality, received"),
        ("time,point\n", 1, "there is no column 'value'"),
        ("time,point,value,value\n", 1, "stands here twice"),
        (f"{T0},a/t\n", 1, "the row has 2 columns"),
        (PLAIN + f"{T0},a/t\n", 5, "the row has 2 columns, not 3"),
        (PLAIN + f"{T0},a/t,1,good\n", 5, "the row has 4 columns, not 3"),
        (PLAIN + f"{T0},a,1\n", 5, "write asset/metric"),
        (PLAIN + f"{T0},A/t,1\n", 5, "'A/t' is not a point"),
        (PLAIN + "yesterday,a/t,1\n", 5, "'yesterday' is neither RFC 3339"),
        (PLAIN + "2026-03-01T08:00:00,a/t,1\n", 5, "has no time zone"),
        (PLAIN + "2026-02-30T08:00:00Z,a/t,1\n", 5, "'2026-02-30T08:00:00Z' is neither"),
        (PLAIN + "2026-03-01T24:00:00Z,a/t,1\n", 5, "is neither"),
        (PLAIN + "1772352000,a/t,1\n", 5, "not a plausible time in epoch milliseconds"),
        (PLAIN + f'{T0},a/t,"1\n', 5, "not CSV"),
        ("time,point,value,quality\n" + f"{T0},a/t,1,fine\n", 2, "use one of: good, uncertain, bad"),
        ("time,point,value,received\n" + f"{T0},a/t,1,later\n", 2, "'later' is neither"),
        ("time,point,value\r\n" + f"{T0},a/t,1\r\n" + "x,a/t,1\r\n", 3, "'x' is neither"),
        ("value,received,point,time\n" + "4,,a/t\n", 2, "the row ends before its time"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, words: str) -> None:
    for block in (None, 30):
        with pytest.raises(InputError) as caught:
            read(text, block)
        assert (caught.value.place.file, caught.value.place.line) == ("r.csv", line)
        assert words in str(caught.value)


def test_other_bytes_than_utf8_are_told_with_their_line() -> None:
    with pytest.raises(InputError, match=r"r\.csv:5: the file is not UTF-8"):
        read(PLAIN.encode() + f"{T0},a/t,".encode() + "85°".encode("latin-1") + b"\n")


def test_a_stretch_of_time_is_half_open_and_keeps_texts() -> None:
    rows = read(f"time,point,value\n{T0},a/t,x\n{T0 + 1},a/t,y\n{T0 + 2},b/t,z\n{T0 + 3},a/t,4\n")
    assert [row[5] for row in as_rows(rows.between(T0 + 1, T0 + 3))] == ["y", "z"]
    assert as_rows(rows.between(None, None)) == as_rows(rows)
    assert len(rows.between(T0 + 9, None)) == 0
    assert rows.between(None, T0).points == ("a/t", "b/t")


@pytest.mark.parametrize(
    "cells",
    [
        ["2026-03-01T08:00:00Z", "1999-12-31T23:59:59Z", "2024-02-29T00:00:00Z", "1969-12-31T23:59:59Z"],
        ["2026-03-01T08:00:00.123Z", "2026-03-01T08:00:00.999Z"],
        ["2026-03-01T08:00:00+08:00", "2027-03-01T00:00:00+08:00"],
        ["2026-03-01T08:00:00.250-03:30"],
        [str(T0), str(T0 + 1)],
    ],
)
def test_times_in_columns_are_the_times_one_by_one(cells: list[str]) -> None:
    found = parse_times([cell.encode() for cell in cells])
    assert found is not None
    assert found.dtype == np.int64
    assert found.tolist() == [parse_time(cell) for cell in cells]


@pytest.mark.parametrize(
    "cells",
    [
        [],
        ["2026-03-01T08:00:00Z", "2026-03-01T08:00:00.000Z"],
        ["2026-03-01T08:00:00+08:00", "2026-03-01T08:00:00+09:00"],
        ["2026-03-01T08:00:00*08:00"],
        ["2026-03-01T08:00:00+0800Z"],
        ["2026-03-01T08:00:00+24:00"],
        ["2026-03-01 08:00:00Z"],
        ["2026-02-29T08:00:00Z"],
        ["2026-13-01T08:00:00Z"],
        ["2026-00-01T08:00:00Z"],
        ["2026-01-00T08:00:00Z"],
        ["0000-01-01T08:00:00Z"],
        ["2026-03-01T08:60:00Z"],
        ["2026-03-01T08:00:60Z"],
        ["2026-03-01T08:00:0xZ"],
        ["2026-03-01T08:00:00Y"],
        ["2026-03-01T08:00:00,000Z"],
        ["9999999999999"],
        ["177235200000x"],
        ["12"],
    ],
)
def test_times_of_no_one_form_are_left_to_the_slow_way(cells: list[str]) -> None:
    assert parse_times([cell.encode() for cell in cells]) is None
