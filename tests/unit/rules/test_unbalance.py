"""Phases loaded unequally: what is said of three currents of one asset, and what a rule file may say."""

import pytest

from domain.alarms import AlarmEvent
from domain.batch import batch_of
from domain.catalogue_file import load_catalogue
from domain.errors import InputError
from domain.readings import Reading
from domain.times import MINUTE
from rules.backtest import backtest
from rules.engine import Engine
from rules.loading import load_rules
from rules.matching import check_against
from rules.model import DerivedLimit
from rules.ruletest import load_tests, run_test
from rules.signals.unbalance import Unbalance, percent
from tests.unit.rules.signal_stories import T0, readings

SITE_TEXT = """\
site: {id: s, commissioned_at: 1970-01-01T00:00:00Z}
areas: [{id: k}]
assets:
  - id: board
    type: distribution_board
    area: k
    points:
      current_l1: {unit: A, interval: 60s}
      current_l2: {unit: A, interval: 60s}
      current_l3: {unit: A, interval: 60s}
      temperature: {unit: Cel, interval: 60s}
  - {id: small, type: distribution_board, area: k, points: {current_l1: {unit: A, interval: 60s}}}
"""
SITE = load_catalogue(SITE_TEXT, "s.yaml")
CONDITION = "unbalance: {of: [current_l1, current_l2, current_l3], above_percent: 10, deadband: 2}"
PHASES = ("current_l1", "current_l2", "current_l3")


def text(condition: str = f"{{{CONDITION}}}", more: str = "") -> str:
    return f"rules: [{{id: r, applies_to: {{metric: current_l1}}, condition: {condition}, priority: high{more}}}]"


def engine_with(rules: str) -> Engine:
    engine = Engine("s")
    engine.set_rules(SITE, load_rules(rules, "r.yaml"), T0)
    return engine


def rows_of(*values: str) -> list[Reading]:
    return [
        Reading(f"board/{phase}", row.time, row.value, row.quality)
        for phase, words in zip(PHASES, values, strict=False)
        for row in readings(words)
    ]


def minutes(events: list[AlarmEvent]) -> list[tuple[float, str, str]]:
    return [((event.at - T0) / MINUTE, event.kind.value, event.reason.value) for event in events]


def told(*values: str, rules: str | None = None) -> list[tuple[float, str, str]]:
    rows = rows_of(*values)
    end = max(row.time for row in rows) + 1
    engine = engine_with(text() if rules is None else rules)
    return minutes(engine.feed(batch_of("s", end, rows, agent="a", upto=end)))


def test_it_is_the_largest_deviation_over_the_mean() -> None:
    assert percent((10.0, 10.0, 10.0), 1.0) == 0.0
    assert percent((12.0, 10.0, 8.0), 1.0) == pytest.approx(20.0)
    assert percent((450.0, 460.0, 470.0), 1.0) == pytest.approx(100 * 10 / 460)
    assert percent((10.0, 10.0, 4.0), 1.0) == pytest.approx(50.0), "downwards too"


def test_of_no_load_nothing_is_known() -> None:
    assert percent((0.0, 0.0, 0.0), 0.0) != percent((0.0, 0.0, 0.0), 0.0)
    assert percent((1.5, 0.9, 0.6), 1.0) != percent((1.5, 0.9, 0.6), 1.0), "a mean of exactly 1 is not above it"
    assert told("0.2x10", "0.6x10", "0x10") == []


def test_an_oven_on_one_phase_raises_and_its_end_clears() -> None:
    said = told("10x5 16x5 10x5", "10x15", "10x15")
    assert said == [(5, "raise", "unbalanced"), (10, "clear", "condition_over")]


def test_it_clears_beyond_the_deadband_only() -> None:
    # 9 % is within the limit, 6.25 % is within the deadband's clearing limit of 8 % too.
    said = told("16x5 11x5 10.4x5", "10x5 9.5x5 10x5", "10x5 9.7x5 9x5".replace("9x5", "10x5"))
    assert said == [(0, "raise", "unbalanced"), (10, "clear", "condition_over")]


def test_phases_that_change_at_one_moment_do_not_flicker() -> None:
    assert told("10x5 20x5", "10x5 20x5", "10x5 20x5") == []


def test_one_unknown_phase_makes_it_unknown() -> None:
    assert told("16x10", "10x10") == [], "the third was never seen"
    assert told("10x5 16x5", "10x10", "10x2 !x8") == [], "a bad reading says nothing"
    assert told("10x8 16x12", "10x20", "10x3 _x17") == [], "it counts for three intervals"


def test_an_alarm_stays_while_a_phase_is_unknown() -> None:
    said = told("16x5 10x15", "10x20", "10x4 _x11 10x5")
    assert said == [(0, "raise", "unbalanced"), (5, "clear", "condition_over")], "known until minute 6"
    said = told("16x8 10x12", "10x20", "10x4 _x11 10x5")
    assert said == [(0, "raise", "unbalanced"), (15, "clear", "condition_over")], "unknown from 6 to 15"


def test_unknown_time_adds_nothing_to_the_delay() -> None:
    said = told("16x30", "10x30", "10x4 _x6 10x20", rules=text(more=", on_delay: 8min"))
    assert said == [(12, "raise", "unbalanced")], "6 known minutes, 4 unknown, 2 more"


