"""What a change of rules may not do by itself: loosen a limit that comes from the law.

For whoever saves rules, on the page or the command line. A legal limit is locked and cited: it may be made stricter,
and its words may be edited; its number, points, levels and basis are given up only by replacing the document
with a reason that is recorded. Delays and deadbands are the site's own: no document sets them, so a change of those is
shown with what it would have hidden (`rules.compare`) and left to a person. Pure.
"""

from dataclasses import dataclass
from enum import StrEnum

from domain.catalogue import Catalogue
from domain.errors import CaretakerError, Place
from rules.matching import select
from rules.model import BasisKind, Level, Limit, Rule, RuleSet

_Given = tuple[str, ...]  # how, then the values


class Given(StrEnum):
    """How a legal limit is given up; the values beside it fill the blanks of `_SAID`."""

    REMOVED = "removed"
    BASIS = "basis"
    POINTS = "points"
    LIMIT_GONE = "limit_gone"
    LIMIT_MOVED = "limit_moved"
    CONDITION = "condition"
    PRIORITY = "priority"


_SAID = {
    Given.REMOVED: "it is removed",
    Given.BASIS: "it no longer names its legal basis",
    Given.POINTS: "it no longer judges {0}",
    Given.LIMIT_GONE: "the limit {0} {1} is gone",
    Given.LIMIT_MOVED: "the limit {0} {1} becomes {2}",
    Given.CONDITION: "a condition is changed or gone",
    Given.PRIORITY: "the priority {0} is lowered to {1}",
}


@dataclass(frozen=True, slots=True)
class Loosening:
    """One way in which the change gives up a legal limit; `place` is where the new rule stands, if it does.

    `values`: of a limit its side (`above`, `below`), what it was and what it becomes; of a priority both; the points.
    """

    rule: str
    given: Given
    values: tuple[str, ...]
    document: str
    place: Place | None = None

    @property
    def what(self) -> str:
        """What is given up, in English."""
        return _SAID[self.given].format(*self.values)

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        source = f" ({self.document})" if self.document else ""
        return f"{where}rule {self.rule!r}: {self.what}{source}"


class LegalLimitError(CaretakerError):
    """The change would loosen a legal limit; nothing was saved."""

    def __init__(self, loosenings: list[Loosening]) -> None:
        self.loosenings = loosenings
        super().__init__(
            "the change loosens a legal limit: " + "; ".join(map(str, loosenings)),
            "keep the legal rule, and add a rule of your own beside it; if the pack itself was wrong: "
            "caretaker rules apply --loosen-legal WHY",
        )


def loosenings(before: RuleSet, after: RuleSet, catalogue: Catalogue) -> list[Loosening]:
    """Every legal limit of `before` that `after` gives up at that site, in the order of `before`."""
    found: list[Loosening] = []
    for old in before.rules.values():
        if not _legal(old):
            continue
        judged = {point.name for point in select(old, catalogue)}
        new = after.rules.get(old.id)
        if new is None:
            if judged:
                found.append(_of(old, (Given.REMOVED,), None))
            continue
        place = after.places.get(old.id)
        if not _legal(new):
            found.append(_of(old, (Given.BASIS,), place))
        missing = sorted(judged - {point.name for point in select(new, catalogue)})
        if missing:
            found.append(_of(old, (Given.POINTS, ", ".join(missing)), place))
        found += [_of(old, given, place) for given in _levels(old, new)]
    return found


def _legal(rule: Rule) -> bool:
    return rule.basis is not None and rule.basis.kind is BasisKind.LEGAL


def _of(rule: Rule, given: _Given, place: Place | None) -> Loosening:
    how, *values = given
    return Loosening(rule.id, Given(how), tuple(values), rule.basis.document if rule.basis else "", place)


def _levels(old: Rule, new: Rule) -> list[_Given]:
    """For each old level: is there a new one that is true whenever it was, with the same weight at least?"""
    found: list[_Given] = []
    for level in old.levels:
        holding = [other for other in new.levels if _covers(level, other)]
        if not holding:
            found.append(_lost(level, new))
        elif all(other.priority.rank < level.priority.rank for other in holding):
            found.append((Given.PRIORITY, level.priority, max(holding, key=_rank).priority))
    return found


def _rank(level: Level) -> int:
    return level.priority.rank


def _covers(old: Level, new: Level) -> bool:
    """Whether the new level is true whenever the old one is."""
    was, now = old.condition, new.condition
    if not (isinstance(was, Limit) and isinstance(now, Limit)):
        return was == now  # no order is known between other conditions: only the same one is surely no looser
    if was.above is not None:
        return now.above is not None and now.above <= was.above
    return now.below is not None and was.below is not None and now.below >= was.below


def _lost(level: Level, new: Rule) -> _Given:
    was = level.condition
    if not isinstance(was, Limit):
        return (Given.CONDITION,)
    side = "above" if was.above is not None else "below"
    limits = [other.condition for other in new.levels if isinstance(other.condition, Limit)]
    values = [value for one in limits if (value := getattr(one, side)) is not None]
    if not values:
        return Given.LIMIT_GONE, side, f"{getattr(was, side):g}"
    nearest = min(values) if side == "above" else max(values)
    return Given.LIMIT_MOVED, side, f"{getattr(was, side):g}", f"{nearest:g}"
