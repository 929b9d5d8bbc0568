"""Why an asset is warm (or its reading strange): the likeliest cause with the evidence for it, or "not sure".

For the person who stands before the asset and for whoever is called. It decides nothing: no alarm is raised, suppressed
or closed by it.

    judgement = judge_cause(columns, now)       # UTC ms
    judgement.cause                             # Cause.COMPRESSOR, or Cause.NOT_SURE
    judgement.evidence                          # named observations, the weightiest first

The method is a naive Bayes classifier over the named features of `rules.insight.features`: each feature falls into one
of a few ranges, and the table (`rules.insight.table`) says how often each range was seen under each cause. The weight
of a piece of evidence is the logarithm of how much likelier it is under this cause than under the others on the whole,
so every answer can be worked out by hand from the table. Observations that hang together would count double; the sum is
therefore halved (`TEMPER`). "Not sure" is said when the best cause is not clearly better than the next, when it does
not explain what is seen, or when too little is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from rules.insight.columns import AssetColumns, Grid, grid_of
from rules.insight.features import Feature, observe
from rules.insight.table import EDGES, LIKELIHOOD

TEMPER = 0.5
LEAST_CONFIDENCE = 0.55  # below it: not sure
LEAST_FEATURES = 5  # that must be observed
STRANGEST = -1.6  # mean log likelihood per feature, below which the best cause does not explain what is seen
COLD = ("refrigerator", "sample_fridge", "freezer", "cold_room", "cold_dish_room")


class Cause(StrEnum):
    """What can be wrong; the word stands in the API, in the table and in the docs."""

    COMPRESSOR = "compressor"  # does not start or does not cool
    POWER_CUT = "power_cut"  # the asset, or all on its board, has no electricity
    DOOR = "door"  # left open or ajar
    FAN = "fan"  # of the evaporator: the cold stays at the coil
    ICING = "icing"  # the evaporator is iced up, or its defrost does not come
    REFRIGERANT_OR_CONDENSER = "refrigerant_or_condenser"  # gas is leaking, or the condenser is fouled
    DEFROST = "defrost"  # does not end
    WARM_LOAD = "warm_load"  # much or warm food was put in
    SENSOR = "sensor"  # stuck, drifting, giving error codes, or silent while the asset is heard
    NOT_SURE = "not_sure"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation: its value (see `Feature` for the meaning) and its weight, negative when it speaks against."""

    feature: Feature
    value: float
    weight: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """`cause` with its `confidence` (0 to 1) and evidence; `ranked` are all causes, the likeliest first.

    With NOT_SURE, `confidence` and `evidence` are those of the likeliest cause, `ranked[0]`.
    """

    cause: Cause
    confidence: float
    evidence: tuple[Evidence, ...]
    ranked: tuple[tuple[Cause, float], ...]

    @property
    def likeliest(self) -> Cause:
        """The best guess, sure or not; NOT_SURE when there is none."""
        return self.ranked[0][0] if self.ranked else Cause.NOT_SURE


NOTHING = Judgement(Cause.NOT_SURE, 0.0, (), ())


def judge_cause(columns: AssetColumns, now: int) -> Judgement:
    """The likeliest cause at `now` (UTC ms). `columns` should reach back as far as `columns.LOOKBACK`."""
    return judge_cause_on(grid_of(columns, now))


def judge_cause_on(grid: Grid) -> Judgement:
    """As `judge_cause`, of columns already on their grid."""
    return NOTHING if grid.asset_type not in COLD else weigh(observe(grid))


def weigh(observed: Mapping[Feature, float]) -> Judgement:
    """The judgement that follows from the observations; NaN ones say nothing."""
    places = {feature: place_of(feature, value) for feature, value in observed.items() if not np.isnan(value)}
    if len(places) < LEAST_FEATURES:
        return NOTHING
    causes = [cause for cause in Cause if cause is not Cause.NOT_SURE]
    table = np.array([[LIKELIHOOD[cause][feature][place] for feature, place in places.items()] for cause in causes])
    score = TEMPER * table.sum(axis=1)
    share = np.exp(score - score.max())
    share /= share.sum()
    order = np.argsort(-share, kind="stable")
    best = int(order[0])
    others = np.log(np.mean(np.exp(np.delete(table, best, axis=0)), axis=0))
    evidence = tuple(
        sorted(
            (
                Evidence(feature, observed[feature], round(float(table[best, column] - others[column]), 2))
                for column, feature in enumerate(places)
            ),
            key=lambda one: -one.weight,
        )
    )
    sure = share[best] >= LEAST_CONFIDENCE and table[best].mean() >= STRANGEST
    ranked = tuple((causes[place], round(float(share[place]), 3)) for place in order.tolist())
    return Judgement(causes[best] if sure else Cause.NOT_SURE, round(float(share[best]), 3), evidence, ranked)


def place_of(feature: Feature, value: float) -> int:
    """Which of the feature's ranges the value falls into: 0 is below the first edge."""
    return int(np.searchsorted(EDGES[feature], value, side="right"))
