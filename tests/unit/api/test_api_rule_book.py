"""The rules in force and their history, as programs read them; and the words that the pages use for them."""

from dataclasses import replace
from typing import Any

import pytest

from api import rule_words
from api.i18n import language
from api.rule_book import MOST_LINES, How, RuleBook
from domain.alarms import AlarmKey, EventKind, Priority
from domain.episodes import Episode
from domain.errors import CaretakerError, NotFoundError
from domain.times import HOUR, iso
from rules.compare import Comparison, Loss
from rules.condition_file import KINDS
from rules.edit import written
from rules.guard import Given, Loosening
from rules.packs import load_pack_text, pack_names
from tests.unit.api.conftest import RULES
from tests.unit.api.test_api_rules import LEGAL, SAVE, alarm_of, documents, post

LISTED = "/api/v1/sites/school/rules"
REVISIONS = "/api/v1/sites/school/rule-revisions"
EN, ZH = language("en"), language("zh")


@pytest.fixture
def book(bench: Any) -> RuleBook:
    operations = bench.app.state.operations
    return RuleBook(bench.console, operations.knowledge, bench.app.state.desk, operations.clock)


def test_the_rules_in_force_say_what_they_judge_and_how_often_they_spoke(bench: Any) -> None:
    bench.console.apply_rules("school", [("rules.yaml", LEGAL)], "setup", bench.now)
    alarm_of(bench, EventKind.RAISE, bench.now - HOUR)
    found = bench.json(LISTED)
    assert found["revision"] == 2
    first = found["rules"][0]
    assert {name: first[name] for name in ("rule", "title", "points", "basis", "document", "alarms")} == {
        "rule": "cold-high", "title": {"en": "Too warm", "zh": "温度过高"}, "points": ["fridge-1/temperature"],
        "basis": "legal", "document": "The book", "alarms": 1,
    }  # fmt: skip
    assert first["text"].startswith("id: cold-high\n")
    assert first["values"][0] == {"name": "levels.0.above", "kind": "number", "text": "8.0"}
    assert [(one["rule"], one["basis"], one["alarms"]) for one in found["rules"][1:]] == [
        ("cold-low", "operating", 0), ("boiler-fault", "operating", 0),
    ]  # fmt: skip


def test_without_rules_there_are_none(bench: Any, book: RuleBook) -> None:
    bench.console.rules.clear()
    assert bench.json(LISTED) == {"revision": 0, "rules": []}
    assert bench.json(REVISIONS) == []
    with pytest.raises(CaretakerError, match="has no rules yet"):
        book.with_added("school", "id: x")


def test_the_history_keeps_who_when_why_and_the_documents(bench: Any) -> None:
    stricter = RULES.replace("above: 8.0", "above: 6.0")
    wanted = {**documents(stricter), "by": "Li", "why": "new fridge", "revision": 1}
    assert post(bench, SAVE, json=wanted).status_code == 200
    newest, first = bench.json(REVISIONS)
    assert newest == {"revision": 2, "at": iso(bench.now), "by": "Li", "why": "new fridge"}
    assert (first["revision"], first["why"]) == (1, "")
    assert bench.json(REVISIONS, params={"before": 2}) == [first]
    detail = bench.json(f"{REVISIONS}/2")
    assert detail["documents"] == [{"name": "rules.yaml", "text": stricter}]
    assert detail["changed"] == [{"rule": "cold-high", "how": "changed"}]
    assert bench.get(f"{REVISIONS}/3").status_code == 404


def test_who_did_not_see_the_newest_revision_does_not_save(bench: Any) -> None:
    wanted = {**documents(RULES.replace("above: 8.0", "above: 6.0")), "by": "Li", "revision": 0}
    answer = post(bench, SAVE, json=wanted)
    assert (answer.status_code, answer.json()["remedy"]) == (409, "somebody saved meanwhile: look at them again")
    assert bench.console.rules_revision("school").number == 1


def test_what_a_revision_added_removed_and_changed(bench: Any, book: RuleBook) -> None:
    after = RULES.replace("id: cold-low", "id: cold-lower").replace("{en: Boiler fault", "{en: Boiler is broken")
    bench.console.apply_rules("school", [("rules.yaml", after), ("own.yaml", "rules: []\n")], "li", bench.now)
    found = {one.rule: one.how for one in book.changes("school", 2)}
    assert found == {"cold-low": How.REMOVED, "cold-lower": How.ADDED, "boiler-fault": How.CHANGED}
    assert {one.how for one in book.changes("school", 1)} == {How.ADDED}
    lines = book.difference("school", 2)
    assert "-  - id: cold-low" in lines
    assert "+  - id: cold-lower" in lines
    assert lines[-1] == "+rules: []"


