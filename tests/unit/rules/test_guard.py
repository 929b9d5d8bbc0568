"""A legal limit may be made stricter, and is never loosened in passing."""

import pytest

from domain.catalogue_file import load_catalogue
from rules.guard import LegalLimitError, loosenings
from rules.loading import load_rules

CATALOGUE = load_catalogue(
    """
site: {id: school, title: {en: School}, timezone: Asia/Shanghai}
areas: [{id: kitchen, title: {en: Kitchen}}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, title: {en: One}, points: {temperature: {interval: 60s}}}
  - {id: fridge-2, type: sample_fridge, area: kitchen, title: {en: Two}, points: {temperature: {interval: 60s}}}
""",
    "site.yaml",
)
LEGAL = "basis: {kind: legal, document: Rule book}"
BOTH = "{asset_type: [refrigerator, sample_fridge], metric: temperature}"


def rule(levels: str = "[{above: 8.0, on_delay: 30min, priority: high}]", *, to: str = BOTH, basis: str = LEGAL) -> str:
    return f"rules:\n  - id: warm\n    applies_to: {to}\n    levels: {levels}\n    {basis}\n"


def what(before: str, after: str) -> list[str]:
    return [one.what for one in loosenings(load_rules(before, "a.yaml"), load_rules(after, "b.yaml"), CATALOGUE)]


NONE = "rules: []\n"


@pytest.mark.parametrize(
    "after",
    [
        rule(),
        rule("[{above: 7.0, on_delay: 30min, priority: high}]"),
        rule("[{above: 8.0, deadband: 1, on_delay: 2h, off_delay: 1h, priority: high}]"),
        rule("[{above: 8.0, priority: urgent}]"),
        rule("[{above: 5.0, priority: low}, {above: 8.0, on_delay: 30min, priority: high}]"),
        rule(to="{metric: temperature}"),
    ],
)
def test_the_same_a_stricter_one_and_other_delays_are_free(after: str) -> None:
    assert what(rule(), after) == []


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (NONE, "it is removed"),
        (rule("[{above: 8.1, priority: high}]"), "the limit above 8 becomes 8.1"),
        (rule("[{above: 9, priority: high}, {above: 12, priority: urgent}]"), "the limit above 8 becomes 9"),
        (rule("[{below: 8.0, priority: high}]"), "the limit above 8 is gone"),
        (rule("[{above: 7.0, priority: medium}]"), "the priority high is lowered to medium"),
        (rule(basis="basis: {kind: operating}"), "it no longer names its legal basis"),
        (rule(basis="latching: false"), "it no longer names its legal basis"),
        (rule(to="{asset_type: refrigerator, metric: temperature}"), "it no longer judges fridge-2/temperature"),
        (rule("[{state: 1, priority: high}]"), "the limit above 8 is gone"),
    ],
)
def test_what_gives_up_the_limit_is_named(after: str, said: str) -> None:
    assert what(rule(), after) == [said]


def test_the_lower_side_is_the_other_way_round() -> None:
    hot = rule("[{below: 60, priority: high}]")
    assert what(hot, rule("[{below: 63, priority: high}]")) == []
    assert what(hot, rule("[{below: 57, priority: high}]")) == ["the limit below 60 becomes 57"]
    assert what(hot, rule("[{above: 60, priority: high}]")) == ["the limit below 60 is gone"]


def test_of_other_conditions_only_the_same_one_is_surely_no_looser() -> None:
    state = rule("[{state: [1, 2], priority: high}]")
    assert what(state, state) == []
    assert what(state, rule("[{state: 1, priority: high}]")) == ["a condition is changed or gone"]


def test_a_legal_level_under_another_is_held_too() -> None:
    before = rule("[{above: 5, priority: low}, {above: 8, priority: high}]")
    assert what(before, rule("[{above: 8, priority: high}]")) == ["the limit above 5 becomes 8"]


def test_the_sites_own_rules_are_free() -> None:
    assert what(rule(basis="basis: {kind: operating}"), NONE) == []
    assert what(rule(basis="latching: false"), NONE) == []


def test_a_legal_rule_that_judges_nothing_here_may_go() -> None:
    assert what(rule(to="{asset_type: freezer, metric: temperature}"), NONE) == []


def test_the_refusal_says_which_rule_where_and_what_to_do_instead() -> None:
    before, after = load_rules(rule(), "a.yaml"), load_rules(rule("[{above: 9, priority: high}]"), "own.yaml")
    error = LegalLimitError(loosenings(before, after, CATALOGUE))
    assert "own.yaml:2" in str(error)
    assert "'warm': the limit above 8 becomes 9 (Rule book)" in str(error)
    assert "beside it" in error.remedy
