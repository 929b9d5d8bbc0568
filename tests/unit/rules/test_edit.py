"""A rule is changed in the text of its file, and nothing else moves: not a comment, not another rule."""

import pytest

from domain.errors import CaretakerError, InputError, NotFoundError
from rules.edit import OWN, Documents, Field, Kind, suggested, with_added, with_rule, with_values, written
from rules.loading import load_documents
from rules.model import DerivedLimit, Limit
from rules.packs import load_pack_text, pack_names
from rules.signals.cumulative import Cumulative

OWN_RULES = """\
# what we watch ourselves 冷藏
rules:
  - id: cold-high
    title: {en: Too warm, zh: 温度过高}
    applies_to: {asset_type: refrigerator, metric: temperature}
    condition: {above: 8.0}   # by the book
    # quick enough for us
    off_delay: 5min
    priority: high # never lower
  - id: warm-in-all
    applies_to: {metric: temperature}
    condition: {cumulative: {above: 8.0, longer_than: 2h, in: 24h}}
    priority: urgent
  # the machine
  - id: stepped
    applies_to: {point: fridge-1/power}
    levels:
      - above: 100
        priority: low
      - {above: 200, on_delay: 1h, priority: high}
"""
DOCUMENTS = (("own-rules.yaml", OWN_RULES), ("pack:facility-basic", load_pack_text("facility-basic")))


def fields_of(documents: Documents, rule: str) -> tuple[Field, ...]:
    return written(documents)[rule].fields


def text_of(documents: Documents, rule: str) -> str:
    return written(documents)[rule].text


def changed_lines(before: str, after: str) -> list[str]:
    old, new = before.splitlines(), after.splitlines()
    return [line.strip() for line in new if line not in old]


def test_what_a_form_may_change_is_every_number_length_and_priority() -> None:
    found = {field.name: (field.kind, field.text, field.level) for field in fields_of(DOCUMENTS, "cold-high")}
    assert found == {
        "condition.above": (Kind.NUMBER, "8.0", 0),
        "condition.deadband": (Kind.NUMBER, "", 0),
        "on_delay": (Kind.DURATION, "", 0),
        "off_delay": (Kind.DURATION, "5min", 0),
        "priority": (Kind.PRIORITY, "high", 0),
    }
    assert [(field.name, field.word, field.text) for field in fields_of(DOCUMENTS, "warm-in-all")][:3] == [
        ("condition.cumulative.above", "above", "8.0"),
        ("condition.cumulative.longer_than", "longer_than", "2h"),
        ("condition.cumulative.in", "in", "24h"),
    ]
    assert [field.name for field in fields_of(DOCUMENTS, "stepped")] == [
        f"levels.{level}.{word}"
        for level in (0, 1)
        for word in ("above", "deadband", "on_delay", "off_delay", "priority")
    ]  # fmt: skip


def test_a_changed_limit_keeps_its_comments_and_every_other_letter() -> None:
    (_, after), (_, pack) = with_values(
        DOCUMENTS, "cold-high", {"condition.above": "7,5", "on_delay": "30min", "condition.deadband": "0.5"}
    )
    assert changed_lines(OWN_RULES, after) == [
        "condition: {above: 7.5, deadband: 0.5}   # by the book",
        "on_delay: 30min",
    ]
    assert "on_delay: 30min\n    priority: high # never lower" in after
    assert pack == DOCUMENTS[1][1]
    level = load_documents([("x", after)]).rules["cold-high"].levels[0]
    assert (level.condition, level.on_delay, level.off_delay) == (Limit(above=7.5, deadband=0.5), 1_800_000, 300_000)


def test_levels_and_derived_conditions_are_changed_where_they_stand() -> None:
    after = with_values(
        DOCUMENTS, "stepped", {"levels.0.on_delay": "10min", "levels.0.deadband": "5", "levels.1.off_delay": "2min"}
    )
    first, second = load_documents(after).rules["stepped"].levels
    assert (first.on_delay, first.condition) == (600_000, Limit(above=100.0, deadband=5.0))
    assert (second.on_delay, second.off_delay) == (3_600_000, 120_000)
    after = with_values(DOCUMENTS, "warm-in-all", {"condition.cumulative.longer_than": "90min"})
    condition = load_documents(after).rules["warm-in-all"].levels[0].condition
    assert isinstance(condition, DerivedLimit)
    assert isinstance(condition.signal, Cumulative)
    assert changed_lines(OWN_RULES, after[0][1]) == [
        "condition: {cumulative: {above: 8.0, longer_than: 90min, in: 24h}}"
    ]


