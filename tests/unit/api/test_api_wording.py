"""Words, figures and languages: complete, and the same everywhere."""

import ast
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

from api import wording
from api.board import Freshness, Standing
from api.i18n import choose, language
from domain.alarms import AlarmState, EventKind, OverlayKind, Priority, Reason
from domain.catalogue import Label, Point
from domain.readings import Quality
from domain.records import Latest
from domain.times import DAY, HOUR, MINUTE, SECOND
from domain.units import unit_of

API = Path(wording.__file__).parent
EN, ZH = language("en"), language("zh")
TEMPERATURE = Point("fridge-1", "temperature", unit_of("Cel"), MINUTE, Label("Air"))
DOOR = Point("fridge-1", "door", unit_of("state"), MINUTE, Label("Door"), {"closed": 0, "open": 1, "ajar": 2})
NBSP = "\N{NO-BREAK SPACE}"


def extracted() -> set[str]:
    """Every text that is marked for translation, in templates and code."""
    found = extract_from_dir(
        API,
        method_map=[("templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")],
        options_map={"templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true"}},
        keywords={"_": None, "gettext": None, "ngettext": (1, 2)},
        strip_comment_tags=True,
    )
    texts: set[str] = set()
    for _, _, message, _, _ in found:
        texts.update([message] if isinstance(message, str) else message)
    return texts


def test_every_text_of_the_pages_is_translated() -> None:
    texts = extracted()
    assert len(texts) > 100
    assert sorted(texts - set(ZH.messages)) == []


def test_the_catalogue_holds_nothing_that_no_page_uses() -> None:
    assert sorted(set(ZH.messages) - extracted()) == []


def test_translations_keep_their_placeholders() -> None:
    wrong = [
        message
        for message, text in ZH.messages.items()
        if {part.split("}")[0] for part in message.split("{")[1:]}
        != {part.split("}")[0] for part in text.split("{")[1:]}
    ]
    assert wrong == []


def test_no_text_of_a_template_bypasses_translation() -> None:
    bare = []
    for path in sorted((API / "templates").glob("*.html")):
        environment_free = path.read_text(encoding="utf-8")
        for line in environment_free.splitlines():
            outside = line
            for opening, closing in (("{{", "}}"), ("{%", "%}"), ("<", ">")):
                while opening in outside and closing in outside.split(opening, 1)[1]:
                    before, rest = outside.split(opening, 1)
                    outside = before + " " + rest.split(closing, 1)[1]
            words = [word for word in outside.split() if word.isalpha() and len(word) > 3]
            if words and "caretaker" not in line.lower() and "data-" not in line:
                bare.append(f"{path.name}: {line.strip()}")
    assert bare == []


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (wording.STANDINGS, Standing),
        (wording.PRIORITIES, Priority),
        (wording.STATES, AlarmState),
        (wording.REASONS, Reason),
        (wording.EVENTS, EventKind),
        (wording.OVERLAYS, OverlayKind),
        (wording.FRESHNESS, Freshness),
    ],
)
def test_every_word_of_a_closed_set_has_its_text(words: dict[object, str], kinds: type) -> None:
    assert set(words) == set(kinds)


@pytest.mark.parametrize(
    ("ms", "en", "zh"),
    [
        (-5 * SECOND, "just now", "刚刚"),
        (0, "just now", "刚刚"),
        (12 * SECOND, "12 s ago", "12 秒前"),
        (MINUTE, "1 min ago", "1 分钟前"),
        (59 * MINUTE, "59 min ago", "59 分钟前"),
        (HOUR, "1 h ago", "1 小时前"),
        (3 * DAY, "3 d ago", "3 天前"),
    ],
)
def test_ages(ms: int, en: str, zh: str) -> None:
    assert wording.age(EN, ms) == en
    assert wording.age(ZH, ms) == zh


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (4.25, "Cel", ("4.2", "°C")),
        (-18.04, "Cel", ("\N{MINUS SIGN}18.0", "°C")),
        (-0.01, "Cel", ("0.0", "°C")),
        (999.0, "W", ("999", "W")),
        (1350.0, "W", ("1.35", "kW")),
        (54_321.0, "W", ("54.3", "kW")),
        (152_000.0, "Pa", ("152.0", "kPa")),
        (47_835.04, "kWh", ("47,835.0", "kWh")),
        (61.7, "%RH", ("62", "%")),
        (231.24, "V", ("231.2", "V")),
    ],
)
def test_figures_are_shown_as_people_read_them(value: float, unit: str, expected: tuple[str, str]) -> None:
    assert wording.figure(EN, value, unit_of(unit)) == expected


def test_a_state_is_shown_by_its_name() -> None:
    assert wording.value(EN, DOOR, 1.0) == ("Open", "")
    assert wording.value(ZH, DOOR, 1.0) == ("打开", "")
    assert wording.value(ZH, DOOR, 2.0) == ("ajar", "")
    assert wording.value(EN, DOOR, 7.0) == ("7", "")


def test_what_has_no_value_is_a_dash_and_what_has_no_point_a_bare_number() -> None:
    assert wording.value(EN, TEMPERATURE, None) == ("—", "")
    assert wording.value(EN, TEMPERATURE, float("nan")) == ("—", "")
    assert wording.value(EN, None, 1.5) == ("1.5", "")
    assert wording.reading(EN, TEMPERATURE, None) == ("—", "")


def test_a_bad_reading_shows_its_raw_text() -> None:
    row = Latest("fridge-1/temperature", 0, 85.0, Quality.BAD, 0, "85")
    assert wording.reading(EN, TEMPERATURE, row) == ("85", "")


def test_number_and_unit_are_not_broken_apart() -> None:
    assert wording.joined(("4.2", "°C")) == f"4.2{NBSP}°C"
    assert wording.joined(("Open", "")) == "Open"


def test_times_are_the_sites_and_carry_the_day_when_it_is_not_today() -> None:
    now = 1_772_346_600_000  # 14:30 in Shanghai
    assert wording.clock(EN, now, "Asia/Shanghai", now) == "14:30"
    assert wording.clock(EN, now - DAY, "Asia/Shanghai", now) == "28 Feb 14:30"
    assert wording.clock(ZH, now - DAY, "Asia/Shanghai", now) == "2月28日 14:30"
    assert wording.clock(EN, now - 15 * HOUR, "Asia/Shanghai", now) == "28 Feb 23:30"


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "expected"),
    [
        (None, None, None, "en"),
        ("zh", "en", "en", "zh"),
        ("xx", "zh", "en", "zh"),
        (None, "xx", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, None, "en-GB,en;q=0.9,zh;q=0.8", "en"),
        (None, None, "fr, zh;q=0.5", "zh"),
        (None, None, "en;q=0.1, zh-Hant;q=0.9", "zh"),
        (None, None, "zh;q=0, en", "en"),
        (None, None, "zh;q=x, , ;;,", "en"),
    ],
)
def test_which_language_a_visitor_gets(
    query: str | None, cookie: str | None, accept: str | None, expected: str
) -> None:
    assert choose(query, cookie, accept, "en") == expected


def test_an_unknown_text_stays_english() -> None:
    assert ZH.gettext("Never written") == "Never written"
    assert ZH.ngettext("one", "many", 2) == "many"


def test_texts_in_code_are_marked_as_plain_literals() -> None:
    """A computed text could not be extracted, and so would never be translated."""
    for path in (API / "wording.py", API / "charting.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                assert isinstance(node.args[0], ast.Constant)
