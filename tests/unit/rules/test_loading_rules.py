"""Rule files: the contract's format is read whole, and every complaint says line and remedy."""

import pytest

from domain.alarms import Priority
from domain.catalogue import Label
from domain.errors import InputError
from domain.records import Revision
from rules.loading import load_documents, load_revision, load_rules
from rules.model import Basis, BasisKind, Escalation, Level, Limit, NoData, Selector, StateIs

MIN = 60_000

# The example of the design, word for word.
DESIGN = """\
rules:
  - id: cold-storage-high
    title: {en: Cold storage too warm, zh: 冷藏温度过高}
    applies_to: {asset_type: [refrigerator, sample_fridge], metric: temperature}   # or point: fridge-1/temperature
    condition: {above: 8.0, deadband: 0.5}
    on_delay: 30min               # omitted = 0
    off_delay: 5min
    priority: high
    latching: false
    basis: {kind: legal, document: 餐饮服务食品安全操作规范 (2018 No. 12), clause: "", verified: false}
    cause: Door open, failed compressor, overloading
    consequence: Food above 8 °C must be assessed; discard after the cumulative limit
    response: Move food to another unit; record core temperature; call maintenance
    time_to_respond: 30min
    escalate: {to: [canteen_manager, maintenance], after: [0min, 15min]}
"""

LEVELS = """\
rules:
  - id: warm
    applies_to: {point: fridge-1/temperature}
    levels:
      - {above: 8.0, deadband: 0.5, on_delay: 30min, off_delay: 5min, priority: high}
      - {above: 12.0, on_delay: 10min, priority: urgent}
    max_gap: 10min
    latching: true
"""


