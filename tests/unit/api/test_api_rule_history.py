"""Who changed which rule, when and why, what it changed, and going back to what was."""

import re
from typing import Any

from api.rule_book import HISTORY_PAGE
from tests.unit.api.conftest import RULES
from tests.unit.api.test_api_rule_editing import WHO, send, values, words
from tests.unit.api.test_api_rules import LEGAL, warm


def test_the_history_says_who_when_and_why(bench: Any) -> None:
    send(bench, "/rules/cold-high/save", **values(_0_above="7"), **WHO)
    page = bench.page("/rule-revisions")
    rows = [words(row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.S)[1:]]
    assert [row.split()[0] for row in rows] == ["2", "1"]
    assert rows[0].startswith("2 in force")
    assert rows[0].endswith("Li Na 李娜 too noisy at lunch")
    assert rows[1].endswith("setup —")
    assert "Older" not in page


def test_a_long_history_is_read_in_pages(bench: Any) -> None:
    for number in range(HISTORY_PAGE + 3):
        bench.console.apply_rules("school", [("rules.yaml", f"{RULES}# {number}\n")], "li", bench.now)
    first = bench.page("/rule-revisions")
    older = re.search(r'href="(/rule-revisions\?before=[0-9]+)"', first)
    assert older is not None
    assert older.group(1) == "/rule-revisions?before=5"
    assert [
        words(row).split()[0] for row in re.findall(r"<tr>(.*?)</tr>", bench.page(older.group(1)), re.S)[1:]
    ] == list("4321")


def test_one_revision_shows_what_it_changed_line_by_line(bench: Any) -> None:
    send(bench, "/rules/cold-high/save", **values(_0_above="7"), **WHO)
    page = bench.page("/rule-revisions/2")
    assert "Too warm: changed" in words(page)
    gone, new = (re.findall(rf'<span class="line-{kind}">([^<]*)</span>', page) for kind in ("gone", "new"))
    assert [line.strip("-+ ") for line in gone[1:] + new[1:]] == [
        "{above: 8.0, deadband: 0.5, on_delay: 30min, priority: high}",
        "{above: 7, deadband: 0.5, on_delay: 30min, priority: high}",
    ]
    assert "Go back to it" not in page
    assert "cold-low: added" in words(bench.page("/rule-revisions/1"))


def test_going_back_is_tried_first_and_becomes_a_revision_of_its_own(bench: Any) -> None:
    warm(bench, (100, 160))
    send(bench, "/rules/cold-high/save", **values(_0_above="3.5"), **WHO)
    assert "Go back to it" in bench.page("/rule-revisions/1")
    tried = send(bench, "/rule-revisions/1/try")
    assert "1 told later" in words(tried.text)
    assert 'action="/rule-revisions/1/save"' in tried.text
    answer = send(bench, "/rule-revisions/1/save", by="Wang", why="it was better before", accept="9")
    assert (answer.status_code, answer.headers["location"]) == (303, "/rule-revisions?saved=3")
    revision = bench.console.rules_revision("school")
    assert (revision.number, revision.documents[0][1], revision.why) == (3, RULES, "it was better before")


def test_going_back_does_not_loosen_a_legal_limit_either(bench: Any) -> None:
    bench.console.apply_rules("school", [("rules.yaml", LEGAL)], "setup", bench.now)
    refused = send(bench, "/rule-revisions/1/save", **WHO)
    assert refused.status_code == 409
    assert "Too warm: it no longer names its legal basis" in words(refused.text)
    assert bench.console.rules_revision("school").number == 2
