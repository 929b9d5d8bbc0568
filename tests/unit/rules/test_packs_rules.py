"""The rule packs: they load, fit the example school, cite only what was read, and keep the promised limits."""

from pathlib import Path

import pytest

from domain.alarms import Priority
from domain.catalogue_file import load_catalogue
from domain.errors import CaretakerError
from domain.times import HOUR, MINUTE
from rules.loading import load_documents
from rules.matching import Weight, check_against
from rules.model import BasisKind, Level, Limit, NoData, Rule, StateIs
from rules.packs import load_pack, load_pack_text, pack_names, pack_summary

ROOT = Path(__file__).parents[3]
SITE = load_catalogue((ROOT / "examples/school/site.yaml").read_text(encoding="utf-8"), "site.yaml")
PACKS = ("cn-canteen", "cold-machines", "facility-basic", "uk-food-safety", "us-food-code")
RULES = [rule for name in PACKS for rule in load_pack(name).rules.values()]

# Clauses whose wording was read in the primary text, and nothing else, may be printed.
READ_CLAUSES = {
    ("FDA Food Code", "3-501.16"),
    ("SI 2013/2996", "Sch. 4 para 2"),
    ("SI 2013/2996", "Sch. 4 para 6"),
}
READ_DOCUMENTS = {"FDA Food Code", "SI 2013/2996", "GB 50116"}


def limit_of(rule: Rule) -> tuple[float | None, float | None]:
    condition = rule.levels[0].condition
    assert isinstance(condition, Limit)
    return condition.above, condition.below


def test_there_are_five_packs_with_a_line_of_what_they_are_for() -> None:
    assert pack_names() == PACKS
    assert pack_summary("cn-canteen").startswith("School canteens in China")
    assert all(len(pack_summary(name)) > 30 for name in PACKS)


def test_an_unknown_pack_suggests_the_nearest() -> None:
    with pytest.raises(CaretakerError, match="did you mean 'cn-canteen'"):
        load_pack("cn-kanteen")
    with pytest.raises(CaretakerError, match="packs: cn-canteen, cold-machines, facility-basic"):
        load_pack_text("../loading")


def test_all_packs_together_are_one_set() -> None:
    together = load_documents([(f"pack:{name}", load_pack_text(name)) for name in PACKS])
    assert len(together.rules) == len(RULES)


@pytest.mark.parametrize("name", PACKS)
def test_no_rule_of_a_pack_is_wrong_for_the_example_school(name: str) -> None:
    findings = check_against(load_pack(name), SITE)
    assert [finding for finding in findings if finding.weight is Weight.ERROR] == []
    silent = {finding.rule for finding in findings}
    assert silent <= {
        "hot-product-low",
        "us-hot-food-low",
        "uk-hot-food-low",
        "kitchen-co2-high",
        "residual-current-high",
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_tells_a_kitchen_what_to_do_in_both_languages(rule: Rule) -> None:
    for label in (rule.title, rule.cause, rule.consequence, rule.response):
        assert label.en
        assert label.zh
        assert label.zh != label.en
    assert rule.time_to_respond is not None, "an alarm that nobody must answer in time is not an alarm"
    assert rule.basis is not None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_no_clause_is_printed_that_was_not_read(rule: Rule) -> None:
    assert rule.basis is not None
    if rule.basis.clause:
        assert (rule.basis.document, rule.basis.clause) in READ_CLAUSES
    assert rule.basis.verified == (rule.basis.document in READ_DOCUMENTS)
    if rule.basis.kind is BasisKind.OPERATING:
        assert not rule.basis.clause


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_limit_has_a_deadband_and_a_delay_against_chattering(rule: Rule) -> None:
    for level in rule.levels:
        if isinstance(level.condition, Limit):
            assert level.condition.deadband > 0
            assert level.on_delay >= MINUTE
            assert level.off_delay >= MINUTE
        if isinstance(level.condition, NoData):
            assert level.condition.delay >= 15 * MINUTE


def test_the_limits_of_each_country() -> None:
    limits = {rule.id: limit_of(rule) for rule in RULES if isinstance(rule.levels[0].condition, Limit)}
    assert limits["cold-room-high"] == limits["cold-product-high"] == (8.0, None)
    assert limits["cold-storage-low"] == (None, 0.0)
    assert limits["freezer-high"] == limits["frozen-product-high"] == (-12.0, None)
    assert limits["hot-holding-low"] == limits["hot-product-low"] == (None, 60.0)
    assert limits["cold-dish-room-high"] == (25.0, None)
    assert limits["us-cold-holding-high"] == limits["us-cold-food-high"] == (5.0, None)
    assert limits["us-hot-holding-low"] == limits["us-hot-food-low"] == (None, 57.0)
    assert limits["uk-chilled-high"] == limits["uk-chilled-food-high"] == (8.0, None)
    assert limits["uk-hot-holding-low"] == limits["uk-hot-food-low"] == (None, 63.0)
    assert limits["kitchen-co2-high"] == (2800.0, None)
    assert limits["supply-voltage-high"] == (pytest.approx(220 * 1.07), None)
    assert limits["supply-voltage-low"] == (None, pytest.approx(220 * 0.9))


def test_the_rules_that_the_demonstration_shows_are_as_the_design_has_them() -> None:
    cold = load_pack("cn-canteen").rules["cold-storage-high"]
    assert cold.levels == (Level(Limit(above=8.0, deadband=0.5), Priority.HIGH, 30 * MINUTE, 5 * MINUTE),)
    assert cold.applies_to.asset_types == ("refrigerator", "sample_fridge")
    facility = load_pack("facility-basic").rules
    for name in ("boiler-fault", "pump-fault"):
        assert facility[name].levels == (Level(StateIs(("fault",)), Priority.HIGH),)


def test_a_freezers_air_may_be_warm_for_longer_than_a_defrost() -> None:
    """Humps of 27 to 42 minutes are the life of a healthy freezer."""
    assert load_pack("cn-canteen").rules["freezer-high"].levels[0].on_delay > 42 * MINUTE


def test_the_second_level_on_food_ends_its_time_out_of_limit() -> None:
    delays = {rule.id: rule.levels[-1].on_delay for rule in RULES if len(rule.levels) == 2}
    assert delays["cold-product-high"] == delays["hot-holding-low"] == delays["uk-hot-holding-low"] == 2 * HOUR
    assert delays["us-cold-food-high"] == delays["uk-chilled-food-high"] == 4 * HOUR
