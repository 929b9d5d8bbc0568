"""A chart never suggests a reading where there was none, and shows limits and what was out of them."""

import json
from typing import Any

import numpy as np
import pytest
import vl_convert

from api.charts import (
    DARK,
    LIGHT,
    Chart,
    LimitLine,
    Row,
    clipped,
    document,
    in_reach,
    limit_lines,
    rows_of_series,
    rows_of_windows,
    segments,
    unknown_spans,
    widest_gap,
)
from domain.alarms import Priority
from domain.catalogue import Point
from domain.readings import Quality
from domain.records import Excursion, Series, Windows
from domain.times import HOUR, MINUTE
from domain.units import unit_of

POINT = Point("fridge-1", "temperature", unit_of("Cel"), MINUTE)
WORDS = {"time": "Time", "value": "Value", "low": "Lowest", "high": "Highest", "none": "No readings"}


def chart(*times: int, **more: Any) -> Chart:
    rows = [Row(time * MINUTE, 1.0, 2.0, 3.0) for time in times]
    return Chart(POINT, 0, 60 * MINUTE, rows, 3 * MINUTE, **more)


def marks(drawn: dict[str, Any]) -> list[str]:
    return [layer["mark"]["type"] for layer in drawn["layer"]]


def test_no_line_is_drawn_over_missing_readings() -> None:
    numbers = [row["s"] for row in segments(chart(0, 1, 4, 8, 9))]
    assert numbers == [0, 0, 0, 1, 1]


def test_what_is_unknown_reaches_from_reading_to_reading_and_to_both_ends() -> None:
    assert unknown_spans(chart(10, 11, 20)) == [
        (0, 10 * MINUTE),
        (11 * MINUTE, 20 * MINUTE),
        (20 * MINUTE, 60 * MINUTE),
    ]
    assert unknown_spans(chart(*range(61))) == []


def test_without_readings_everything_is_unknown() -> None:
    assert unknown_spans(chart()) == [(0, 60 * MINUTE)]
    drawn = document(chart(), LIGHT, WORDS, 0)
    assert "line" not in marks(drawn)  # a line without data has no extent: Vega complains of that
    assert drawn["layer"][1]["data"]["values"] == [{"t": 0, "u": 60 * MINUTE}]
    (said,) = [layer for layer in drawn["layer"] if layer["mark"]["type"] == "text"]
    assert said["data"]["values"] == [{"t": 30 * MINUTE, "text": "No readings"}]
    assert "text" not in marks(document(chart(1, 2), LIGHT, WORDS, 0))


def test_a_bad_reading_is_a_hole_whatever_number_it_carries() -> None:
    series = Series(
        np.array([1, 2, 3]),
        np.array([4.0, 85.0, float("nan")]),
        (Quality.UNCERTAIN, Quality.BAD, Quality.GOOD),
    )
    assert rows_of_series(series) == [Row(1, 4.0, 4.0, 4.0)]


def test_a_window_is_drawn_at_its_middle_and_only_when_it_holds_a_reading() -> None:
    windows = Windows(
        np.array([0, 10]), np.array([1.0, np.nan]), np.array([2.0, np.nan]), np.array([3.0, np.nan]),
        np.array([2.5, np.nan]), np.array([4, 0]), np.array([0, 2]),
    )  # fmt: skip
    assert rows_of_windows(windows, 10) == [Row(5, 1.0, 2.0, 3.0)]
    assert rows_of_windows(windows, 10, last=True)[0].middle == 2.5


@pytest.mark.parametrize(
    ("interval", "step", "expected"),
    [(MINUTE, None, 3 * MINUTE), (None, None, 10 * MINUTE), (MINUTE, HOUR, 90 * MINUTE + 1), (HOUR, MINUTE, 3 * HOUR)],
)
def test_how_far_a_line_may_reach(interval: int | None, step: int | None, expected: int) -> None:
    assert widest_gap(Point("a", "b", unit_of("W"), interval), step) == expected


def test_excursions_are_cut_to_the_chart_and_an_open_one_reaches_its_end() -> None:
    def out(start: int, end: int | None) -> Excursion:
        return Excursion("s", "r", "p", start, end, None)

    assert clipped([out(-5, 3), out(8, None), out(20, 30), out(4, 4)], 0, 10) == [(0, 3), (8, 10)]


def test_limits_at_one_height_are_one_line_of_the_gravest(bench: Any) -> None:
    rules = bench.app.state.operations.site("school").rules_of("fridge-1/temperature")
    lines = limit_lines([*rules, *rules], {("cold-high", 1): "at most 12"})
    assert [(line.value, line.priority) for line in lines] == [
        (8.0, Priority.HIGH),
        (12.0, Priority.URGENT),
        (0.0, Priority.LOW),
    ]
    assert lines[1].text == "at most 12"


