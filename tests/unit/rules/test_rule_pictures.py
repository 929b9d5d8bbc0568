"""The pictures of docs/rules.md: they show what the engine says, and are there, small, and of a light page."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
MOST_BYTES = 30_000


def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_rule_pictures", ROOT / "docs" / "rule_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULE = drawing()


@pytest.mark.parametrize("name", MODULE.STORIES)
def test_each_story_has_a_beginning_and_an_end_and_its_file(name: str) -> None:
    _, said = MODULE.told(MODULE.STORIES[name])
    assert [one["what"] for one in said] == ["raised", "cleared"]
    file = ROOT / "docs" / "images" / f"rule-{name}.svg"
    assert 0 < file.stat().st_size < MOST_BYTES
    assert f"images/rule-{name}.svg" in PAGE


def test_the_limit_with_delays_is_drawn_where_it_is_raised() -> None:
    story = MODULE.STORIES["limit"]
    rows, said = MODULE.told(story)
    assert said == [{"minute": 48.0, "what": "raised"}, {"minute": 63.0, "what": "cleared"}]
    assert MODULE.spans(said, rows[-1]["minute"]) == [{"from": 48.0, "to": 63.0}]
    assert MODULE.spans(said[:1], 77.0) == [{"from": 48.0, "to": 77.0}], "active to the end"
    assert MODULE.picture(story) == MODULE.picture(story)


def test_drawing_writes_a_file_for_each(tmp_path: Path) -> None:
    MODULE.draw(tmp_path)
    assert sorted(file.stem for file in tmp_path.glob("*.svg")) == sorted(f"rule-{name}" for name in MODULE.STORIES)
    assert all("<svg" in file.read_text(encoding="utf-8") for file in tmp_path.iterdir())