def test_an_empty_delay_is_none_and_what_is_the_same_changes_nothing() -> None:
    assert with_values(DOCUMENTS, "cold-high", {"condition.above": "8.0", "on_delay": " "}) == DOCUMENTS
    after = with_values(DOCUMENTS, "cold-high", {"off_delay": ""})
    assert load_documents(after).rules["cold-high"].levels[0].off_delay == 0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("condition.above", "warm", "no number"),
        ("on_delay", "half an hour", "no duration"),
        ("priority", "grave", "no priority"),
        ("latching", "true", "has no value 'latching'"),
        ("condition.above", "", "no number"),
    ],
)
def test_what_is_no_number_length_or_priority_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(CaretakerError, match=said) as refused:
        with_values(DOCUMENTS, "cold-high", {name: value})
    assert refused.value.remedy


def test_what_the_file_cannot_mean_is_refused_with_file_and_line() -> None:
    with pytest.raises(InputError, match=r"own-rules\.yaml:.*less grave"):
        with_values(DOCUMENTS, "stepped", {"levels.1.above": "50"})


def test_the_whole_rule_is_shown_at_the_left_edge_and_written_back_where_it_was() -> None:
    text = text_of(DOCUMENTS, "cold-high")
    assert text.splitlines()[0] == "id: cold-high"
    assert "\n# quick enough for us\noff_delay: 5min\npriority: high # never lower" in text
    assert "warm-in-all" not in text
    assert with_rule(DOCUMENTS, "cold-high", text + "\r\n") == DOCUMENTS
    last = text_of(DOCUMENTS, "stepped")
    assert last.endswith("  - {above: 200, on_delay: 1h, priority: high}")
    assert with_rule(DOCUMENTS, "stepped", last) == DOCUMENTS
    after = with_rule(DOCUMENTS, "cold-high", text.replace("high # never lower", "urgent\nlatching: true"))
    assert load_documents(after).rules["cold-high"].latching
    assert after[0][1].count("\n") == OWN_RULES.count("\n") + 1


@pytest.mark.parametrize(
    "text",
    [
        "id: other\napplies_to: {metric: temperature}\ncondition: {above: 1}\npriority: low",
        "id: cold-high\napplies_to: {metric: temperature}\ncondition: {above: 1}\npriority: low\n"
        "- id: warm-in-all\n  applies_to: {metric: temperature}\n  condition: {above: 1}\n  priority: low",
    ],
)
def test_one_rule_is_changed_at_a_time(text: str) -> None:
    with pytest.raises(InputError, match=r"own-rules\.yaml"):
        with_rule(DOCUMENTS, "cold-high", text)


def test_every_rule_of_every_pack_can_be_shown_written_back_and_changed() -> None:
    for name in pack_names():
        documents = ((f"pack:{name}", load_pack_text(name)),)
        for number, (rule, shown) in enumerate(written(documents).items()):
            assert shown.fields
            if number % 5 == 0:  # reading a pack costs: the change itself is tried on some
                assert with_rule(documents, rule, shown.text) == documents
                after = load_documents(with_values(documents, rule, {shown.fields[-1].name: "urgent"}))
                assert after.rules[rule].levels[-1].priority == "urgent"


def test_a_rule_of_ones_own_goes_into_a_file_of_ones_own() -> None:
    one = "id: mine\napplies_to: {metric: temperature}\ncondition: {above: 7}\npriority: low"
    once = with_added(DOCUMENTS, one)
    assert once[:-1] == DOCUMENTS
    assert once[-1][0] == OWN
    listed = "- id: mine-2\n  applies_to: {metric: temperature}\n  condition: {above: 6}\n  priority: low\n"
    twice = with_added(once, listed)
    assert list(load_documents(twice).rules)[-2:] == ["mine", "mine-2"]
    with pytest.raises(InputError, match="defined twice"):
        with_added(twice, one)
    with_section = (
        *DOCUMENTS,
        (OWN, f"{twice[-1][1]}incidents:\n  - {{id: all, cause: {{rule: mine}}, gathers: site}}\n"),
    )
    assert list(load_documents(with_added(with_section, one.replace("mine", "mine-3"))).incidents)[-1] == "all"


def test_a_suggestion_is_words_for_the_fields_that_it_sets() -> None:
    cold, stepped = fields_of(DOCUMENTS, "cold-high"), fields_of(DOCUMENTS, "stepped")
    assert suggested(cold, "on_delay 45min") == {"on_delay": "45min"}
    assert suggested(stepped, "off_delay 20min") == {"levels.0.off_delay": "20min"}
    assert suggested(stepped, "deadband 1.5") == {"levels.0.deadband": "1.5", "levels.1.deadband": "1.5"}
    assert suggested(cold, "above 99") == {}


def test_a_rule_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        with_rule(DOCUMENTS, "nobody", "id: nobody")
