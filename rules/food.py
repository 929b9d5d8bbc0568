"""What may be done with food after an excursion: the `food` section of a rule, and which of its options apply.

For whoever decides about the food. The rule file says the options with their basis; this module only compares minutes
and peak. It never decides, and it counts minutes that nobody measured as minutes out of the limit.
"""

from collections.abc import Callable
from dataclasses import dataclass

from domain.catalogue_file import read_label
from domain.documents import Node
from domain.food import FoodOption
from rules.insight.excursion import ExcursionFacts
from rules.model import Basis, BasisKind, FoodStep

_WHEN = ("at_least", "less_than", "peak_at_most", "peak_above")
MOST_OPTIONS = 12


@dataclass(frozen=True, slots=True)
class Offer:
    """An option that applies; `certain` is False when it applies only because unknown minutes count as out of limit."""

    step: FoodStep
    certain: bool


def time_out(facts: ExcursionFacts) -> int:
    """The ms that food is judged by: out of the limit in the last 24 hours (or in the excursion, where that is longer),
    with what is unknown within the excursion."""
    return max(facts.window_beyond, facts.beyond) + facts.unknown


def options_of(food: tuple[FoodStep, ...], facts: ExcursionFacts) -> tuple[Offer, ...]:
    """The options that apply to these facts, in the rule's order."""
    measured, most = max(facts.window_beyond, facts.beyond), time_out(facts)
    return tuple(Offer(step, _applies(step, measured, facts.peak)) for step in food if _applies(step, most, facts.peak))


def _applies(step: FoodStep, out: int, peak: float | None) -> bool:
    if out < step.at_least or (step.less_than is not None and out >= step.less_than):
        return False
    if step.peak_at_most is not None and (peak is None or peak > step.peak_at_most):
        return False  # an unknown peak excuses nothing
    return step.peak_above is None or peak is None or peak > step.peak_above


def read_food(node: Node, read_basis: Callable[[Node], Basis]) -> tuple[FoodStep, ...]:
    """The options of a rule's `food` section. InputError says file, line and remedy."""
    items = list(node.items())
    if not items:
        raise node.error("there is no option", "write at least one, for example {option: assess, text: …}")
    if len(items) > MOST_OPTIONS:
        raise node.error(f"{len(items)} options are too many for a person in a hurry", f"give at most {MOST_OPTIONS}")
    return tuple(_step(item, read_basis) for item in items)


def _step(node: Node, read_basis: Callable[[Node], Basis]) -> FoodStep:
    parts = node.fields(("option", "text", "basis"), ("when",))
    when = parts["when"].fields((), _WHEN) if "when" in parts else {}
    least = when["at_least"].duration() if "at_least" in when else 0
    less = when["less_than"].duration() if "less_than" in when else None
    most_peak = when["peak_at_most"].number() if "peak_at_most" in when else None
    least_peak = when["peak_above"].number() if "peak_above" in when else None
    if less is not None and less <= least:
        raise when["less_than"].error("no time is both at_least and less_than these", "give less_than the longer time")
    if most_peak is not None and least_peak is not None and most_peak <= least_peak:
        raise when["peak_above"].error("no peak is above the one and at most the other", "give peak_at_most the higher")
    option = FoodOption(parts["option"].text(one_of=tuple(FoodOption)))
    if option is FoodOption.USE and less is None:
        # Food that was too warm for any time at all may never be waved through.
        raise node.error("'use' has no bound in time", "add when: {less_than: …}")
    return FoodStep(
        option, read_label(parts["text"], ""), read_basis(parts["basis"]), least, less, most_peak, least_peak
    )


def cited(basis: Basis) -> str:
    """The document and its clause; empty for the site's own practice."""
    return " ".join(part for part in (basis.document, basis.clause) if part) if basis.kind is BasisKind.LEGAL else ""
