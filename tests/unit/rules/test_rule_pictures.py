"""The pictures of docs/rules.md: they show what the engine says, and are there, small, and of a light page."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rules.condition_file import KINDS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
MOST_BYTES = 30_000
MINUTE = 60_000

# What is said of each story, how many minutes after its beginning: worked out from docs/rules.md and docs/engine.md.
SAID = {
    "limit": [(48, "raise"), (63, "clear")],
    "levels": [(20, "raise"), (35, "step_up"), (50, "step_down"), (65, "clear")],
    "latching": [(15, "raise"), (25, "clear"), (40, "acknowledge"), (55, "reset")],
    "state": [(28, "raise"), (38, "clear")],
    "gap": [(48, "raise"), (60, "clear")],  # 12 minutes are known of the first stretch, 8 of the second
    "no_data": [(34, "raise"), (50, "clear")],
    "unreadable": [(56, "raise"), (80, "clear")],
    "rate": [(56, "raise"), (87, "clear")],
    "stuck": [(24, "raise"), (38, "clear")],
    "cumulative": [(30, "raise"), (76, "clear")],  # 4 + 4 + 2 minutes
    "cooling": [(36, "raise"), (44, "clear")],
    "reheating": [(25, "raise"), (35, "clear")],
    "duty": [(65, "raise"), (86, "clear")],
    "short-cycles": [(21, "raise"), (37, "clear")],
    "mean": [(22, "raise"), (35.625, "clear")],  # looked at 24 times per window
    "unbalance": [(25, "raise"), (35, "clear")],
    "baseline": [(357 * 60, "raise"), (360 * 60, "clear")],
    "out-of-hours": [(48 * 60, "raise"), (72 * 60, "clear")],
    "base-load": [(72 * 60, "raise"), (96 * 60, "clear")],
    "defrost-endless": [(123, "raise"), (153, "clear")],
    "defrost-missed": [(665, "raise"), (785, "clear")],
    "all": [(52, "raise"), (95, "clear")],
    "any": [(10, "raise"), (20, "clear"), (40, "raise"), (50, "clear")],
    "not": [(40, "raise"), (55, "clear")],
    "mask": [(25, "raise"), (33, "clear")],
    "mask-door": [(66, "raise"), (87, "clear")],
    "mask-defrost": [(125, "raise"), (151, "clear")],
    "mask-schedule": [(65, "raise"), (80, "clear")],
    "active": [(165, "raise"), (190, "clear")],
}
# Where nothing counts: minutes after the beginning, of the stories that are about it.
UNKNOWN = {
    "limit": [],
    "gap": [(22, 40)],
    "no_data": [],
    "mask": [(13, 23)],
    "mask-door": [(10, 36), (51, 61)],  # 6 minutes open and 20 of the tail; 10 of the long one
    "mask-defrost": [(34, 53)],
    "mask-schedule": [(25, 55)],
    "active": [(0, 90), (240, 340)],
}


def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_rule_pictures", ROOT / "docs" / "rule_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULE = drawing()


def told(name: str) -> Any:
    return MODULE.tell(MODULE.STORIES[name])


def layers(name: str) -> list[Any]:
    return [layer for panel in MODULE.picture(MODULE.STORIES[name])["vconcat"] for layer in panel["layer"]]


def test_every_story_is_expected_here() -> None:
    assert set(MODULE.STORIES) == set(SAID)


@pytest.mark.parametrize("name", SAID)
def test_each_story_says_what_its_rule_means_and_has_its_picture(name: str) -> None:
    found = told(name)
    said = [(round((one.at - found.start) / MINUTE, 3), one.event.value) for one in found.said]
    assert said == SAID[name]
    file = ROOT / "docs" / "images" / f"rule-{name}.svg"
    assert 0 < file.stat().st_size < MOST_BYTES
    assert f"images/rule-{name}.svg" in PAGE


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_does_not_count_is_grey(name: str) -> None:
    found = told(name)
    in_minutes = [((begin - found.start) // MINUTE, (end - found.start) // MINUTE) for begin, end in found.unknown]
    assert in_minutes == UNKNOWN[name]


def test_no_picture_is_left_of_a_story_that_is_no_more() -> None:
    assert {file.stem for file in (ROOT / "docs" / "images").glob("rule-*.svg")} == {f"rule-{name}" for name in SAID}


def test_every_condition_has_a_picture() -> None:
    rules = "\n".join(story.rule for story in MODULE.STORIES.values())
    words = (*KINDS, "schedule", "active", "mask", "door", "when", "levels", "latching", "max_gap")
    assert [word for word in words if f"{word}:" not in rules] == []


def test_the_alarm_is_drawn_by_its_priority_and_then_as_latched() -> None:
    def bands(name: str) -> list[tuple[float, float, str]]:
        found = told(name)
        return [((a - found.start) / MINUTE, (b - found.start) / MINUTE, band) for a, b, band in MODULE.spans(found)]

    assert bands("levels") == [(20, 35, "medium"), (35, 50, "urgent"), (50, 65, "medium")]
    assert bands("latching") == [(15, 25, "high"), (25, 40, "latched"), (40, 55, "latched")]


def test_an_alarm_that_does_not_end_is_drawn_to_the_end() -> None:
    found = MODULE.tell(MODULE.Story("", "condition: {above: 8}", {"temperature": "4x5 9x5"}))
    assert [(end, band) for _, end, band in MODULE.spans(found)] == [(found.end, "high")]


def test_each_point_has_a_panel_and_the_last_one_the_axis() -> None:
    document = MODULE.picture(MODULE.STORIES["unbalance"])
    assert len(document["vconcat"]) == 3
    axes = [{bool(one["encoding"]["x"].get("axis")) for one in panel["layer"] if "axis" in one["encoding"].get("x", {})}
            for panel in document["vconcat"]]  # fmt: skip
    assert axes == [{False}, {False}, {True}]
    assert document == MODULE.picture(MODULE.STORIES["unbalance"])


def test_missing_readings_are_a_hole_and_bad_ones_crosses() -> None:
    (line,) = [one for one in layers("gap") if isinstance(one["mark"], dict) and one["mark"]["type"] == "line"]
    assert {row["piece"] for row in line["data"]["values"]} == {0, 1}
    assert max(row["x"] for row in line["data"]["values"] if row["piece"] == 0) == 20
    (crosses,) = [one for one in layers("unreadable") if one["mark"].get("text") == "×"]
    assert [row["x"] for row in crosses["data"]["values"]] == list(range(40, 65))


def test_labels_that_would_overlap_stand_on_two_lines() -> None:
    labels = {
        one["mark"]["text"]: one["encoding"]["y"]["value"]
        for one in layers("levels")
        if one["data"] == {"values": [{}]}
    }
    assert labels["raised: medium"] == labels["stepped up: urgent"] > labels["stepped down: medium"]


def test_drawing_writes_a_file_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "STORIES", {name: MODULE.STORIES[name] for name in ("limit", "mask-door")})
    MODULE.draw(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["rule-limit.svg", "rule-mask-door.svg"]
    assert all("<svg" in file.read_text(encoding="utf-8") for file in tmp_path.iterdir())
