"""What the API answers about time left, causes, excursions and food: part of the contract of `/openapi.json`."""

from pydantic import Field

from api.models import ExcursionModel, Model, Text, Time
from domain.alarms import FoodFate
from domain.food import FoodOption
from domain.ids import ID_PATTERN
from rules.insight.causes import Cause
from rules.insight.features import Feature
from rules.insight.thermal import Quantity


class TimeLeftModel(Model):
    """How long until a temperature passes its limit if nothing is done."""

    quantity: Quantity
    limit: float = Field(description="°C")
    minutes: float
    low: float = Field(description="minutes; the truth lies between low and high four times in five")
    high: float | None = Field(description="minutes; null: more than a day")
    learned: bool = Field(description="false: typical figures stand in for the asset's own past")


class EvidenceModel(Model):
    """One observation: see docs/insight.md and rules/insight/features.py for its unit."""

    feature: Feature
    value: float
    weight: float = Field(description="logarithm of the likelihood against the other causes; negative speaks against")


class RankedModel(Model):
    """One cause with its share of the whole."""

    cause: Cause
    share: float


class InsightModel(Model):
    """What can be said of a cold asset besides its alarms."""

    at: Time | None = Field(description="null: nothing is said of assets of this type")
    act_within_min: float | None = Field(description="the least that the estimates allow")
    time_left: list[TimeLeftModel]
    cause: Cause | None = Field(description="null while the asset is not warm")
    ranked: list[RankedModel]
    evidence: list[EvidenceModel]


class FactsModel(Model):
    """Figures of one excursion; times in ms."""

    lasted_ms: int
    beyond_ms: int = Field(description="measured out of the limit")
    within_ms: int
    unknown_ms: int = Field(description="not measured")
    peak: float | None
    peak_at: Time | None
    day_beyond_ms: int = Field(description="out of the limit in the 24 hours that end with the excursion")
    day_unknown_ms: int
    kinetic: float | None = Field(description="mean kinetic temperature of these hours: information, no food pass")


class OfferModel(Model):
    """An option that the rule gives."""

    option: FoodOption
    text: Text
    basis: str = Field(description="document and verified clause; empty: the site's own practice")
    certain: bool = Field(description="false: it applies because unknown time counts as out of the limit")


class DecisionModel(Model):
    """What a person decided about the food."""

    id: int
    option: FoodOption
    fate: FoodFate
    by: str
    at: Time
    note: str


class ExcursionDetail(ExcursionModel):
    """One excursion with its figures as of now, its options and its decisions, the one that stands last."""

    facts: FactsModel | None
    offers: list[OfferModel]
    decisions: list[DecisionModel]


class Decide(Model):
    """What a person decides. `supersedes`: id of the decision seen to stand, null when there was none."""

    option: FoodOption
    fate: FoodFate
    by: str = Field(min_length=1, max_length=80)
    note: str = Field("", max_length=500)
    supersedes: int | None = None


class DecideForm(Decide):
    """The same as the page's form sends it; 0 stands for no decision."""

    site: str = Field(pattern=f"^{ID_PATTERN}$")
