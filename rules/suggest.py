"""For an alarm that cries wolf: which small change of its delays would have removed the noise and hidden nothing.

It proposes, with the backtest that shows the effect; a person decides. It never touches a limit's number: raising the
limit to stop the noise is what must not happen. Pure.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from domain.alarms import AlarmKey
from domain.catalogue import Catalogue
from domain.times import HOUR, MINUTE, format_duration
from rules.compare import Comparison, Loss, Mark, compare
from rules.model import Level, Limit, Rule, RuleSet
from rules.readings_csv import ReadingRows

LONGEST_DELAY = 4 * HOUR
_DELAY_STEPS = (10 * MINUTE, 20 * MINUTE, 30 * MINUTE, 45 * MINUTE, HOUR, 90 * MINUTE, 2 * HOUR, 3 * HOUR, 4 * HOUR)
_OFF_STEPS = (5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE)
_DEADBANDS = (0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One change of one rule in words, the rule as it would be, and what it would have done."""

    key: AlarmKey
    change: str
    rule: Rule
    effect: Comparison


def suggest(
    key: AlarmKey, rules: RuleSet, rows: ReadingRows, catalogue: Catalogue | None, marks: Sequence[Mark] = ()
) -> Suggestion | None:
    """The change that removes most nuisance and hides no real excursion; the smallest of equals.

    `rows`: readings of the points that the rules need (the alarm's point, others of its asset). None when there is no
    such rule, or no candidate removes anything without hiding something real: then the cause is not the delay.
    """
    rule = rules.rules.get(key.rule)
    if rule is None:
        return None
    best: Suggestion | None = None
    for change, candidate in _candidates(rule):
        changed = RuleSet({**rules.rules, key.rule: candidate}, rules.places)
        effect = compare(rules, changed, rows, catalogue, marks)
        removed = spared(effect)
        if effect.count(Loss.REAL) or effect.gained or not removed:
            continue
        if best is None or removed > spared(best.effect):
            best = Suggestion(key, change, candidate, effect)
    return best


def spared(effect: Comparison) -> int:
    """How many times fewer people would have been disturbed for nothing."""
    return effect.count(Loss.NUISANCE) + effect.merged


def _candidates(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """Changes from the smallest on: the clearing side first, which delays no alarm, then the delay of the raise."""
    for step in _OFF_STEPS:
        yield from _stepped(rule, "off_delay", step, lambda level, to: replace(level, off_delay=to), _off_delay)
    if any(isinstance(level.condition, Limit) for level in rule.levels):
        for deadband in _DEADBANDS:
            wider = tuple(_widened(level, deadband) for level in rule.levels)
            if wider != rule.levels:
                yield f"deadband {deadband:g}", replace(rule, levels=wider)
    for step in _DELAY_STEPS:
        yield from _stepped(rule, "on_delay", step, lambda level, to: replace(level, on_delay=to), _on_delay)


def _stepped(
    rule: Rule, word: str, step: int, with_delay: Callable[[Level, int], Level], delay_of: Callable[[Level], int]
) -> Iterator[tuple[str, Rule]]:
    """The rule with the delay of its first level at least `step`, and of later levels not shorter than they were."""
    first = rule.levels[0]
    if step <= delay_of(first) or step > LONGEST_DELAY:
        return
    levels = (with_delay(first, step), *rule.levels[1:])
    yield f"{word} {format_duration(step)}", replace(rule, levels=levels)


def _off_delay(level: Level) -> int:
    return level.off_delay


def _on_delay(level: Level) -> int:
    return level.on_delay


def _widened(level: Level, deadband: float) -> Level:
    condition = level.condition
    if not isinstance(condition, Limit) or condition.deadband >= deadband:
        return level
    return replace(level, condition=replace(condition, deadband=deadband))
