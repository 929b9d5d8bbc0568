"""Draws for docs/rules.md what each kind of condition says of a short story: the engine is run for it.

The stories are in `docs/rule_stories.yaml`. What is drawn as raised, stepped, cleared or unknown is what the engine
says; what is acknowledged, reset or latched is what the lifecycle makes of it. `make docs` runs it through
`docs/generate.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import vl_convert
import yaml

from domain.alarms import ACTIVE_STATES, Alarm, AlarmEvent, AlarmKey, AlarmState, EventKind, Reason, Transition
from domain.batch import batch_of
from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.lifecycle import apply
from domain.readings import Quality, Reading
from domain.times import HOUR, MINUTE, parse_duration
from rules.derived import Derived
from rules.engine import Engine
from rules.loading import load_rules
from rules.series_notation import parse_series

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"
MIDNIGHT = 1_767_225_600_000  # 2026-01-01T00:00:00Z, a Thursday; stories are told in UTC
IN_HOURS = 5 * HOUR  # what lasts longer is drawn over hours
HALF_HOUR = 30  # minutes
TIME_OF_DAY = "format(floor(datum.value / 60), '02') + ':' + format(datum.value % 60, '02')"

ASSET = "unit"
WIDTH, HEIGHT, LOWER_HEIGHT = 560, 110, 50  # of the rule's own point, and of each other one
LETTER, LABEL_LINE = 5.6, 13  # width of a letter and height of a line of the labels, about
WORDS = {EventKind.RAISE: "raised", EventKind.STEP_UP: "stepped up", EventKind.STEP_DOWN: "stepped down",
         EventKind.CLEAR: "cleared", EventKind.ACKNOWLEDGE: "acknowledged", EventKind.RESET: "reset"}  # fmt: skip
COLOURS = {"raised": "#b42318", "stepped up": "#7a0b04", "stepped down": "#b45309", "cleared": "#1a7f37",
           "acknowledged": "#5b3fa0", "reset": "#5b3fa0"}  # fmt: skip
BANDS = {"low": "#fbeed5", "medium": "#f9e0c7", "high": "#f7d4d0", "urgent": "#eda79f", "latched": "#e3daf3",
         "unknown": "#e8e8e8"}  # fmt: skip
LATCHED = (AlarmState.LATCHED_UNACKNOWLEDGED, AlarmState.LATCHED_ACKNOWLEDGED)


@dataclass(frozen=True)
class Story:
    """A rule's lines, and by metric the values of an asset's points: the rule's own first, a value each `step` (ms).

    `line` is a limit to draw, `start` ms after midnight, `points` what the catalogue says of a metric beside its
    interval, `people` the commands that are given, by ms after midnight.
    """

    says: str
    rule: str
    series: Mapping[str, str]
    line: float | None = None
    step: int = MINUTE
    start: int = 0
    points: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    schedules: Mapping[str, Any] = field(default_factory=dict)
    people: Mapping[int, str] = field(default_factory=dict)

    @property
    def point(self) -> str:
        """The rule's own."""
        return f"{ASSET}/{next(iter(self.series))}"

    def document(self) -> str:
        """The rule as a file."""
        lines = [f"applies_to: {{metric: {next(iter(self.series))}}}", *self.rule.splitlines()]
        if "priority:" not in self.rule:
            lines.append("priority: high")
        return "rules:\n  - id: r\n" + "".join(f"    {line}\n" for line in lines)

    def catalogue(self) -> Catalogue:
        """A site with that asset."""
        interval = {"interval": f"{self.step // MINUTE}min"}
        points = {metric: {**interval, **self.points.get(metric, {})} for metric in self.series}
        asset = {"id": ASSET, "type": "refrigerator", "area": "kitchen", "points": points}
        site: dict[str, Any] = {"site": {"id": "docs", "commissioned_at": "2020-01-01T00:00:00Z"}}
        site |= {"areas": [{"id": "kitchen"}], "assets": [asset]}
        return load_catalogue(yaml.safe_dump(site | ({"schedules": self.schedules} if self.schedules else {})), "docs")


class Row(NamedTuple):
    """A reading of a metric; the value is None where it is bad."""

    metric: str
    time: int
    value: float | None


class Told(NamedTuple):
    """The readings, what was said of them, and from when to when the engine knew nothing; times in UTC ms."""

    rows: list[Row]
    said: list[Transition]
    unknown: list[tuple[int, int]]
    start: int
    end: int


def read_stories(text: str) -> dict[str, Story]:
    """The stories by name; a key that is wrong is a TypeError."""
    found = {}
    for name, entry in yaml.safe_load(text).items():
        times = {key: parse_duration(entry.pop(key)) for key in ("step", "start") if key in entry}
        people = {parse_duration(at): command for at, command in entry.pop("people", {}).items()}
        found[name] = Story(**{**entry, "rule": entry["rule"].strip(), "says": entry["says"].strip()}, **times,
                            people=people)  # fmt: skip
    return found


