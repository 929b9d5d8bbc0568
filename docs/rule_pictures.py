"""Draws for docs/rules.md what each kind of condition says of a short story: the engine is run for it.

`make docs` runs it through `docs/generate.py`; the stories are in the short notation of rule tests, a value a minute or
an hour.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import vl_convert

from domain.batch import batch_of
from domain.readings import Reading
from domain.times import HOUR, MINUTE
from rules.engine import Engine
from rules.loading import load_rules
from rules.series_notation import parse_series

IMAGES = Path(__file__).parent / "images"
START = 1_767_225_600_000
KINDS = {"raise": "raised", "clear": "cleared"}


class Story(NamedTuple):
    """A rule's lines, the values of one point, and the limit to draw (None: it is not one of the value)."""

    lines: str
    values: str
    limit: float | None = None
    step: int = MINUTE


STORIES = {
    "limit": Story("condition: {above: 8, deadband: 0.5}, on_delay: 20min, off_delay: 5min",
                   "4x10 9x8 4x10 9x30 6x20", 8),
    "rate": Story("condition: {rate: {above: 6, per: 1h, over: 15min}}", "4x20 4+0.2x30 9.8x30"),
    "stuck": Story("condition: {stuck: {for: 20min}}", "4 4.3 3.9 4.2 4x34 4.3 4 4.2 3.9 4.1"),
    "cumulative": Story("condition: {cumulative: {above: 8, longer_than: 10min, in: 1h}}",
                        "9x4 5x10 9x4 5x10 9x8 5x50", 8),
    "cooling": Story("condition: {cooling: {from: 60, stages: [{to: 21, within: 30min}]}}", "75x5 60-1x50 10x5", 21),
    "reheating": Story("condition: {reheating: {from: 8, to: 70, within: 20min}}", "5x5 10+2x35", 70),
    "duty": Story("condition: {duty: {on_above: 20, over: 30min, above: 0.8}}",
                  "100x10 0x10 100x10 0x10 100x40 0x30", 20),
    "mean": Story("condition: {mean: {above: 1000, over: 15min}}", "500x20 5000x2 500x30", 1000),
    "short-cycles": Story("condition: {short_cycles: {on_above: 20, shorter_than: 3min, count: 3, in: 30min}}",
                          "0x5 100x2 0x5 100x2 0x5 100x2 0x40", 20),
    "state": Story("condition: {state: 1}, on_delay: 5min", "0x10 1x3 0x10 1x15 0x10"),
    "defrost-endless": Story("condition: {defrost_endless: {longer_than: 40min}}",
                             "-18x40 -16+1x16 -1x50 -3-1x15 -18x10"),
    "baseline": Story("condition: {baseline: {above_percent: 40, of: hour_of_week}}",
                      "200x8 2000x10 200x6 " * 15 + "200x8 2000x10 200x2 1200x3 200x4", step=HOUR),
    "base-load": Story("condition: {base_load: {above: 300}}",
                       "200x8 2000x10 200x14 2000x10 350x14 2000x10 350x6 200x8 2000x10 200x14 2000x10 200x7",
                       300, HOUR),
    "mask": Story("condition: {above: 8}, on_delay: 5min, mask: {when: {above: 12}}", "5x10 9x3 14x10 9x10 5x10", 8),
}  # fmt: skip


def pictures_list() -> Iterator[str]:
    """The pictures for the page, each under the lines of its rule."""
    for name, story in STORIES.items():
        yield f"`{story.lines}`"
        yield ""
        yield f"![{name}: value over time, where it is raised and cleared](images/rule-{name}.svg)"
        yield ""


def told(story: Story) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The readings and what the engine says of them, both by minute (or hour)."""
    engine = Engine("docs")
    rule = f"rules: [{{id: r, applies_to: {{metric: m}}, {story.lines}, priority: high}}]"
    engine.set_rules(None, load_rules(rule, "docs"), START)
    samples = [sample.value for sample in parse_series(story.values) if sample is not None]
    rows = [Reading("a/m", START + number * story.step, value) for number, value in enumerate(samples)]
    end = rows[-1].time + 1
    events = engine.feed(batch_of("docs", end, rows, agent="a", upto=end))
    said = [
        {"minute": (event.at - START) / story.step, "what": KINDS[event.kind.value]}
        for event in events
        if event.kind.value in KINDS
    ]
    return [{"minute": number, "value": value} for number, value in enumerate(samples)], said


def spans(said: list[dict[str, Any]], last: float) -> list[dict[str, float]]:
    """From when to when the alarm was active, to the end of the story at most."""
    found: list[dict[str, float]] = []
    for one in said:
        if one["what"] == "raised":
            found.append({"from": one["minute"], "to": last})
        elif found:
            found[-1]["to"] = one["minute"]
    return found


def picture(story: Story) -> dict[str, Any]:
    """The story as a Vega-Lite document: value over minutes, the limit, when the alarm was active, raise and clear."""
    rows, said = told(story)
    title = "hour" if story.step == HOUR else "minute"
    x = {"field": "minute", "type": "quantitative", "title": title}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": spans(said, rows[-1]["minute"])},
            "mark": {"type": "rect", "color": "#f7d4d0"},
            "encoding": {"x": {**x, "field": "from"}, "x2": {"field": "to"}},
        },
        {
            "data": {"values": rows},
            "mark": {"type": "line", "interpolate": "step-after", "color": "#1f4e79"},
            "encoding": {"x": x, "y": {"field": "value", "type": "quantitative", "title": None}},
        },
        {
            "data": {"values": said},
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {"x": x, "color": {
                "field": "what", "type": "nominal", "title": None,
                "scale": {"domain": ["raised", "cleared"], "range": ["#b42318", "#1a7f37"]}}},
        },
    ]  # fmt: skip
    if story.limit is not None:
        layers.append({
            "data": {"values": [{"limit": story.limit}]},
            "mark": {"type": "rule", "strokeDash": [4, 3], "color": "#666666"},
            "encoding": {"y": {"field": "limit", "type": "quantitative"}},
        })  # fmt: skip
    return {"width": 480, "height": 110, "background": "white", "layer": layers}


def draw(folder: Path = IMAGES) -> None:
    """Write a picture of each story."""
    for name, story in STORIES.items():
        svg = str(vl_convert.vegalite_to_svg(picture(story)))
        (folder / f"rule-{name}.svg").write_text(svg + "\n", encoding="utf-8")
