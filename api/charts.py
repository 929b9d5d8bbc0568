"""The chart of one point as a Vega-Lite document: what was measured, its limits, what was out of them, what is missing.

One document serves the page, print and (later) the picture in a notification. It must never suggest a reading where
there was none: a line breaks wherever readings are further apart than they may be, and that stretch is shaded as
unknown. Pure: the readings are handed in.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from domain.alarms import Priority
from domain.catalogue import Point
from domain.readings import Quality
from domain.records import Excursion, Series, Windows
from domain.times import DAY, HOUR, MINUTE
from rules.model import Limit, Rule

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
RANGES: Mapping[str, tuple[int, int | None]] = {  # range -> (span, window step; None: the readings themselves)
    "3h": (3 * HOUR, None),
    "24h": (DAY, 5 * MINUTE),
    "7d": (7 * DAY, HOUR),
}
MOST_RAW = 5_000
# How far beyond what is measured a further limit may lie to be drawn: so many times the height that is drawn already,
# or this share of the value (a voltage near 230 V moves little, and its lower limit is 30 V away).
_REACH, _REACH_OF_VALUE = 2.0, 0.2


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a chart, for light or dark pages."""

    surface: str
    line: str
    band: str
    out: str
    unknown: str
    grid: str
    text: str
    limit: Mapping[Priority, str]


LIGHT = Theme(
    "#ffffff", "#0b5c8a", "#7fb5d5", "#d2372c", "#8a919b", "#e3e6ea", "#39424e",
    {Priority.LOW: "#5b6570", Priority.MEDIUM: "#a15c00", Priority.HIGH: "#c0341d", Priority.URGENT: "#9b0f2e"},
)  # fmt: skip
DARK = Theme(
    "#191f27", "#7cc4f0", "#2f6c92", "#ff6b5e", "#8b95a3", "#2c333d", "#c5ccd6",
    {Priority.LOW: "#a3acb8", Priority.MEDIUM: "#f2b45a", Priority.HIGH: "#ff8a70", Priority.URGENT: "#ff7d97"},
)  # fmt: skip
THEMES: Mapping[str, Theme] = {"light": LIGHT, "dark": DARK}