STORIES = read_stories((DOCS / "rule_stories.yaml").read_text(encoding="utf-8"))


def pictures_list() -> Iterator[str]:
    """The pictures for the page, each under its story and the lines of its rule."""
    for name, story in STORIES.items():
        yield from (story.says, "", "```", story.rule, "```", "")
        yield from (f"![{name}: values over time, and what the rule says of them](images/rule-{name}.svg)", "")


def tell(story: Story) -> Told:
    """The readings through the engine moment by moment, each arriving in its own moment."""
    catalogue = story.catalogue()
    rows = list(_rows(story, catalogue))
    start = MIDNIGHT + story.start
    end = max(row.time for row in rows) + story.step
    engine = Engine(catalogue.site, prefilter=False)
    events = engine.set_rules(catalogue, load_rules(story.document(), "docs"), start)
    unknown: list[tuple[int, int]] = []
    for now in range(start, end, story.step):
        readings = [_reading(row) for row in rows if row.time == now]
        events += engine.feed(batch_of(catalogue.site, now, readings, agent="edge", upto=now + 1))
        if not _known(engine, now):
            before = unknown.pop()[0] if unknown and unknown[-1][1] == now else now
            unknown.append((before, now + story.step))
    return Told(rows, list(_lived(story, events)), unknown, start, end)


def _rows(story: Story, catalogue: Catalogue) -> Iterator[Row]:
    for metric, notation in story.series.items():
        states = catalogue.by_name[f"{ASSET}/{metric}"].states
        for number, sample in enumerate(parse_series(notation)):
            if sample is not None:
                value = None if sample.bad else float(states[sample.text]) if sample.text else sample.value
                yield Row(metric, MIDNIGHT + story.start + number * story.step, value)


def _reading(row: Row) -> Reading:
    bad = row.value is None
    return Reading(f"{ASSET}/{row.metric}", row.time, row.value if row.value is not None else float("nan"),
                   Quality.BAD if bad else Quality.GOOD)  # fmt: skip


def _known(engine: Engine, now: int) -> bool:
    """Whether the engine knows at that moment what the rule asks: no hole, no mask, enough seen."""
    for tracks in engine.table.tracks:
        for track in tracks:
            condition = track.condition
            if isinstance(condition, Derived):
                return condition.running.value == condition.running.value
            return now < condition.edge
    return True  # silence is judged by arrival


def _lived(story: Story, events: list[AlarmEvent]) -> Iterator[Transition]:
    """What the engine and the people say, through the lifecycle."""
    alarm = Alarm("docs", AlarmKey("r", story.point))
    for at, command in story.people.items():
        moment = MIDNIGHT + at
        events.append(AlarmEvent(EventKind(command), alarm.key, Reason.BY_PERSON, moment, moment, by="cook"))
    for event in sorted(events, key=lambda one: one.at):
        alarm, transition = apply(alarm, event)
        yield transition


def spans(told: Told) -> list[tuple[int, int, str]]:
    """From when to when the alarm was active (its priority) or latched, to the end of the story at most."""
    found: list[tuple[int, int, str]] = []
    begun, band = 0, ""
    for one in told.said:
        if band:
            found.append((begun, one.at, band))
        begun, band = one.at, "latched" if one.target in LATCHED else ""
        if one.target in ACTIVE_STATES and one.priority is not None:
            band = one.priority.value
    return [*found, (begun, told.end, band)] if band else found


