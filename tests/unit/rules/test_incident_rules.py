"""The `incidents:` section of rule files: what it can say, and how a mistake in it is named."""

import pytest

from domain.catalogue_file import load_catalogue
from domain.errors import InputError
from domain.incidents import AlarmCause, Gathers, Quorum
from domain.times import HOUR, MINUTE
from rules.incident_rules import incident_plan
from rules.loading import load_documents, load_rules
from rules.packs import load_pack

RULES = """
rules:
  - {id: dead, applies_to: {metric: power}, condition: {below: 5}, priority: urgent}
  - {id: silent, applies_to: {metric: temperature}, condition: {no_data: 30min}, priority: low}
"""
CAUSED = "  - {id: cut, cause: {rule: dead, level: 1}, gathers: fed_by, settle: 2min, tail: 2h, empty_first: true}\n"
QUORUM = "  - {id: quiet, cause: {at_least: 3, share: 0.8}, gathers: agent, rules: [silent]}\n"


def text(*incidents: str) -> str:
    return RULES + "incidents:\n" + "".join(incidents)


def test_a_cause_and_a_quorum_are_read() -> None:
    found = load_rules(text(CAUSED, QUORUM), "r.yaml").incidents
    cut, quiet = found["cut"], found["quiet"]
    assert (cut.cause, cut.gathers, cut.rules) == (AlarmCause("dead", 0), Gathers.FED_BY, ())
    assert (cut.settle, cut.tail, cut.empty_first) == (2 * MINUTE, 2 * HOUR, True)
    assert (quiet.cause, quiet.gathers, quiet.rules) == (Quorum(3, 0.8), Gathers.AGENT, ("silent",))
    assert (quiet.settle, quiet.tail, quiet.empty_first, quiet.title.en) == (MINUTE, 0, False, "quiet")


def test_titles_and_responses_are_for_people_in_both_languages() -> None:
    entry = CAUSED.replace("settle: 2min", "title: {en: Power cut, zh: 停电}, response: {en: Wait, zh: 等待}")
    cut = load_rules(text(entry), "r.yaml").incidents["cut"]
    assert (cut.title.zh, cut.response.en) == ("停电", "Wait")


def test_a_file_without_the_section_has_no_incidents() -> None:
    assert load_rules(RULES, "r.yaml").incidents == {}


def test_an_incident_may_name_rules_of_another_file() -> None:
    other = "rules: []\nincidents:\n" + CAUSED
    assert list(load_documents([("own.yaml", other), ("r.yaml", RULES)]).incidents) == ["cut"]


@pytest.mark.parametrize(
    ("entry", "said", "remedy"),
    [
        (CAUSED.replace("dead", "daed"), "names the rule 'daed'", "name a rule of these files"),
        (CAUSED.replace("fed_by", "fed-by"), "'fed-by' is not known here", "did you mean 'fed_by'?"),
        (CAUSED.replace("settle: 2min", "settle: 11min"), "11 min is out of range", "at most 10 min"),
        (CAUSED.replace("tail: 2h", "tail: 25h"), "1500 min is out of range", "at most 1440 min"),
        (CAUSED.replace("level: 1", "level: 0"), "not a whole number >= 1", ""),
        (CAUSED.replace("level: 1", "share: 0.5"), "either one rule's alarm or a quorum", "leave 'share' out"),
        (CAUSED.replace("rule: dead, level: 1", "level: 1"), "neither 'rule' nor 'at_least'", "{rule: ID}"),
        (CAUSED.replace("id: cut", "id: Cut!"), "Cut!", ""),
        (CAUSED.replace("id: cut", "id: dead"), "defined twice", "give each its own id"),
        (CAUSED.replace("tail:", "tial:"), "unknown key 'tial'", "did you mean 'tail'?"),
        (QUORUM.replace(", rules: [silent]", ""), "a quorum needs 'rules'", "name the rules"),
        (QUORUM.replace("share: 0.8", "share: 80"), "between 0 and 1", "write 0.8"),
        (QUORUM.replace("share: 0.8", "level: 2"), "a quorum has no level", "leave 'level' out"),
        (QUORUM.replace("at_least: 3", "at_least: 1"), "not a whole number >= 2", ""),
    ],
)
def test_a_mistake_is_named_with_its_line_and_a_remedy(entry: str, said: str, remedy: str) -> None:
    with pytest.raises(InputError, match=r"r\.yaml:6:") as caught:
        load_rules(text(entry), "r.yaml")
    assert said in caught.value.message
    assert remedy in caught.value.remedy


def test_the_plan_knows_which_points_the_named_rules_judge() -> None:
    catalogue = load_catalogue(
        """
site: {id: school, title: {en: School}, timezone: Asia/Shanghai}
areas: [{id: kitchen, title: {en: Kitchen}}]
assets:
  - {id: board, type: distribution_board, area: kitchen, title: {en: B}, points: {power: {interval: 60s}}}
  - {id: fridge, type: refrigerator, area: kitchen, title: {en: F}, fed_by: board, points: {temperature: {interval: 60s}}}
""",  # noqa: E501 - a file as a person writes it
        "site.yaml",
    )
    plan = incident_plan(load_rules(text(CAUSED, QUORUM), "r.yaml"), catalogue)
    assert dict(plan.judged) == {"dead": {"board/power"}, "silent": {"fridge/temperature"}}
    assert [one.id for one in plan.rules] == ["cut", "quiet"]


def test_the_pack_gathers_power_cuts_and_silence() -> None:
    found = load_pack("facility-basic").incidents
    assert list(found)[:2] == ["power-lost", "board-dead"]
    assert {"site-silent", "agent-silent"} <= set(found)
    assert all(one.title.zh and one.response.zh for one in found.values())
