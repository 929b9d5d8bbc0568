"""Conditions on derived series in rule files: what they read as, and what is refused with place and remedy."""

import pytest

from domain.catalogue_file import load_catalogue
from domain.errors import InputError
from domain.times import HOUR, MINUTE
from rules.loading import load_rules
from rules.matching import Weight, check_against
from rules.model import DerivedLimit
from rules.resolve import plan_of
from rules.signals.cumulative import Cumulative
from rules.signals.curve import Curve
from rules.signals.cycles import ShortCycles
from rules.signals.rate import Rate
from rules.signals.share import Duty, Mean, Unreadable
from rules.signals.stuck import Stuck

READ = {
    "{rate: {above: 6, per: 1h, over: 15min, deadband: 1}}": DerivedLimit(
        Rate(15 * MINUTE, HOUR), above=6.0, deadband=1.0
    ),
    "{rate: {below: -6, per: 1h, over: 15min}}": DerivedLimit(Rate(15 * MINUTE, HOUR), below=-6.0),
    "{stuck: {for: 2h}}": DerivedLimit(Stuck(0.0, 2 * HOUR), at_least=2 * HOUR),
    "{cumulative: {above: 8, longer_than: 2h, in: 24h}}": DerivedLimit(
        Cumulative(24 * HOUR, above=8.0), at_least=2 * HOUR
    ),
    "{cumulative: {below: 60, longer_than: 2h, in: 24h}}": DerivedLimit(
        Cumulative(24 * HOUR, below=60.0), at_least=2 * HOUR
    ),
    "{cooling: {from: 60, stages: [{to: 21, within: 2h}, {to: 8, within: 4h}]}}": DerivedLimit(
        Curve(60.0, ((21.0, 2 * HOUR), (8.0, 4 * HOUR))), at_least=1.0
    ),
    "{reheating: {to: 70, within: 2h}}": DerivedLimit(Curve(8.0, ((70.0, 2 * HOUR),)), at_least=1.0),
    "{reheating: {from: 5, to: 70, within: 2h}}": DerivedLimit(Curve(5.0, ((70.0, 2 * HOUR),)), at_least=1.0),
    "{duty: {on_above: 20, over: 2h, above: 0.9}}": DerivedLimit(Duty(2 * HOUR, 20.0), above=0.9),
    "{unreadable: {over: 30min}}": DerivedLimit(Unreadable(30 * MINUTE), above=0.5),
    "{unreadable: {over: 1h, above: 0.9}}": DerivedLimit(Unreadable(HOUR), above=0.9),
    "{mean: {over: 15min, above: 9000}}": DerivedLimit(Mean(15 * MINUTE), above=9000.0),
    "{short_cycles: {on_above: 20, shorter_than: 3min, count: 3, in: 1h}}": DerivedLimit(
        ShortCycles(20.0, 3 * MINUTE, HOUR), at_least=3
    ),
}
REFUSED = {
    "{rate: {per: 1h, over: 15min}}": "exactly one of 'above' and 'below'",
    "{rate: {above: 1, below: 0, per: 1h, over: 15min}}": "exactly one of 'above' and 'below'",
    "{rate: {above: 6, over: 15min}}": "'per' is missing",
    "{rate: {above: 6, per: 0min, over: 15min}}": "longer than zero",
    "{rate: {above: 6, per: 1h, over: 15min, deadband: -1}}": "0 or more",
    "{stuck: {for: 0min}}": "longer than zero",
    "{stuck: {for: 2h, within: -1}}": "0 or more",
    "{stuck: {for: 2h, inside: 1}}": "unknown key 'inside'",
    "{cumulative: {above: 8, longer_than: 2h, in: 1h}}": "longer than the window",
    "{cooling: {from: 60, stages: []}}": "there is no stage",
    "{cooling: {from: 60, stages: [{to: 61, within: 2h}]}}": "colder than the one before",
    "{cooling: {from: 60, stages: [{to: 21, within: 2h}, {to: 30, within: 4h}]}}": "colder than the one before",
    "{cooling: {from: 60, stages: [{to: 21, within: 2h}, {to: 8, within: 2h}]}}": "longer than the one before",
    "{reheating: {to: 5, within: 2h}}": "hotter than it starts",
    "{duty: {on_above: 20, over: 2h, above: 90}}": "between 0 and 1",
    "{unreadable: {over: 30min, above: 1}}": "less than 1",
    "{unreadable: {above: 0.5}}": "'over' is missing",
    "{unreadable: {over: 0min}}": "longer than zero",
    "{unreadable: {over: 30min, below: 0.5}}": "unknown key 'below'",
    "{short_cycles: {on_above: 20, shorter_than: 3min, count: 0, in: 1h}}": "whole number >= 1",
    "{rate: {above: 6, per: 1h, over: 15min}, above: 8}": "cannot be both 'above' and 'rate'",
    "{stuck: {for: 2h}, deadband: 1}": "a deadband belongs to a limit",
}


def one(condition: str) -> str:
    return f"rules:\n  - id: r\n    applies_to: {{metric: m}}\n    priority: low\n    condition: {condition}\n"


@pytest.mark.parametrize("condition", READ)
def test_it_reads_as(condition: str) -> None:
    assert load_rules(one(condition), "r.yaml").rules["r"].levels[0].condition == READ[condition]


@pytest.mark.parametrize("condition", REFUSED)
def test_it_is_refused_with_its_place(condition: str) -> None:
    with pytest.raises(InputError, match=REFUSED[condition]) as error:
        load_rules(one(condition), "r.yaml")
    assert str(error.value).startswith("r.yaml:5:"), "file and line"


def test_levels_of_one_signal_differ_only_in_their_limit() -> None:
    levels = "rules: [{{id: r, applies_to: {{metric: m}}, levels: [{}, {}]}}]"
    first = "{cumulative: {above: 8, longer_than: 1h, in: 24h}, priority: low}"
    rule = load_rules(levels.format(first, first.replace("1h", "2h")), "r.yaml").rules["r"]
    assert [level.limit for level in plan_of(rule, None).levels] == [HOUR, 2 * HOUR]
    with pytest.raises(InputError, match="something else"):
        load_rules(levels.format(first, "{cumulative: {above: 9, longer_than: 2h, in: 24h}, priority: low}"), "r.yaml")
    with pytest.raises(InputError, match="one kind and direction"):
        load_rules(levels.format(first, "{stuck: {for: 2h}, priority: low}"), "r.yaml")
    with pytest.raises(InputError, match="less grave"):
        load_rules(levels.format(first.replace("1h", "2h"), first), "r.yaml")


def test_levels_of_a_stuck_value_watch_as_long_as_the_longest_asks() -> None:
    text = (
        "rules: [{id: r, applies_to: {metric: m}, levels: ["
        "{stuck: {for: 2h}, priority: low}, {stuck: {for: 6h}, priority: high}]}]"
    )
    plan = plan_of(load_rules(text, "r.yaml").rules["r"], None)
    assert plan.signal == Stuck(0.0, 6 * HOUR)
    assert plan.lookback == 6 * HOUR


def test_a_state_may_rightly_stand_still() -> None:
    site = load_catalogue(
        "site: {id: s}\nareas: [{id: k}]\nassets:\n"
        "  - {id: a, type: pump, area: k, points: {m: {states: {off: 0, run: 1}}}}\n",
        "s.yaml",
    )
    findings = check_against(load_rules(one("{stuck: {for: 2h}}"), "r.yaml"), site)
    assert [finding.weight for finding in findings] == [Weight.ERROR]
    assert "a/m is a state, and stuck needs a measured value" in findings[0].message
