"""docs/rules.md and docs/backtest.md: every example runs, and every key of the format is explained."""

import json
import re
from pathlib import Path

import pytest

from domain.catalogue_file import load_catalogue
from domain.errors import InputError
from rules import loading
from rules.backtest import as_line, backtest
from rules.condition_file import CONDITION_LINES
from rules.loading import load_rules
from rules.matching import Weight, check_against
from rules.packs import pack_names
from rules.readings_csv import COLUMNS, read_readings
from rules.ruletest import load_tests, run_test

ROOT = Path(__file__).parents[3]
RULES_PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
BACKTEST_PAGE = (ROOT / "docs" / "backtest.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "examples" / "rules"
SITE = load_catalogue((ROOT / "examples/school/site.yaml").read_text(encoding="utf-8"), "site.yaml")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


RULE_BLOCKS = [block for block in blocks(RULES_PAGE, "yaml") if "tests:" not in block]
TEST_BLOCKS = [block for block in blocks(RULES_PAGE, "yaml") if "tests:" in block]


@pytest.mark.parametrize("block", RULE_BLOCKS)
def test_every_example_of_the_page_is_a_rule_file_that_fits_the_example_school(block: str) -> None:
    ruleset = load_rules(block, "docs/rules.md")
    assert len(ruleset.rules) == 1
    assert [finding for finding in check_against(ruleset, SITE) if finding.weight is Weight.ERROR] == []


def from_examples(name: str) -> tuple[str, str]:
    return name, (EXAMPLES / name).read_text(encoding="utf-8")


def test_the_test_of_the_page_passes() -> None:
    (block,) = TEST_BLOCKS
    (case,) = load_tests(block, "docs/rules.md", from_examples)
    assert run_test(case) == []


def test_the_refusal_of_the_page_is_what_is_said() -> None:
    text = "rules:\n  - id: r\n    applies_to: {point: a/b}\n    condition: {abov: 8}\n    priority: low\n"
    with pytest.raises(InputError) as caught:
        load_rules(text, "r.yaml")
    assert str(caught.value) in RULES_PAGE


def test_every_key_is_in_the_table() -> None:
    keys = ("id", "applies_to", "condition", "levels", *loading._LEVEL_LINES, *loading._OTHER_LINES)
    rows = re.findall(r"^\| (`[^|]*`) \|", RULES_PAGE, re.MULTILINE)
    explained = {word for row in rows for word in re.findall(r"`([a-z_]+)`", row)}
    assert set(keys) <= explained
    for key in CONDITION_LINES:
        assert f"{key}:" in RULES_PAGE or f"`{key}`" in RULES_PAGE


def test_every_pack_is_named() -> None:
    for name in pack_names():
        assert f"| `{name}` |" in RULES_PAGE


def test_the_readings_of_the_page_give_the_line_of_the_page() -> None:
    (csv,) = blocks(BACKTEST_PAGE, "csv")
    (line,) = blocks(BACKTEST_PAGE, "json")
    rule = "rules:\n  - {id: warm, applies_to: {metric: temperature}, condition: {above: 8}, priority: high}\n"
    found = backtest(load_rules(rule, "r.yaml"), read_readings([csv.encode()], "r.csv")).transitions
    assert as_line(found[0]) == json.loads(line)
    assert list(as_line(found[0])) == list(json.loads(line)), "the order of the keys too"
    assert csv.splitlines()[0].split(",") == list(COLUMNS)
    assert [one.target.value for one in found] == ["unacknowledged", "returned-unacknowledged"]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_every_example_file_is_good(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if file.name.endswith(".test.yaml"):
        assert load_tests(text, file.name, from_examples)
    else:
        assert all(finding.weight is Weight.WARNING for finding in check_against(load_rules(text, file.name), SITE))
