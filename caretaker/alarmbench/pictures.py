"""The pictures of the page: recall by kind of fault, and what patience costs; Vega-Lite documents and their SVG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from caretaker.alarmbench.curve import Mark
from caretaker.alarmbench.measure import Figures
from caretaker.alarmbench.report import GOALS, MOST_FALSE

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_COLOURS = {"domain": ["packs", "plain"], "range": ["#0b5c8a", "#c98a2b"]}
_LOOK = {"background": "#ffffff", "view": {"stroke": None}, "axis": {"labelFontSize": 11, "titleFontSize": 11}}


def recall_chart(tested: Figures, plain: Figures) -> dict[str, Any]:
    """Recall of both rule sets by kind of fault, with 95 % intervals and the goals as ticks."""
    rows = [
        {"kind": kind, "rules": name, "recall": each.recall, "low": each.low, "high": each.high}
        for name, found in (("packs", tested), ("plain", plain))
        for kind, each in found.kinds.items()
    ]
    goals = [{"kind": kind, "goal": goal} for kind, goal in GOALS.items() if kind in tested.kinds]
    place = {"field": "kind", "type": "nominal", "title": None, "sort": {"field": "kind"}}
    shift = {"field": "rules", "type": "nominal"}
    interval = {"field": "low", "type": "quantitative"}
    return {
        "$schema": SCHEMA,
        "width": 420,
        "height": {"step": 14},
        "config": _LOOK,
        "layer": [
            {
                "data": {"values": rows},
                "mark": {"type": "bar"},
                "encoding": {
                    "y": place,
                    "yOffset": shift,
                    "x": {"field": "recall", "type": "quantitative", "title": "recall", "scale": {"domain": [0, 1]}},
                    "color": {"field": "rules", "type": "nominal", "scale": _COLOURS, "title": None},
                },
            },
            {
                "data": {"values": rows},
                "mark": {"type": "rule", "color": "#39424e"},
                "encoding": {"y": place, "yOffset": shift, "x": interval, "x2": {"field": "high"}},
            },
            {
                "data": {"values": goals},
                "mark": {"type": "tick", "color": "#c0341d", "thickness": 2, "size": 26},
                "encoding": {"y": place, "x": {"field": "goal", "type": "quantitative"}},
            },
        ],
    }


def curve_chart(marks: Sequence[Mark]) -> dict[str, Any]:
    """False alarms against the time to find a failed compressor, one line per rule set, a mark per delay."""
    rows = [
        {"rules": one.rules, "delays": f"× {one.factor:g}", "false": max(one.false_per_month, 0.01),
         "found": one.median_detect, "factor": one.factor}
        for one in marks if one.median_detect is not None
    ]  # fmt: skip
    x = {"field": "found", "type": "quantitative", "title": "compressor failure found after (median), min"}
    y = {
        "field": "false", "type": "quantitative", "scale": {"type": "log"},
        "title": "false alarms per asset-month (log)",
    }  # fmt: skip
    colour = {"field": "rules", "type": "nominal", "scale": _COLOURS, "title": None}
    encoding = {"x": x, "y": y, "color": colour, "order": {"field": "factor"}}
    return {
        "$schema": SCHEMA,
        "width": 420,
        "height": 260,
        "config": _LOOK,
        "layer": [
            {"data": {"values": rows}, "mark": {"type": "line", "point": True}, "encoding": encoding},
            {
                "data": {"values": rows},
                "mark": {"type": "text", "dx": 6, "dy": -8, "align": "left", "fontSize": 10},
                "encoding": {"x": x, "y": y, "text": {"field": "delays"}, "color": colour},
            },
            {
                "data": {"values": [{"goal": MOST_FALSE}]},
                "mark": {"type": "rule", "color": "#c0341d", "strokeDash": [4, 3]},
                "encoding": {"y": {"field": "goal", "type": "quantitative"}},
            },
        ],
    }


def write_picture(document: dict[str, Any], file: Path) -> None:
    """The chart as SVG."""
    import vl_convert

    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(vl_convert.vegalite_to_svg(document)) + "\n", encoding="utf-8")
