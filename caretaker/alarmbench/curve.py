"""The trade-off: the same fleet under bolder and more patient rules, so that a choice can be seen and not believed.

Every delay of a rule set is multiplied; false alarms and the time to find things move against each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from caretaker.alarmbench.measure import Figures
from rules.model import Rule, RuleSet

FACTORS = (0.25, 0.5, 2.0, 4.0)  # beside the rules as they are
SHOWN_KIND = "compressor_failure"


@dataclass(frozen=True, slots=True)
class Mark:
    """One rule set on the curve: which (`packs`, `plain`), by how much its delays were multiplied, what came out."""

    rules: str
    factor: float
    false_per_month: float
    recall: float
    median_detect: float | None


def stretched(rules: RuleSet, factor: float) -> RuleSet:
    """The rules with every `on_delay` multiplied."""

    def changed(rule: Rule) -> Rule:
        return replace(
            rule, levels=tuple(replace(level, on_delay=round(level.on_delay * factor)) for level in rule.levels)
        )

    return RuleSet({name: changed(rule) for name, rule in rules.rules.items()}, rules.places)


def mark(name: str, factor: float, found: Figures) -> Mark:
    """The figures as one mark of the curve."""
    kind = found.kinds.get(SHOWN_KIND)
    return Mark(name, factor, found.false_per_month, kind.recall if kind else 0.0, kind.median_detect if kind else None)


def as_table(marks: Sequence[Mark]) -> str:
    """The curve as a Markdown table."""
    lines = [
        "| rules | delays | false alarms per asset-month | recall, compressor failure | found after |",
        "|---|---|---|---|---|",
    ]
    for each in sorted(marks, key=lambda one: (one.rules, one.factor)):
        after = "–" if each.median_detect is None else f"{each.median_detect:.0f} min"
        lines.append(f"| {each.rules} | × {each.factor:g} | {each.false_per_month:.2f} | {each.recall:.2f} | {after} |")
    return "\n".join(lines)