class _Drawing:
    """One story as a Vega-Lite document: a panel a point, one time axis under all of them."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.told = tell(story)
        self.by_hours = not story.start and self.told.end - self.told.start > IN_HOURS
        self.domain = [self.place(self.told.start), self.place(self.told.end)]

    def place(self, at: int) -> float:
        """Where it stands on the time axis."""
        return round((at - MIDNIGHT) / (HOUR if self.by_hours else MINUTE), 3)

    def x(self, axis: bool) -> dict[str, Any]:
        """The time axis, drawn or not: all layers of a panel must agree."""
        drawn: dict[str, Any] = {"title": "hour" if self.by_hours else "minute", "grid": False}
        if self.story.start:
            drawn |= {"title": "time of day", "values": list(range(0, 24 * 60, HALF_HOUR)), "labelExpr": TIME_OF_DAY}
        scale = {"domain": self.domain, "nice": False}
        return {"field": "x", "type": "quantitative", "scale": scale, "axis": drawn if axis else None}

    def document(self) -> dict[str, Any]:
        """The whole picture."""
        metrics = list(self.story.series)
        panels = [self.panel(metric, metric == metrics[-1]) for metric in metrics]
        panels[0]["layer"] += self.labels()
        config = {"aria": False, "view": {"stroke": "#bbbbbb"}, "axis": {"titleFontWeight": "normal"}}
        return {"background": "white", "vconcat": panels, "spacing": 8, "bounds": "flush", "config": config}

    def panel(self, metric: str, last: bool) -> dict[str, Any]:
        """The values of one point over the bands of the alarm."""
        first = metric == next(iter(self.story.series))
        bands = [(*span, "unknown") for span in self.told.unknown] + spans(self.told)
        x, height = self.x(last), HEIGHT if first else LOWER_HEIGHT
        layers = [self.band(x, *band) for band in bands]
        layers += [self.line(x, metric), self.crosses(x, metric, height)]
        if first and self.story.line is not None:
            dashed = {"type": "rule", "strokeDash": [4, 3], "color": "#666666"}
            layers.append(self.layer([{"y": self.story.line}], dashed, y={"field": "y", "type": "quantitative"}))
        for one in self.told.said:
            mark = {"type": "rule", "strokeWidth": 1.5, "color": COLOURS[WORDS[one.event]]}
            layers.append(self.layer([{"x": self.place(one.at)}], mark, x=x))
        return {"width": WIDTH, "height": height, "layer": layers}

    def layer(self, values: list[dict[str, Any]], mark: dict[str, Any], **encoding: object) -> dict[str, Any]:
        """One layer with its own data."""
        return {"data": {"values": values}, "mark": mark, "encoding": encoding}

    def band(self, x: dict[str, Any], begin: int, end: int, colour: str) -> dict[str, Any]:
        """A coloured stretch of time."""
        values = [{"x": self.place(begin), "x2": self.place(end)}]
        return self.layer(values, {"type": "rect", "color": BANDS[colour]}, x=x, x2={"field": "x2"})

    def line(self, x: dict[str, Any], metric: str) -> dict[str, Any]:
        """The good readings, each in force for one step or until the next; a hole where there is none."""
        values: list[dict[str, Any]] = []
        piece, after = 0, 0
        for row in self.told.rows:
            if row.metric != metric or row.value is None:
                continue
            if values and row.time != after:
                values.append({"x": self.place(after), "y": values[-1]["y"], "piece": piece})
                piece += 1
            values.append({"x": self.place(row.time), "y": row.value, "piece": piece})
            after = row.time + self.story.step
        values.append({"x": self.place(after), "y": values[-1]["y"], "piece": piece})
        states = self.story.catalogue().by_name[f"{ASSET}/{metric}"].states
        y: dict[str, Any] = {"field": "y", "type": "quantitative", "scale": {"zero": False, "padding": 5}}
        y["axis"] = {"title": metric, "tickCount": 4 if len(self.story.series) == 1 else 3, "titleX": -44}
        if states:
            named = " : ".join(f"datum.value == {number} ? '{name}'" for name, number in states.items())
            y["axis"] |= {"values": list(states.values()), "labelExpr": f"{named} : ''"}
        mark = {"type": "line", "interpolate": "step-after", "color": "#1f4e79", "strokeWidth": 1.5}
        return self.layer(values, mark, x=x, y=y, detail={"field": "piece", "type": "nominal"})

    def crosses(self, x: dict[str, Any], metric: str, height: int) -> dict[str, Any]:
        """A cross at the foot for each bad reading."""
        bad = [{"x": self.place(row.time)} for row in self.told.rows if row.metric == metric and row.value is None]
        mark = {"type": "text", "text": "×", "color": "#b42318", "fontSize": 9}
        return self.layer(bad, mark, x=x, y={"value": height - 5})

    def labels(self) -> list[dict[str, Any]]:
        """What was said, above the first panel, on as many lines as keep the words apart."""
        several = len({one.level for one in self.told.said}) > 1
        ends: list[float] = []  # of each line's last label, in pixels
        layers = []
        for one in self.told.said:
            word = WORDS[one.event]
            text = f"{word}: {one.priority}" if several and one.event is not EventKind.CLEAR else word
            at = WIDTH * (self.place(one.at) - self.domain[0]) / (self.domain[1] - self.domain[0])
            left = min(at - 2, WIDTH - LETTER * len(text))
            line = next((number for number, end in enumerate(ends) if end < left), len(ends))
            ends[line : line + 1] = [left + LETTER * (len(text) + 1)]
            mark = {"type": "text", "text": text, "align": "left", "color": COLOURS[word], "fontSize": 11}
            layers.append(self.layer([{}], mark, x={"value": left}, y={"value": -8 - LABEL_LINE * line}))
        return layers


def picture(story: Story) -> dict[str, Any]:
    """The story as a Vega-Lite document."""
    return _Drawing(story).document()


def draw(folder: Path = IMAGES) -> None:
    """Write a picture of each story."""
    for name, story in STORIES.items():
        svg = str(vl_convert.vegalite_to_svg(picture(story)))
        (folder / f"rule-{name}.svg").write_text(svg + "\n", encoding="utf-8")
