"""Excursions as people and programs look at them: figures from the stored readings, options, decisions.

Worked out on each look, so late readings are in it; only decisions are stored. Bounded: readings are taken by the
minute where an excursion is long, and a list shows at most `MOST_LISTED`.
"""

from dataclasses import asdict, dataclass

import msgspec
import numpy as np

from api.knowledge import SiteKnowledge
from api.operations import Operations, Span
from domain.alarms import FoodFate
from domain.catalogue import Point
from domain.errors import NotFoundError
from domain.food import FoodDecision, FoodOption
from domain.readings import QualityCode
from domain.records import Excursion
from domain.times import DAY, MINUTE
from domain.units import Quantity
from rules.food import Offer, options_of
from rules.insight.columns import Column, column_of
from rules.insight.excursion import DEFAULT_GAP, WINDOW, ExcursionFacts, facts_of
from rules.model import Limit, Rule

MOST_LISTED = 100
MOST_RAW = (
    20_000  # readings; beyond, the lowest and highest of each minute would no longer matter to a minute's figures
)
LONGEST = 40 * DAY  # of one excursion that is looked at; of a longer one the newest part


@dataclass(frozen=True, slots=True)
class ExcursionView:
    """One excursion: `limit` and `facts` are None where its rule is gone or judges no plain limit."""

    excursion: Excursion
    rule: Rule | None
    limit: Limit | None
    facts: ExcursionFacts | None
    offers: tuple[Offer, ...]
    decisions: tuple[FoodDecision, ...]
    at: int

    @property
    def decision(self) -> FoodDecision | None:
        """The decision that stands; None while nobody has decided."""
        return self.decisions[-1] if self.decisions else None

    @property
    def concerns_food(self) -> bool:
        """Whether somebody has to decide about food: the rule says so by its options."""
        return self.rule is not None and bool(self.rule.food)


class Excursions:
    """Operations on excursions; safe to call from several threads when the stores are."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def listed(self, site: str, point: str | None, span: Span) -> list[tuple[Excursion, FoodDecision | None]]:
        """The newest excursions that overlap the span, with the decision that stands."""
        found = self._operations.excursions(site, point, span)
        newest = sorted(found, key=lambda one: (one.start, one.id), reverse=True)[:MOST_LISTED]
        made = self._operations.console.food_decisions(site, [one.id for one in newest])
        standing = {decision.excursion: decision for decision in made}
        return [(one, standing.get(one.id)) for one in newest]

    def one(self, site: str, number: int) -> ExcursionView:
        """One excursion with its figures now, or NotFoundError."""
        known, now = self._operations.site(site), self._operations.clock()
        found = self._operations.console.excursion(site, number)
        if found is None:
            raise NotFoundError(f"the site {site!r} has no excursion {number}", "list them: …/excursions")
        rule = known.rules.rules.get(found.rule)
        limit = known.limit(found.rule, 0)
        facts = None if limit is None else self._facts(known, found, limit, now)
        offers = () if facts is None or rule is None else options_of(rule.food, facts)
        decisions = tuple(self._operations.console.food_decisions(site, [number]))
        return ExcursionView(found, rule, limit, facts, offers, decisions, now)

    def decide(
        self, site: str, number: int, option: FoodOption, fate: FoodFate, by: str, note: str, supersedes: int | None
    ) -> FoodDecision:
        """Record what a person decides, with the figures of now. NotFoundError or ConflictError change nothing."""
        view = self.one(site, number)
        seen = {
            "facts": None if view.facts is None else asdict(view.facts),
            "offers": [str(offer.step.option) for offer in view.offers],
        }
        text = msgspec.json.encode(seen).decode()
        decision = FoodDecision(site, number, option, fate, by, view.at, note, text)
        return self._operations.console.decide_food(decision, supersedes)

    def _facts(self, known: SiteKnowledge, one: Excursion, limit: Limit, now: int) -> ExcursionFacts:
        point = known.catalogue.by_name.get(one.point)
        gap = _max_gap(point, known.rules.rules.get(one.rule))
        end = now if one.end is None else one.end
        begin = max(min(one.start, end - WINDOW) - gap, end - LONGEST)
        column = self._column(known.catalogue.site, one.point, begin, end + 1, limit)
        temperature = point is not None and point.unit.quantity is Quantity.TEMPERATURE
        return facts_of(column, limit, one.start, end, gap, temperature=temperature)

    def _column(self, site: str, point: str, start: int, end: int, limit: Limit) -> Column:
        series = self._operations.series.read(site, point, start, end, MOST_RAW)
        if len(series.time) < MOST_RAW:
            return column_of(series)
        # Of each minute, the value farthest out: a minute counts as out of limit when any of its readings is.
        windows = self._operations.series.window(site, point, start, end, MINUTE)
        value = windows.high if limit.above is not None else windows.low
        bad = np.where(windows.count == 0, np.uint8(QualityCode.BAD), np.uint8(QualityCode.GOOD))
        return Column(windows.start, value, bad)


def _max_gap(point: Point | None, rule: Rule | None) -> int:
    if rule is not None and rule.max_gap is not None:
        return rule.max_gap
    return DEFAULT_GAP if point is None or point.interval is None else 3 * point.interval
