"""The food section of a rule: how it is read, what is refused, and which options apply to an excursion."""

from dataclasses import replace

import pytest

from domain.errors import InputError
from domain.food import FoodOption
from domain.times import DAY, HOUR, MINUTE
from rules.food import cited, options_of, time_out
from rules.insight.excursion import ExcursionFacts
from rules.loading import load_rules
from rules.model import Basis, BasisKind, FoodStep
from rules.packs import load_pack

FACTS = ExcursionFacts(HOUR, HOUR, 0, 0, 9.0, 1, DAY, HOUR, 0, 5.0)

RULE = """
rules:
  - id: warm
    applies_to: {asset_type: refrigerator, metric: product_temperature}
    condition: {above: 5.0}
    priority: high
    food:
      - option: use_now
        when: {less_than: 4h}
        text: {en: Serve it within the 4 hours, zh: 4 小时内供应}
        basis: {kind: legal, document: FDA Food Code}
      - option: use_now
        when: {at_least: 4h, less_than: 6h, peak_at_most: 21.0}
        text: Serve it within the 6 hours
        basis: {kind: legal, document: FDA Food Code}
      - option: discard
        when: {at_least: 4h, peak_above: 21}
        text: Discard it
        basis: {kind: operating}
      - option: discard
        when: {at_least: 6h}
        text: Discard it
        basis: {kind: operating}
"""


def food() -> tuple[FoodStep, ...]:
    return load_rules(RULE, "warm.yaml").rules["warm"].food


def offered(**parts: object) -> list[tuple[FoodOption, bool]]:
    return [(one.step.option, one.certain) for one in options_of(food(), replace(FACTS, **parts))]  # type: ignore[arg-type]


def test_a_rule_without_the_section_has_no_options() -> None:
    assert load_rules(RULE.split("    food:")[0], "warm.yaml").rules["warm"].food == ()
    assert options_of((), FACTS) == ()


def test_options_are_read_with_their_bounds_texts_and_basis() -> None:
    first, second, third, last = food()
    assert (first.option, first.at_least, first.less_than) == (FoodOption.USE_NOW, 0, 4 * HOUR)
    assert (first.text.en, first.text.zh) == ("Serve it within the 4 hours", "4 小时内供应")
    assert (second.peak_at_most, third.peak_above) == (21.0, 21.0)
    assert (cited(first.basis), cited(last.basis)) == ("FDA Food Code", "")
    assert cited(Basis(BasisKind.LEGAL, "SI 2013/2996", "Sch. 4 para 5", verified=True)) == "SI 2013/2996 Sch. 4 para 5"


def test_the_time_out_of_the_limit_decides_and_a_bound_belongs_to_the_longer_side() -> None:
    assert offered() == [(FoodOption.USE_NOW, True)]
    assert offered(beyond=4 * HOUR - 1) == [(FoodOption.USE_NOW, True)]
    assert offered(beyond=4 * HOUR) == [(FoodOption.USE_NOW, True)]  # the second: its peak was 9 °C
    assert offered(beyond=6 * HOUR) == [(FoodOption.DISCARD, True)]


def test_the_peak_decides_with_it() -> None:
    assert offered(beyond=5 * HOUR, peak=21.5) == [(FoodOption.DISCARD, True)]
    assert offered(beyond=5 * HOUR, peak=21.0) == [(FoodOption.USE_NOW, True)]


def test_a_peak_that_nobody_measured_excuses_nothing() -> None:
    assert offered(beyond=5 * HOUR, peak=None) == [(FoodOption.DISCARD, True)]


def test_unknown_minutes_count_as_out_of_the_limit_and_the_option_says_so() -> None:
    assert offered(unknown=4 * HOUR, peak=22.0) == [(FoodOption.DISCARD, False)]
    assert time_out(replace(FACTS, unknown=4 * HOUR)) == 5 * HOUR


