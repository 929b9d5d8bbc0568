"""Rules against a site: what a person is told before they are applied."""

import pytest

from domain.catalogue_file import load_catalogue
from rules.loading import load_rules
from rules.matching import Weight, check_against, check_without_site, select

SITE = load_catalogue(
    """\
site: {id: school}
areas: [{id: kitchen}]
assets:
  - id: fridge-1
    type: refrigerator
    area: kitchen
    points: {temperature: {interval: 60s}, door: {}, power: {}}
  - id: freezer-1
    type: freezer
    area: kitchen
    points: {temperature: {}}
  - id: boiler-1
    type: boiler
    area: kitchen
    points: {status: {states: {off: 0, run: 1, fault: 2}}}
""",
    "site.yaml",
)


def rules(applies_to: str, condition: str) -> str:
    return f"rules:\n  - id: r\n    applies_to: {applies_to}\n    condition: {condition}\n    priority: low\n"


@pytest.mark.parametrize(
    ("applies_to", "names"),
    [
        ("{metric: temperature}", ["fridge-1/temperature", "freezer-1/temperature"]),
        ("{asset_type: freezer, metric: temperature}", ["freezer-1/temperature"]),
        ("{asset_type: [pump, boiler], metric: status}", ["boiler-1/status"]),
        ("{point: fridge-1/door}", ["fridge-1/door"]),
        ("{point: fridge-9/door}", []),
        ("{asset_type: pump, metric: temperature}", []),
    ],
)
def test_which_points_a_rule_judges(applies_to: str, names: list[str]) -> None:
    rule = load_rules(rules(applies_to, "{above: 1}"), "r.yaml").rules["r"]
    assert [point.name for point in select(rule, SITE)] == names


@pytest.mark.parametrize(
    ("applies_to", "condition"),
    [
        ("{metric: temperature}", "{above: 8}"),
        ("{point: boiler-1/status}", "{state: fault}"),
        ("{point: boiler-1/status}", "{state: [run, 2]}"),
        ("{point: fridge-1/door}", "{state: open}"),
        ("{metric: status}", "{no_data: 15min}"),
        ("{metric: temperature}", "{no_data: 15min}"),
    ],
)
def test_nothing_is_said_about_a_rule_that_fits(applies_to: str, condition: str) -> None:
    assert check_against(load_rules(rules(applies_to, condition), "r.yaml"), SITE) == []


@pytest.mark.parametrize(
    ("applies_to", "condition", "weight", "words"),
    [
        ("{asset_type: pump, metric: status}", "{state: fault}", "warning", "it judges nothing"),
        ("{point: fridge-1/temprature}", "{above: 8}", "error", "did you mean fridge-1/temperature?"),
        ("{point: x/y}", "{above: 8}", "error", "add the point to the site's file"),
        ("{point: boiler-1/status}", "{state: lockout}", "error", "its states: off (0), run (1), fault (2)"),
        ("{point: boiler-1/status}", "{state: 7}", "error", "has no state 7.0"),
        ("{point: fridge-1/temperature}", "{state: fault}", "error", "it has no states"),
        ("{point: boiler-1/status}", "{above: 1}", "error", "a limit needs a measured value"),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(applies_to: str, condition: str, weight: str, words: str) -> None:
    (finding,) = check_against(load_rules(rules(applies_to, condition), "r.yaml"), SITE)
    assert finding.weight is Weight(weight)
    assert str(finding).startswith(f"r.yaml:2:9: {weight}: rule 'r': ")
    assert words in str(finding)


def test_every_level_is_looked_at_but_a_point_is_complained_of_once() -> None:
    text = (
        "rules:\n  - id: r\n    applies_to: {point: boiler-1/status}\n"
        "    levels:\n      - {above: 1, priority: low}\n      - {above: 2, priority: low}\n"
    )
    assert len(check_against(load_rules(text, "r.yaml"), SITE)) == 1
    text = text.replace("above: 1", "state: broken").replace("above: 2", "state: burning")
    assert len(check_against(load_rules(text, "r.yaml"), SITE)) == 2


@pytest.mark.parametrize(
    ("applies_to", "condition", "words"),
    [
        ("{asset_type: freezer, metric: temperature}", "{above: 8}", "give --site"),
        ("{point: fridge-2/temperature}", "{above: 8}", "did you mean fridge-1/temperature?"),
        ("{metric: temprature}", "{above: 8}", "did you mean temperature?"),
        ("{metric: voltage}", "{above: 8}", "no readings of any …/voltage"),
        ("{point: boiler-1/status}", "{state: fault}", "give --site, or use the number"),
    ],
)
def test_without_a_site_some_rules_cannot_be_judged(applies_to: str, condition: str, words: str) -> None:
    names = ["fridge-1/temperature", "boiler-1/status"]
    (finding,) = check_without_site(load_rules(rules(applies_to, condition), "r.yaml"), names)
    assert finding.weight is Weight.WARNING
    assert words in str(finding)


def test_without_a_site_points_metrics_and_numbers_do() -> None:
    for applies_to, condition in [
        ("{metric: temperature}", "{above: 8}"),
        ("{point: boiler-1/status}", "{state: 2}"),
        ("{point: fridge-1/temperature}", "{no_data: 15min}"),
    ]:
        found = load_rules(rules(applies_to, condition), "r.yaml")
        assert check_without_site(found, ["fridge-1/temperature", "boiler-1/status"]) == []