def test_a_limit_far_from_what_is_measured_does_not_flatten_it() -> None:
    def kept(low: float, high: float, *heights: float) -> list[float]:
        lines = [LimitLine(height, Priority.HIGH, "") for height in heights]
        return [line.value for line in in_reach(lines, [Row(0, low, low, low), Row(1, high, high, high)])]

    assert kept(3.0, 8.6, 8.0, 12.0, 0.0, 80.0, -60.0) == [8.0, 12.0, 0.0]  # a fridge
    assert kept(-20.0, -17.0, -12.0, 80.0, -60.0) == [-12.0]  # a freezer
    assert kept(226.0, 229.0, 235.4, 198.0) == [235.4, 198.0]  # a voltage
    assert kept(420.0, 600.0, 2_800.0) == [2_800.0]  # the only one, however far
    assert kept(4.0, 4.0, 8.0, 80.0) == [8.0]
    assert in_reach([LimitLine(80.0, Priority.LOW, "")], []) == [LimitLine(80.0, Priority.LOW, "")]
    far = document(
        chart(1, 2, limits=[LimitLine(8.0, Priority.HIGH, "8"), LimitLine(80.0, Priority.LOW, "80")]), LIGHT, WORDS, 0
    )
    assert '"text": "80"' not in json.dumps(far)
    assert '"text": "8"' in json.dumps(far)


def test_a_state_is_drawn_in_steps_with_its_names() -> None:
    drawn = document(chart(1, 2, state_names={0.0: "Closed", 1.0: 'O"pen'}), DARK, WORDS, 0)
    line = next(layer for layer in drawn["layer"] if layer["mark"]["type"] == "line")
    assert line["mark"]["interpolate"] == "step-after"
    assert line["encoding"]["y"]["axis"]["labelExpr"] == (
        'datum.value === 1 ? "O\\"pen" : datum.value === 0 ? "Closed" : \'\''
    )


def test_a_lonely_reading_is_a_dot() -> None:
    drawn = document(chart(1, 2, 30), LIGHT, WORDS, 0)
    (dots,) = [layer for layer in drawn["layer"] if layer["mark"].get("size") == 16]
    assert [row["t"] for row in dots["data"]["values"]] == [30 * MINUTE]


def test_times_are_shifted_to_the_clock_of_the_site() -> None:
    drawn = document(chart(0), LIGHT, WORDS, 8 * HOUR)
    assert [row["t"] for row in drawn["layer"][0]["data"]["values"]] == [8 * HOUR, 9 * HOUR]
    assert drawn["layer"][0]["encoding"]["x"]["scale"]["type"] == "utc"


CHART = "/charts/fridge-1/temperature?site=school"


def test_the_chart_of_a_point_holds_readings_limits_and_excursions(bench: Any) -> None:
    bench.series.put("fridge-1/temperature", *((bench.now - n * MINUTE, 4.0 + n / 100) for n in range(60)))
    row = Excursion("school", "cold-high", "fridge-1/temperature", bench.now - 9 * MINUTE, None, Priority.HIGH, 1)
    bench.console.excursion_rows.append(row)
    drawn = bench.json(f"{CHART}&range=3h&lang=zh")
    assert drawn["description"] == "1号冷藏柜: 空气温度 (°C)"
    texts = [
        layer["data"]["values"][0]["text"]
        for layer in drawn["layer"]
        if "color" in layer["mark"] and layer["mark"]["type"] == "text"
    ]
    assert texts == ["限值：不高于 8.0\N{NO-BREAK SPACE}°C", "限值：不高于 12.0\N{NO-BREAK SPACE}°C",
                     "限值：不低于 0.0\N{NO-BREAK SPACE}°C"]  # fmt: skip
    assert marks(drawn).count("rect") == 2
    line = next(layer for layer in drawn["layer"] if layer["mark"]["type"] == "line")
    assert len(line["data"]["values"]) == 60


def test_long_ranges_are_drawn_with_a_band_from_lowest_to_highest(bench: Any) -> None:
    bench.series.put("fridge-1/temperature", *((bench.now - n * MINUTE, float(n % 5)) for n in range(300)))
    drawn = bench.json(f"{CHART}&range=24h")
    assert "area" in marks(drawn)
    assert "area" not in marks(bench.json(f"{CHART}&range=3h"))


def test_without_any_reading_the_chart_is_drawn_all_the_same(bench: Any) -> None:
    for span in ("3h", "24h", "7d"):
        assert "此时段没有读数" in str(bench.json(f"{CHART}&range={span}&theme=dark&lang=zh")["layer"])
    assert "No readings in this time" in bench.get(f"{CHART}&range=3h&lang=en&form=svg").text


def test_the_document_can_be_drawn_as_a_picture(bench: Any) -> None:
    bench.series.put("fridge-1/temperature", *((bench.now - n * MINUTE, 4.0) for n in range(10)))
    answer = bench.get(f"{CHART}&range=3h&form=svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.text.startswith("<svg")
    assert "8.0" in answer.text


def test_every_form_of_chart_is_a_document_that_the_library_accepts() -> None:
    for more in ({}, {"banded": True}, {"state_names": {0.0: "Off", 1.0: "On"}}, {"out": [(0, MINUTE)]}):
        for times in ((1, 2, 3, 30), ()):
            assert vl_convert.vegalite_to_vega(document(chart(*times, **more), LIGHT, WORDS, 0))


@pytest.mark.parametrize("query", ["&range=1y", "&theme=pink", "&form=png"])
def test_a_form_that_does_not_exist_is_refused(bench: Any, query: str) -> None:
    assert bench.get(CHART + query).status_code == 422


def test_a_point_that_does_not_exist_has_no_chart(bench: Any) -> None:
    assert bench.get("/charts/fridge-1/humidity?site=school").status_code == 404