def test_a_difference_is_bounded(bench: Any, book: RuleBook) -> None:
    bench.console.apply_rules("school", [("rules.yaml", RULES + "# x\n" * 1_000)], "li", bench.now)
    lines = book.difference("school", 2)
    assert (len(lines), lines[-1]) == (MOST_LINES + 1, "…")


def test_an_unknown_site_has_no_rules(book: RuleBook) -> None:
    for asked in (book.history, book.revision_in_force, book.all_opened):
        with pytest.raises(NotFoundError):
            asked("nowhere")  # type: ignore[operator]  # each takes a site first


def test_every_value_of_every_pack_has_a_name_in_both_languages() -> None:
    for name in pack_names():
        for rule, shown in written(((name, load_pack_text(name)),)).items():
            for field in shown.fields:
                for where in (EN, ZH):
                    said = rule_words.field_name(where, field)
                    assert "_" not in said, (rule, field.name, said)
                assert rule_words.field_name(EN, field) != rule_words.field_name(ZH, field)


def test_every_kind_of_condition_has_a_name() -> None:
    assert set(rule_words.CONDITIONS) == set(KINDS) - {"above", "below", "state", "no_data"}


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ("condition: {cooling: {from: 60, stages: [{to: 21, within: 2h}]}}", "Cooling · stages · part 1 · Within"),
        ("condition: {all: [{metric: power, above: 5}, {above: 8}]}", "All of · part 1 · Alarm above"),
        ("levels: [{above: 8, priority: low}]", "Alarm above"),
    ],
)
def test_a_derived_value_is_named_after_its_condition(condition: str, named: str) -> None:
    text = f"rules:\n  - {{id: x, applies_to: {{metric: temperature}}, {condition}, priority: low}}\n"
    assert named in [rule_words.field_name(EN, field) for field in written((("x", text),))["x"].fields]


def episode(at: int) -> Episode:
    return Episode(AlarmKey("r", "a/b"), at, at, at + 1, Priority.HIGH, 0)


def test_a_change_is_told_in_one_sentence_in_both_languages() -> None:
    kinds = (Loss.NUISANCE, Loss.NUISANCE, Loss.REAL, Loss.COVERED)
    lost = tuple((episode(at), kind) for at, kind in enumerate(kinds))
    effect = Comparison(0, 9, (), (episode(5),), lost, 7, 1, 2, 3, 100)
    assert rule_words.sentence(EN, effect) == (
        "2 nuisance alarms fewer; 1 real excursion hidden; 1 joined to the one before; 1 left to another rule; "
        "1 alarm more; 2 told later; 3 told earlier"
    )
    quiet = replace(effect, lost=(), gained=(), merged=0, later=0, earlier=0)
    assert rule_words.sentence(EN, quiet) == "0 nuisance alarms fewer; 0 real excursions hidden"
    assert rule_words.sentence(ZH, quiet) == "减少 0 次误扰报警；隐藏 0 次真实超限"


@pytest.mark.parametrize(
    ("given", "said", "english", "chinese"),
    [
        (Given.REMOVED, (), "it is removed", "规则被删除"),
        (Given.POINTS, ("a/b, c/d",), "it no longer judges a/b, c/d", "不再适用于 a/b, c/d"),
        (Given.LIMIT_GONE, ("below", "60"), "the limit below 60 is gone", "下限 60 被删除"),
        (Given.LIMIT_MOVED, ("above", "8", "9"), "the limit above 8 becomes 9", "上限 8 改为 9"),
        (Given.PRIORITY, ("urgent", "low"), "the priority Urgent is lowered to Low", "优先级由“紧急”降为“低”"),
    ],
)
def test_a_legal_limit_given_up_is_named(given: Given, said: tuple[str, ...], english: str, chinese: str) -> None:
    one = Loosening("r", given, said, "The book")
    assert rule_words.loosened(EN, one) == english
    assert rule_words.loosened(ZH, one) == chinese


def test_every_word_of_a_closed_set_has_its_text() -> None:
    assert set(rule_words.GIVEN) == set(Given)
    assert {kind for kind in Loss if rule_words.loss(ZH, kind) != rule_words.loss(EN, kind)} == set(Loss)
    assert {kind for kind in How if rule_words.how(ZH, kind) != rule_words.how(EN, kind)} == set(How)