@dataclass(frozen=True, slots=True)
class Row:
    """One drawn moment (UTC ms): low, middle and high of a window, or three times the same for a reading."""

    time: int
    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class LimitLine:
    """A limit as a horizontal line."""

    value: float
    priority: Priority
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that is drawn; `widest` is the greatest distance (ms) of two rows that a line may cross."""

    point: Point
    start: int
    end: int
    rows: Sequence[Row]
    widest: int
    limits: Sequence[LimitLine] = ()
    out: Sequence[tuple[int, int]] = ()
    state_names: Mapping[float, str] = field(default_factory=dict)
    title: str = ""
    unit: str = ""
    banded: bool = False


def rows_of_series(series: Series) -> list[Row]:
    """The believable readings; a bad one is a hole, whatever number it carries."""
    return [
        Row(int(series.time[n]), value, value, value)
        for n, value in enumerate(float(v) for v in series.value)
        if series.quality[n] is not Quality.BAD and value == value
    ]


def rows_of_windows(windows: Windows, step: int, last: bool = False) -> list[Row]:
    """The windows that hold a believable reading, at their middle; `last` draws states, which have no mean."""
    middle = windows.last if last else windows.mean
    return [
        Row(int(windows.start[n]) + step // 2, float(windows.low[n]), float(middle[n]), float(windows.high[n]))
        for n in range(len(windows.start))
        if windows.count[n] > 0
    ]


def widest_gap(point: Point, step: int | None) -> int:
    """How far apart (ms) two drawn rows may be: three intervals of the catalogue, and never less than 1.5 windows."""
    interval = 3 * point.interval if point.interval else 10 * MINUTE
    return max(interval, step + step // 2 + 1) if step else interval


def limit_lines(rules: Sequence[Rule], texts: Mapping[tuple[str, int], str]) -> list[LimitLine]:
    """The limits of the rules that judge the point; several at one height become one line of the gravest priority."""
    found: dict[float, LimitLine] = {}
    for rule in rules:
        for index, level in enumerate(rule.levels):
            if not isinstance(level.condition, Limit):
                continue
            height = level.condition.above if level.condition.above is not None else level.condition.below
            assert height is not None
            present = found.get(height)
            if present is None or present.priority.rank < level.priority.rank:
                found[height] = LimitLine(height, level.priority, texts.get((rule.id, index), ""))
    return list(found.values())


def in_reach(limits: Sequence[LimitLine], rows: Sequence[Row]) -> list[LimitLine]:
    """The limits that the chart can show without flattening what was measured: the nearest one, and the others that
    are not much farther than it. What no refrigerator ever shows (80 °C, -60 °C) would make a line of every curve."""
    if not limits or not rows:
        return list(limits)
    low, high = min(row.low for row in rows), max(row.high for row in rows)

    def distance(line: LimitLine) -> float:
        return max(line.value - high, low - line.value, 0.0)

    nearest = min(limits, key=distance)
    shown = max(high, nearest.value) - min(low, nearest.value)
    reach = max(_REACH * shown, _REACH_OF_VALUE * max(abs(low), abs(high)))
    return [line for line in limits if line is nearest or distance(line) <= reach]


def clipped(excursions: Sequence[Excursion], start: int, end: int) -> list[tuple[int, int]]:
    """The excursions within the chart; one that goes on reaches to its end."""
    spans = ((max(one.start, start), min(one.end if one.end is not None else end, end)) for one in excursions)
    return [(first, last) for first, last in spans if first < last]


def unknown_spans(chart: Chart) -> list[tuple[int, int]]:
    """The stretches of the chart in which nothing is known."""
    times = [chart.start, *(row.time for row in chart.rows), chart.end]
    return [(before, after) for before, after in pairwise(times) if after - before > chart.widest]


def segments(chart: Chart) -> list[dict[str, float | int]]:
    """The rows as data, numbered by unbroken stretch: no line is drawn from one number to the next."""
    number, before, data = 0, None, []
    for row in chart.rows:
        if before is not None and row.time - before > chart.widest:
            number += 1
        before = row.time
        data.append({"t": row.time, "low": row.low, "v": row.middle, "high": row.high, "s": number})
    return data


def document(chart: Chart, theme: Theme, words: Mapping[str, str], offset: int) -> dict[str, Any]:
    """The Vega-Lite document, data included.

    `words` are the texts `time`, `value`, `low`, `high`, `none`. `offset` (ms) is the site's distance from UTC at the
    chart's end: times are drawn shifted by it on a UTC scale, so that the axis shows the site's clock wherever the
    reader is.
    """
    return {
        "$schema": SCHEMA,
        "description": chart.title,
        "width": "container",
        "height": _height(chart),
        "autosize": {"type": "fit-x", "contains": "padding"},
        "background": "transparent",
        "padding": {"left": 2, "right": 8, "top": 6, "bottom": 2},
        "layer": [
            _frame(chart, offset),
            *_shading(unknown_spans(chart), theme.unknown, 0.16, chart, offset),
            *_shading(chart.out, theme.out, 0.16, chart, offset),
            *(_measured(chart, theme, words, offset) if chart.rows else [_nothing(chart, theme, words, offset)]),
            *_limits(chart, theme, offset),
        ],
        "config": _config(theme),
    }


def _height(chart: Chart) -> int:
    return 120 if chart.state_names else 260


def _nothing(chart: Chart, theme: Theme, words: Mapping[str, str], offset: int) -> dict[str, Any]:
    """The words where a line would be. A line without data has no extent, and Vega complains of that."""
    middle = (chart.start + chart.end) // 2 + offset
    return {
        "data": {"values": [{"t": middle, "text": words["none"]}]},
        "mark": {"type": "text", "fontSize": 16, "color": theme.text},
        "encoding": {"x": _x(chart, offset), "y": {"value": _height(chart) / 2}, "text": {"field": "text"}},
    }


def _frame(chart: Chart, offset: int) -> dict[str, Any]:
    # Two invisible moments span the axis: a stated domain in several layers is merged wrongly by Vega-Lite 6.
    values = [{"t": chart.start + offset}, {"t": chart.end + offset}]
    return {
        "data": {"values": values},
        "mark": {"type": "rule", "opacity": 0},
        "encoding": {"x": _x(chart, offset)},
    }


def _x(chart: Chart, offset: int, field_name: str = "t") -> dict[str, Any]:
    span = chart.end - chart.start
    return {
        "field": field_name,
        "type": "temporal",
        "scale": {"type": "utc", "nice": False},
        "axis": {
            "title": None,
            "format": "%H:%M" if span <= DAY else "%m-%d",
            "tickCount": {"interval": "day", "step": 1} if span > DAY else 6,
            "labelOverlap": True,
            "labelFlush": True,
        },
    }


def _y(chart: Chart, field_name: str) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": None, "tickCount": 5}
    scale: dict[str, Any] = {"zero": False, "nice": True}
    if chart.state_names:
        known = sorted(chart.state_names)
        axis["values"] = known
        axis["labelExpr"] = _names_expression(chart.state_names)
        scale = {"zero": False, "nice": False, "domain": [known[0] - 0.25, known[-1] + 0.25]}
    return {"field": field_name, "type": "quantitative", "scale": scale, "axis": axis}


def _names_expression(names: Mapping[float, str]) -> str:
    # Chained comparisons, because the interpreter that the content policy requires knows no object look-up by number.
    expression = "''"
    for number, name in names.items():
        expression = f"datum.value === {number:g} ? {json.dumps(name, ensure_ascii=False)} : {expression}"
    return expression


def _shading(spans: Sequence[tuple[int, int]], color: str, opacity: float, chart: Chart, offset: int) -> list[Any]:
    if not spans:
        return []
    values = [{"t": first + offset, "u": last + offset} for first, last in spans]
    return [
        {
            "data": {"values": values},
            "mark": {"type": "rect", "color": color, "opacity": opacity, "clip": True},
            "encoding": {"x": _x(chart, offset), "x2": {"field": "u"}},
        }
    ]


def _limits(chart: Chart, theme: Theme, offset: int) -> list[Any]:
    layers: list[Any] = []
    label = {"type": "text", "align": "left", "dx": 4, "dy": -7, "fontWeight": 600}
    halo = {**label, "stroke": theme.surface, "strokeWidth": 4, "strokeJoin": "round", "opacity": 0.8}
    for line in in_reach(chart.limits, chart.rows):
        data = {"values": [{"y": line.value, "text": line.text, "t": chart.start + offset}]}
        color, y = theme.limit[line.priority], _y(chart, "y")
        rule = {"type": "rule", "color": color, "strokeDash": [6, 4], "size": 1.5}
        layers.append({"data": data, "mark": rule, "encoding": {"y": y}})
        written = {"y": y, "x": _x(chart, offset), "text": {"field": "text"}}
        layers += [{"data": data, "mark": mark, "encoding": written} for mark in (halo, {**label, "color": color})]
    return layers


def _measured(chart: Chart, theme: Theme, words: Mapping[str, str], offset: int) -> list[Any]:
    values = [{**row, "t": row["t"] + offset} for row in segments(chart)]
    lengths = Counter(row["s"] for row in values)
    alone = [row for row in values if lengths[row["s"]] == 1]
    x, y = _x(chart, offset), _y(chart, "v")
    step = {"interpolate": "step-after"} if chart.state_names else {}
    layers: list[Any] = []
    if chart.banded:
        band = {"type": "area", "color": theme.band, "opacity": 0.4, "clip": True}
        encoding = {"x": x, "y": _y(chart, "low"), "y2": {"field": "high"}, "detail": {"field": "s"}}
        layers.append({"data": {"values": values}, "mark": band, "encoding": encoding})
    line = {
        "type": "line",
        "color": theme.line,
        "strokeWidth": 1.5 if chart.end - chart.start > DAY else 2,
        "clip": True,
        **step,
    }
    layers.append({"data": {"values": values}, "mark": line, "encoding": {"x": x, "y": y, "detail": {"field": "s"}}})
    if alone:
        dot = {"type": "point", "filled": True, "color": theme.line, "size": 16}
        layers.append({"data": {"values": alone}, "mark": dot, "encoding": {"x": x, "y": y}})
    if values:
        layers.append(_pointer(chart, theme, words, values, offset))
    return layers


def _pointer(chart: Chart, theme: Theme, words: Mapping[str, str], values: list[Any], offset: int) -> dict[str, Any]:
    what = {"field": "v", "type": "quantitative", "title": words["value"], "format": ".2~f"}
    shown: list[dict[str, Any]] = [
        {"field": "t", "type": "temporal", "title": words["time"], "format": "%m-%d %H:%M"},
        what,
    ]
    if chart.state_names:
        values = [{**row, "name": chart.state_names.get(row["v"], f"{row['v']:g}")} for row in values]
        shown[1] = {"field": "name", "type": "nominal", "title": words["value"]}
    if chart.banded and not chart.state_names:
        shown += [
            {"field": "low", "type": "quantitative", "title": words["low"], "format": ".2~f"},
            {"field": "high", "type": "quantitative", "title": words["high"], "format": ".2~f"},
        ]
    select = {"type": "point", "on": "pointerover", "nearest": True, "encodings": ["x"], "clear": "pointerout"}
    return {
        "data": {"values": values},
        "params": [{"name": "hover", "select": select}],
        "mark": {"type": "point", "filled": True, "size": 70, "color": theme.line},
        "encoding": {
            "x": _x(chart, offset),
            "y": _y(chart, "v"),
            "opacity": {"condition": {"param": "hover", "empty": False, "value": 1}, "value": 0},
            "tooltip": shown,
        },
    }


def _config(theme: Theme) -> dict[str, Any]:
    font = "system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"
    return {
        "font": font,
        "view": {"stroke": None},
        "axis": {
            "labelColor": theme.text,
            "labelFontSize": 13,
            "gridColor": theme.grid,
            "domainColor": theme.grid,
            "tickColor": theme.grid,
        },
        "text": {"fontSize": 13},
    }