def test_earlier_minutes_of_the_same_day_add_up() -> None:
    assert time_out(replace(FACTS, window_beyond=3 * HOUR)) == 3 * HOUR
    assert time_out(replace(FACTS, beyond=30 * HOUR, window_beyond=24 * HOUR)) == 30 * HOUR


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("option: use_now", "option: eat", "eat"),
        ("less_than: 4h}", "less_than: 0s}", "less_than"),
        ("at_least: 4h, less_than: 6h", "at_least: 6h, less_than: 6h", "less_than"),
        ("at_least: 4h, peak_above: 21", "peak_at_most: 20, peak_above: 21", "peak"),
        ("option: use_now\n        when: {less_than: 4h}", "option: use", "bound in time"),
        ("        text: Serve it within the 6 hours\n", "", "text"),
        ("basis: {kind: legal, document: FDA Food Code}", "basis: {kind: legal}", "document"),
        ("basis: {kind: legal, document: FDA Food Code}",
         "basis: {kind: legal, document: FDA Food Code, clause: 3-501.19}", "verified"),
        ("when: {less_than: 4h}", "when: {longer_than: 4h}", "longer_than"),
    ],
)  # fmt: skip
def test_what_a_section_gets_wrong_is_refused_with_its_line(old: str, new: str, words: str) -> None:
    assert old in RULE
    with pytest.raises(InputError, match=words) as refused:
        load_rules(RULE.replace(old, new, 1), "warm.yaml")
    assert refused.value.place.line > 7


def test_no_option_and_too_many_are_refused() -> None:
    head = RULE.split("    food:")[0]
    with pytest.raises(InputError, match="no option"):
        load_rules(head + "    food: []\n", "warm.yaml")
    many = "      - {option: assess, text: Look, basis: {kind: operating}}\n" * 13
    with pytest.raises(InputError, match="13 options"):
        load_rules(head + "    food:\n" + many, "warm.yaml")


WITH_FOOD = {
    "cn-canteen": {
        "cold-storage-high", "cold-room-high", "cold-product-high", "cold-storage-low", "freezer-high",
        "frozen-product-high", "hot-holding-low", "hot-product-low", "cold-dish-room-high",
    },
    "us-food-code": {"us-cold-holding-high", "us-cold-food-high", "us-hot-holding-low", "us-hot-food-low"},
    "uk-food-safety": {"uk-chilled-high", "uk-chilled-food-high", "uk-hot-holding-low", "uk-hot-food-low"},
}  # fmt: skip


@pytest.mark.parametrize("pack", list(WITH_FOOD))
def test_every_rule_of_the_packs_about_food_has_an_option_for_every_excursion(pack: str) -> None:
    rules = load_pack(pack).rules
    assert WITH_FOOD[pack] <= {name for name, rule in rules.items() if rule.food}
    for rule in rules.values():
        assert all(step.text.en and step.text.zh for step in rule.food)
        for minutes in (0, 30, 119, 120, 239, 240, 359, 360, 2000) if rule.food else ():
            for peak in (None, -5.0, 9.0, 30.0):
                facts = replace(FACTS, beyond=minutes * MINUTE, window_beyond=0, peak=peak)
                assert options_of(rule.food, facts), f"{rule.id}: nothing for {minutes} min and {peak} °C"


def test_chilled_food_in_china_must_be_reheated_from_two_hours_on() -> None:
    food = load_pack("cn-canteen").rules["cold-product-high"].food
    before = options_of(food, replace(FACTS, beyond=2 * HOUR - 1, window_beyond=0))
    after = options_of(food, replace(FACTS, beyond=2 * HOUR, window_beyond=0))
    assert [one.step.option for one in before] == [FoodOption.USE_NOW]
    assert [one.step.option for one in after] == [FoodOption.REHEAT, FoodOption.DISCARD]
    assert "70 °C" in after[0].step.text.en
    assert "GB 31654-2021" in cited(after[0].step.basis)
