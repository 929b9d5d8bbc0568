"""Rules changed by people while the site runs: from the page through store and engine to the next alarm, and back."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from api.rule_edit_pages import VALUE
from domain.times import DAY, HOUR, MINUTE
from tests.scenarios.path import WholePath, series_of

BEGIN = 1_780_000_000_000 // DAY * DAY
SITE = """\
site: {id: school, title: School, timezone: Asia/Shanghai}
areas: [{id: kitchen}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, agent: canteen, points: {temperature: {interval: 60s}}}
"""
RULES = """\
rules:
  - id: warm   # the law
    applies_to: {metric: temperature}
    condition: {above: 8.0, deadband: 0.5}
    on_delay: 10min
    priority: high
    basis: {kind: legal, document: The book}
  - id: ours
    applies_to: {metric: temperature}
    condition: {above: 6.0}
    priority: low
"""
WHO = {"by": "Wang Fang", "why": "loaded at eleven every day"}
# An hour of 5 °C, then every second hour half an hour of 7 °C: above our own limit, below the legal one.
COURSE = [7.0 if minute // 60 % 2 and minute % 60 < 30 else 5.0 for minute in range(14 * 60)]


@pytest.fixture
def school(whole_path: Callable[..., WholePath]) -> WholePath:
    path = whole_path(BEGIN, site=SITE, rules=(("rules.yaml", RULES),))
    path.add_agent("canteen", series_of("fridge-1/temperature", BEGIN, COURSE))
    path.run(BEGIN + 5 * HOUR - 30 * MINUTE, 10 * MINUTE)
    return path


def form(path: WholePath, address: str, **values: str) -> Any:
    """One form of the rule pages, as a browser sends it."""
    present = str(path.web.get("/sites/school/rules")["revision"])
    data = {"site": "school", "revision": present, "days": "7", **values}
    return path.web.request("POST", address, data=data, headers={"accept": "text/html", "accept-language": "en"})


def raises(path: WholePath) -> list[tuple[str, int, int]]:
    """Rule, hour of the day and rules revision of every raise."""
    found = [one for one in path.transitions() if one["event"] == "raise"]
    return [(one["rule"], int(one["at"][11:13]), one["rules_revision"]) for one in found]


def test_a_delay_set_on_the_page_spares_the_next_noise_and_going_back_brings_it_again(school: WholePath) -> None:
    assert raises(school) == [("ours", 1, 1), ("ours", 3, 1)]
    tried = form(school, "/rules/ours/try", **{f"{VALUE}on_delay": "45min"})
    said = html.unescape(re.sub(r"<[^>]*>", " ", tried.text))
    assert "0 real excursions hidden" not in said  # half an hour is longer than people have: it is real, and is shown
    assert "2 real excursions hidden" in said
    refused = form(school, "/rules/ours/save", **{f"{VALUE}on_delay": "45min"}, **WHO)
    assert refused.status_code == 409
    assert form(school, "/rules/ours/save", **{f"{VALUE}on_delay": "45min"}, **WHO, accept="2").status_code == 303

    school.run(BEGIN + 9 * HOUR - 30 * MINUTE, 10 * MINUTE)
    assert raises(school) == [("ours", 1, 1), ("ours", 3, 1)]  # nothing of five and seven o'clock

    assert form(school, "/rule-revisions/1/save", by="Li", why="we want to hear it", accept="9").status_code == 303
    school.run(BEGIN + 12 * HOUR - 30 * MINUTE, 10 * MINUTE)
    assert raises(school)[2:] == [("ours", 9, 3), ("ours", 11, 3)]
    history = school.web.get("/sites/school/rule-revisions")
    assert [(one["revision"], one["by"], one["why"]) for one in history] == [
        (3, "Li", "we want to hear it"), (2, "Wang Fang", "loaded at eleven every day"), (1, "test", ""),
    ]  # fmt: skip
    assert school.store.verify_audit("school") is None


def test_the_law_can_be_made_stricter_on_the_page_and_not_looser(school: WholePath) -> None:
    loose = form(school, "/rules/warm/save", **{f"{VALUE}condition.above": "9"}, **WHO, accept="9")
    assert loose.status_code == 409
    assert "This would loosen a legal limit" in loose.text
    strict = form(school, "/rules/warm/save", **{f"{VALUE}condition.above": "6.5"}, **WHO)
    assert strict.status_code == 303
    school.run(BEGIN + 6 * HOUR - 30 * MINUTE, 10 * MINUTE)
    assert ("warm", 5, 2) in raises(school)
    alarm = school.alarm("warm", "fridge-1/temperature")
    assert (alarm["priority"], alarm["rules_revision"]) == ("high", 2)
    page = school.web.request("GET", "/alarms/warm/fridge-1/temperature", headers={"accept-language": "en"}).text
    assert "Judged by rules revision 2." in page
    text = school.web.get("/sites/school/rule-revisions/2")["documents"][0]["text"]
    assert text == RULES.replace("8.0", "6.5")