def rule_with(lines: str) -> str:
    """A rule file of one rule; its own lines begin in line 3."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return f"rules:\n  - id: r\n{body}"


def point_rule(lines: str) -> str:
    """As `rule_with`, with a point named; the lines begin in line 4."""
    return rule_with("applies_to: {point: a/b}\n" + lines)


def refusal(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load_rules(text, "r.yaml")
    return caught.value


def test_the_example_of_the_design_is_read_whole() -> None:
    rule = load_rules(DESIGN, "r.yaml").rules["cold-storage-high"]
    assert rule.title == Label("Cold storage too warm", "冷藏温度过高")
    assert rule.applies_to == Selector(asset_types=("refrigerator", "sample_fridge"), metric="temperature")
    assert rule.levels == (Level(Limit(above=8.0, deadband=0.5), Priority.HIGH, 30 * MIN, 5 * MIN),)
    assert rule.basis == Basis(BasisKind.LEGAL, "餐饮服务食品安全操作规范 (2018 No. 12)")
    assert rule.cause == Label("Door open, failed compressor, overloading")
    assert rule.response.en.startswith("Move food")
    assert (rule.latching, rule.max_gap, rule.time_to_respond) == (False, None, 30 * MIN)
    assert rule.escalate == Escalation(("canteen_manager", "maintenance"), (0, 15 * MIN))


def test_levels_stand_instead_of_the_four_lines() -> None:
    rule = load_rules(LEVELS, "r.yaml").rules["warm"]
    assert rule.levels == (
        Level(Limit(above=8.0, deadband=0.5), Priority.HIGH, 30 * MIN, 5 * MIN),
        Level(Limit(above=12.0), Priority.URGENT, 10 * MIN, 0),
    )
    assert (rule.max_gap, rule.latching) == (10 * MIN, True)
    assert rule.title == Label("warm"), "without a title the id stands for it"


def test_only_four_lines_are_required_and_delays_default_to_zero() -> None:
    rule = load_rules(point_rule("condition: {below: -2}\npriority: low"), "r.yaml").rules["r"]
    assert rule.levels == (Level(Limit(below=-2.0), Priority.LOW),)
    assert (rule.basis, rule.cause, rule.escalate) == (None, Label(""), Escalation())


@pytest.mark.parametrize(
    ("condition", "meaning"),
    [
        ("{above: 8, deadband: 0}", Limit(above=8.0)),
        ("{below: 60.5, deadband: 1}", Limit(below=60.5, deadband=1.0)),
        ("{state: fault}", StateIs(("fault",))),
        ("{state: [fault, lockout]}", StateIs(("fault", "lockout"))),
        ("{state: 2}", StateIs((2.0,))),
        ("{state: [off, 2]}", StateIs(("off", 2.0))),
        ("{no_data: 15min}", NoData(15 * MIN)),
        ("{no_data: 1h30min}", NoData(90 * MIN)),
    ],
)
def test_every_kind_of_condition(condition: str, meaning: object) -> None:
    rule = load_rules(point_rule(f"condition: {condition}\npriority: low"), "r.yaml").rules["r"]
    assert rule.levels[0].condition == meaning


def test_advice_in_both_languages() -> None:
    text = point_rule("condition: {above: 1}\npriority: low\ncause: {en: Door, zh: 门}\nresponse: Close it")
    rule = load_rules(text, "r.yaml").rules["r"]
    assert rule.cause.in_language("zh_CN") == "门"
    assert rule.response.in_language("zh_CN") == "Close it"


def test_a_metric_without_asset_type_means_any_asset() -> None:
    text = rule_with("applies_to: {metric: temperature}\ncondition: {above: 1}\npriority: low")
    assert load_rules(text, "r.yaml").rules["r"].applies_to == Selector(metric="temperature")


def test_no_rules_is_a_set_of_none() -> None:
    assert dict(load_rules("rules: []\n", "r.yaml").rules) == {}


def test_the_order_of_the_file_is_kept_and_places_are_known() -> None:
    text = "rules:\n" + "".join(
        f"  - id: {name}\n    applies_to: {{point: a/b}}\n    condition: {{above: 1}}\n    priority: low\n"
        for name in ("z", "a", "m")
    )
    found = load_rules(text, "r.yaml")
    assert list(found.rules) == ["z", "a", "m"]
    assert [str(place) for place in found.places.values()] == ["r.yaml:2:9", "r.yaml:6:9", "r.yaml:10:9"]


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        ("condition: {above: 8}", 2, "'priority' is missing"),
        ("priority: low", 2, "neither a 'condition' nor 'levels'"),
        ("condition: {above: 8}\nprioritty: low", 5, "did you mean 'priority'?"),
        ("condition: {above: 8}\npriority: highest", 5, "did you mean 'high'?"),
        ("condition: {above: 8}\npriority: critical", 5, "use one of: low, medium, high, urgent"),
        ("condition: {abov: 8}\npriority: low", 4, "did you mean 'above'?"),
        ("condition: {above: warm}\npriority: low", 4, "'warm' is not a number"),
        ("condition: {above: .nan}\npriority: low", 4, "is not a number"),
        ("condition: {}\npriority: low", 4, "write one of: above, below, state, no_data"),
        ("condition: {above: 8, below: 2}\npriority: low", 4, "write two rules"),
        ("condition: {above: 8, deadband: -0.5}\npriority: low", 4, "must be 0 or more"),
        ("condition: {state: fault, deadband: 1}\npriority: low", 4, "a deadband belongs to a limit"),
        ("condition: {state: []}\npriority: low", 4, "there is no state"),
        ("condition: {state: ''}\npriority: low", 4, "the state has no name"),
        ("condition: {state: [a, a]}\npriority: low", 4, "stands here twice"),
        ("condition: {no_data: 0}\npriority: low", 4, "longer than zero"),
        ("condition: {no_data: 15}\npriority: low", 4, "write a unit"),
        ("condition: {no_data: 15min}\non_delay: 5min\npriority: low", 5, "write the whole time after no_data"),
        ("condition: {no_data: 15min}\noff_delay: 5min\npriority: low", 5, "leave off_delay out"),
        ("condition: {above: 8}\non_delay: 30\npriority: low", 5, "write a unit"),
        ("condition: {above: 8}\non_delay: soon\npriority: low", 5, "30min"),
        ("condition: {above: 8}\npriority: low\nlatching: maybe", 6, "neither true nor false"),
        ("condition: {above: 8}\npriority: low\nmax_gap: 0", 6, "leave it out"),
        ("condition: {above: 8}\npriority: low\ntime_to_respond: 0s", 6, "leave it out"),
        ("condition: {above: 8}\npriority: low\nbasis: {kind: law}", 6, "use one of: legal, operating"),
        ("condition: {above: 8}\npriority: low\nbasis: {kind: legal}", 6, "must name its document"),
        ("condition: {above: 8}\npriority: low\nbasis: {kind: legal, document: X, clause: '7'}", 6, "verified: true"),
        ("condition: {above: 8}\npriority: low\nescalate: {to: [a, b], after: [0min]}", 6, "one time for each of 'to'"),
        ("condition: {above: 8}\npriority: low\nescalate: {to: [a, b], after: [5min, 0min]}", 6, "must ascend"),
        ("condition: {above: 8}\npriority: low\nescalate: {to: [Boss], after: [0]}", 6, "not a valid role id"),
        ("condition: {above: 8}\npriority: low\ncause: {zh: 门}", 6, "'en' is missing"),
        ("levels: []", 4, "there is no level"),
        ("levels: [{above: 8, priority: low}]\non_delay: 5min", 5, "move 'on_delay' into each level"),
        ("levels: [{above: 8, priority: low}]\ncondition: {above: 8}", 5, "move 'condition' into each level"),
        ("levels:\n  - {above: 8}", 5, "'priority' is missing"),
        ("levels:\n  - {above: 8, priority: low}\n  - {below: 2, priority: low}", 6, "one kind and direction"),
        ("levels:\n  - {above: 8, priority: low}\n  - {state: x, priority: low}", 6, "one kind and direction"),
        ("levels:\n  - {above: 8, priority: low}\n  - {above: 7, priority: high}", 6, "ascending gravity"),
        ("levels:\n  - {below: 2, priority: low}\n  - {below: 3, priority: high}", 6, "ascending gravity"),
        ("levels:\n  - {above: 8, priority: high}\n  - {above: 9, priority: low}", 6, "highest priority last"),
        ("levels:\n  - {above: 8, priority: low}\n  - {above: 8, priority: high}", 6, "a longer on_delay"),
        ("levels:\n  - {no_data: 2h, priority: low}\n  - {no_data: 1h, priority: high}", 6, "ascending gravity"),
        ("levels:\n  - {state: [a, b], priority: low}\n  - {state: [b, a], priority: low}", 6, "a longer on_delay"),
    ],
)
def test_a_senseless_rule_is_refused_with_its_line_and_remedy(lines: str, line: int, words: str) -> None:
    error = refusal(point_rule(lines))
    assert (error.place.file, error.place.line) == ("r.yaml", line)
    assert words in str(error)


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ("{}", "'metric' is missing"),
        ("{asset_type: freezer}", "'metric' is missing"),
        ("{asset_type: fridge, metric: temperature}", "'fridge' is not known here"),
        ("{asset_type: refrigerater, metric: temperature}", "did you mean 'refrigerator'?"),
        ("{asset_type: [freezer, freezer], metric: temperature}", "name each type once"),
        ("{asset_type: freezer, metric: Temperature}", "not a valid metric id"),
        ("{point: fridge-1}", "write asset/metric"),
        ("{point: a/b, metric: b}", "a point is named already"),
        ("{points: a/b}", "did you mean 'point'?"),
        ("a/b", "expected 'key: value' lines"),
    ],
)
def test_a_selector_that_selects_nothing_is_refused(selector: str, words: str) -> None:
    error = refusal(rule_with(f"applies_to: {selector}\ncondition: {{above: 1}}\npriority: low"))
    assert error.place.line == 3
    assert words in str(error)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("rules:\n  - id: [", "not YAML"),
        ("rule: []\n", "did you mean 'rules'?"),
        ("rules: {}\n", "expected a list"),
        ("rules:\n", "expected a list"),
        ("- id: r\n", "expected 'key: value' lines"),
        ("rules:\n  - id: R\n    applies_to: {}\n", "not a valid rule id"),
        ("rules:\n  - applies_to: {}\n", "'id' is missing"),
        ("rules: []\n---\nrules: []\n", "not YAML"),
    ],
)
def test_a_file_that_is_no_rule_file(text: str, words: str) -> None:
    assert words in str(refusal(text))


def test_levels_may_repeat_a_condition_with_a_longer_delay() -> None:
    lines = "levels:\n  - {above: 8, on_delay: 1h, priority: high}\n  - {above: 8, on_delay: 2h, priority: urgent}"
    assert len(load_rules(point_rule(lines), "r.yaml").rules["r"].levels) == 2
    lines = "levels:\n  - {no_data: 1h, priority: low}\n  - {no_data: 2h, priority: low}"
    assert len(load_rules(point_rule(lines), "r.yaml").rules["r"].levels) == 2


def test_an_id_twice_names_both_places() -> None:
    text = point_rule("condition: {above: 1}\npriority: low")
    error = refusal(text + text.removeprefix("rules:\n"))
    assert error.place.line == 6
    assert "first at r.yaml:2:9" in str(error)


def test_several_documents_are_one_set_and_an_id_in_two_of_them_is_refused() -> None:
    first = point_rule("condition: {above: 1}\npriority: low")
    second = first.replace("id: r", "id: s")
    both = load_documents([("one.yaml", first), ("two.yaml", second)])
    assert list(both.rules) == ["r", "s"]
    assert str(both.places["s"]) == "two.yaml:2:9"
    with pytest.raises(InputError, match=r"two\.yaml:2:9: the rule 'r' is defined twice: first at one\.yaml:2:9"):
        load_documents([("one.yaml", first), ("two.yaml", first)])


def test_a_stored_revision_is_read_like_its_files() -> None:
    first = point_rule("condition: {above: 1}\npriority: low")
    revision = Revision("school", 3, (("one.yaml", first), ("pack:x", DESIGN)), 0, "somebody")
    assert list(load_revision(revision).rules) == ["r", "cold-storage-high"]
    assert load_revision(Revision("school", 1, (), 0, "somebody")).rules == {}


def test_equal_files_give_equal_sets_wherever_they_were_read() -> None:
    assert load_rules(DESIGN, "one.yaml") == load_rules("# moved down\n" + DESIGN, "two.yaml")
