"""The pages about incidents and alarm quality, as a browser without scripts sees them, in both languages."""

import re
from dataclasses import replace
from typing import Any

import pytest

from api.i18n import language
from api.rule_pages import proposal
from api.view import View
from domain.alarms import AlarmKey, EventKind, Nuisance
from domain.times import DAY, HOUR, MINUTE
from tests.unit.api.test_api_incidents import cut, happen, school, warm
from tests.unit.api.test_api_rules import alarm_of
from tests.unit.api.test_api_rules import warm as measured

COLD = AlarmKey("cold-high", "fridge-1/temperature")


def alarm_items(page: str) -> list[str]:
    return re.findall(r'<article class="alarm [^>]*data-key="([^"]*)"', page)


def plain(html: str) -> list[str]:
    return re.sub(r"<[^>]*>", " ", html).split()


def incident_items(page: str) -> list[str]:
    return re.findall(r'<article class="incident [^>]*data-key="incident/([^"]*)"', page)


@pytest.mark.parametrize("path", ["/incidents", "/incidents/x", "/quality"])
def test_before_any_site_the_page_says_which_command_to_run(empty: Any, path: str) -> None:
    assert "caretaker site apply site.yaml" in empty.page(path)


def test_the_board_shows_one_incident_instead_of_its_alarms(bench: Any) -> None:
    cut(school(bench))
    warm(bench)
    bench.raise_alarm("strange", "boiler-1/status", 2.0)
    page = bench.page("/")
    (found,) = incident_items(page)
    assert found.startswith("dead.meter-1.")
    assert alarm_items(page) == ["strange/boiler-1/status"]
    assert "No power" in page
    assert "2 alarms with this cause" in page
    assert "2 unanswered" in page
    assert "Keep doors closed" in page
    assert "Empty these first" in page
    assert "no recent temperature: look" in page


def test_where_everything_is_in_an_incident_the_board_does_not_say_that_there_is_no_alarm(bench: Any) -> None:
    cut(school(bench))
    assert "No open alarms." not in bench.page("/")


def test_the_incident_in_chinese_with_the_time_that_is_left(bench: Any) -> None:
    cut(school(bench))
    bench.measured("fridge-1/temperature", 6.3)
    page = bench.page("/", "zh-CN")
    for words in ("停电", "保持柜门关闭", "优先转移", "约 60 分钟", "6.3 °C，限值 8 °C", "牛奶"):
        assert words in page, words


def test_the_page_of_an_incident_leads_to_its_alarms_and_says_what_happened(bench: Any) -> None:
    cut(school(bench))
    warm(bench)
    (name,) = incident_items(bench.page("/incidents"))
    page = bench.page(f"/incidents/{name}")
    assert alarm_items(page) == ["no-power/meter-1/power", "cold-high/fridge-1/temperature"]
    assert 'href="/alarms/no-power/meter-1/power"' in page
    assert "What happened" in page


def test_an_incident_that_is_over_says_when_its_cause_was_over_and_asks_for_no_emptying(bench: Any) -> None:
    cut(school(bench))
    happen(bench, EventKind.CLEAR, "no-power", "meter-1/power", 30 * MINUTE)
    page = bench.page("/incidents")
    assert "cause over at" in page
    assert "Empty these first" not in page
    happen(bench, EventKind.ACKNOWLEDGE, "no-power", "meter-1/power", 20 * MINUTE, by="Li")
    assert incident_items(bench.page("/")) == []
    assert len(incident_items(bench.page("/incidents"))) == 1


def test_without_incidents_the_page_says_so_and_there_is_no_link_to_it(bench: Any) -> None:
    page = bench.page("/incidents")
    assert "No incident." in page
    assert "The rules of this site name none." in page
    assert 'href="/incidents"' not in bench.page("/")
    assert 'href="/incidents"' in school(bench).page("/")


def test_an_unknown_incident_is_not_found(bench: Any) -> None:
    school(bench).page("/incidents/dead.meter-1.5", status=404)


def test_the_figures_stand_beside_their_targets(bench: Any) -> None:
    bench.raise_alarm()
    bench.raise_alarm("boiler-fault", "boiler-1/status", 2.0, ago=3 * DAY)
    page = bench.page("/quality")
    rows = {
        " ".join(plain(title)): [plain(cell) for cell in re.findall(r"<td.*?</td>", row)]
        for title, row in re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', page, re.S)
    }
    assert rows["Alarms told"] == [["2"], ["—"]]
    assert rows["Active for more than a day"] == [["1"], ["&lt;", "5"]]
    assert rows["Share of priority High"] == [["100", "%"], ["—"]]
    assert rows["Median time to an answer"] == [["—"], ["—"]]


def test_what_misses_its_target_is_marked(bench: Any) -> None:
    for second in range(0, 40, 20):
        alarm_of(bench, EventKind.RAISE, bench.now - HOUR + second * 1000)
        alarm_of(bench, EventKind.CLEAR, bench.now - HOUR + second * 1000 + 10_000)
    assert "too many" in bench.page("/quality")
    assert "过多" in bench.page("/quality", "zh-CN")


def test_a_quiet_site_has_nothing_to_improve(bench: Any) -> None:
    page = bench.page("/quality")
    assert "No alarm was told in this time." in page
    assert "too many" not in page


def test_a_suggestion_is_tried_when_somebody_asks(bench: Any) -> None:
    measured(bench, (100, 137), (300, 337), (500, 700))
    for minute in (130, 330):
        alarm_of(bench, EventKind.RAISE, bench.now - 24 * HOUR + minute * MINUTE)
        alarm_of(bench, EventKind.CLEAR, bench.now - 24 * HOUR + (minute + 8) * MINUTE)
    page = bench.page("/quality?days=1")
    assert "Try it on the stored readings" in page
    assert "/quality?days=1&amp;suggest=1" in page
    tried = "/quality?days=1&suggest=1"
    assert "Wait 45 min before it is raised: 2 fewer alarms, nothing real hidden" in bench.page(tried)
    assert "延迟 45 分钟再报警：减少 2 条报警，不掩盖真实问题" in bench.page(tried, "zh-CN")


def test_every_kind_of_change_has_its_words(bench: Any) -> None:
    measured(bench, (100, 137), (300, 337))
    found = bench.app.state.desk.suggestion("school", COLD, bench.now - DAY, bench.now)
    view = View(language("zh"), None, bench.now, "/")
    said = {word: proposal(view, replace(found, change=word)) for word in ("off_delay 5min", "deadband 1.5")}
    assert said["off_delay 5min"].startswith("恢复 5 分钟后再解除：")
    assert said["deadband 1.5"].startswith("回到限值以内 1.5 再解除：")
    assert proposal(view, None).startswith("没有既能减少误报")


def test_where_no_delay_helps_the_page_says_where_to_look(bench: Any) -> None:
    alarm_of(bench, EventKind.RAISE, bench.now - HOUR)
    alarm_of(bench, EventKind.ACKNOWLEDGE, bench.now - HOUR + MINUTE, nuisance=Nuisance.OTHER, by="Li")
    assert "look for the cause at the asset" in bench.page("/quality?suggest=1")
    assert "look for the cause" not in bench.page("/quality?suggest=9")