def test_a_phase_that_comes_late_is_judged_as_if_on_time() -> None:
    rules = text(more=", on_delay: 3min")
    engine, end = engine_with(rules), T0 + 20 * MINUTE
    rows = rows_of("10x5 16x8 10x8", "10x21", "10x21")
    late = [row for row in rows if row.point == "board/current_l3"]
    first = engine.feed(batch_of("s", end, [row for row in rows if row not in late], agent="a", upto=end))
    assert minutes(first) == []
    events = engine.feed(batch_of("s", end + 1, late, agent="a", upto=end + 1)) + engine.review(end + 1)[1]
    assert minutes(events) == [(8, "raise", "unbalanced"), (13, "clear", "condition_over")]


def test_a_restart_in_between_changes_nothing() -> None:
    slow = " ".join(["10 _x2"] * 7)  # the third phase speaks every three minutes only
    rows = sorted(rows_of("10x5 16x8 10x8", "10x21", slow), key=lambda row: row.time)
    whole, first, second = (engine_with(text(more=", on_delay: 3min")) for _ in range(3))
    end, cut = T0 + 21 * MINUTE, T0 + 7 * MINUTE + 1
    said = whole.feed(batch_of("s", end, rows, agent="a", upto=end))
    before = first.feed(batch_of("s", cut, [row for row in rows if row.time < cut], agent="a", upto=cut))
    second.restore(first.snapshot())
    after = second.feed(batch_of("s", end, [row for row in rows if row.time >= cut], agent="a", upto=end))
    assert len(said) == 2
    assert minutes(before + after) == minutes(said)
    assert second.snapshot() == whole.snapshot()


def test_it_combines_with_others_and_a_mask_holds_it_back() -> None:
    warm = f"{{all: [{{{CONDITION}}}, {{metric: temperature, above: 40}}]}}"
    rows = [*rows_of("16x10", "10x10", "10x10"), *_temperature("30x4 50x6")]
    engine = engine_with(text(warm))
    end = T0 + 10 * MINUTE
    assert minutes(engine.feed(batch_of("s", end, rows, agent="a", upto=end))) == [(4, "raise", "conditions_met")]
    masked = engine_with(text(more=", mask: {when: {metric: temperature, below: 40}}"))
    assert minutes(masked.feed(batch_of("s", end, rows, agent="a", upto=end))) == [(4, "raise", "unbalanced")]


def _temperature(values: str) -> list[Reading]:
    return [Reading("board/temperature", row.time, row.value, row.quality) for row in readings(values)]


def test_an_asset_that_lacks_a_phase_is_not_judged_and_the_check_says_so() -> None:
    ruleset = load_rules(text(), "r.yaml")
    found = [finding.message for finding in check_against(ruleset, SITE)]
    assert found == [
        "it is not judged at small/current_l1: small has no current_l2",
        "it is not judged at small/current_l1: small has no current_l3",
    ]


def test_a_backtest_and_a_rule_test_say_the_same() -> None:
    test = """\
rules: r.yaml
site: s.yaml
tests:
  - name: an oven on one phase
    series:
      - {point: board/current_l1, values: 10x5 16x5 10x5}
      - {point: board/current_l2, values: 10x15}
      - {point: board/current_l3, values: 10x15}
    transitions:
      - {at: 5min, rule: r, point: board/current_l1, to: unacknowledged, reason: unbalanced, value: 16}
      - {at: 10min, rule: r, to: returned-unacknowledged, reason: condition_over}
"""
    files = {"r.yaml": text(), "s.yaml": SITE_TEXT}
    (case,) = load_tests(test, "t.yaml", lambda name: (name, files[name]))
    assert run_test(case) == []
    assert len(backtest(case.rules, case.rows).transitions) == 2, "without a site the metrics are taken by name"


def test_it_reads_as() -> None:
    level = load_rules(text(), "r.yaml").rules["r"].levels[0]
    assert level.condition == DerivedLimit(Unbalance(PHASES, 1.0), above=10.0, deadband=2.0)


REFUSED = {
    "{unbalance: {of: [current_l1], above_percent: 2}}": "at least two metrics",
    "{unbalance: {of: [current_l1, current_l1], above_percent: 2}}": "stands here twice",
    "{unbalance: {of: [current_l1, current_l2], above_percent: -2}}": "0 or more",
    "{unbalance: {of: [current_l1, current_l2], above_percent: 2, least_mean: -1}}": "0 or more",
    "{unbalance: {of: [current_l1, Current L2], above_percent: 2}}": "metric",
    "{not: {unbalance: {of: [a, b], above_percent: 2}, metric: a}}": "names its metrics itself",
    "{unbalance: {of: [current_l1, current_l2]}}": "'above_percent' is missing",
}


@pytest.mark.parametrize("condition", REFUSED)
def test_it_is_refused_with_its_place(condition: str) -> None:
    with pytest.raises(InputError, match=REFUSED[condition]) as error:
        load_rules(text(condition), "r.yaml")
    assert str(error.value).startswith("r.yaml:1:")
