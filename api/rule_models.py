"""What the API answers about rules and their alarms' quality, and what it takes to try or save rules.

The same records as `caretaker quality --format json` and `caretaker backtest --against`: see `rules.as_records`.
"""

from typing import Annotated

from pydantic import Field

from api.models import Model, Text, Time
from api.rule_book import How
from domain.alarms import Priority
from domain.ids import ID_PATTERN
from rules.compare import Loss
from rules.edit import Kind
from rules.model import BasisKind

MOST_DOCUMENTS = 20
LONGEST_DOCUMENT = 500_000  # characters
LONGEST_NAME = 127

Share = Annotated[float, Field(ge=0, le=1, description="0 to 1")]


class AlarmName(Model):
    """Which alarm."""

    rule: str = Field(examples=["cold-storage-high"])
    point: str = Field(examples=["fridge-1/temperature"])


class EpisodeModel(AlarmName):
    """One time an alarm stood."""

    priority: Priority
    raised_at: Time
    cleared_at: Time | None = Field(description="null: still active at the end")


class LostModel(EpisodeModel):
    """An alarm that would not be there any more."""

    kind: Loss = Field(description="nuisance, real (somebody would have had to act) or covered by another rule")


class RuleChangeModel(Model):
    """One rule that would judge otherwise."""

    rule: str
    alarms_before: int
    alarms_after: int
    minutes_before: int = Field(description="in alarm")
    minutes_after: int


class ComparisonModel(Model):
    """What a change of rules would have done over stored history."""

    start: Time
    end: Time
    readings: int = Field(description="how many were judged")
    sentence: str = Field(examples=["removes 41 nuisance alarms, hides 3 real excursions"])
    nuisance_removed: int
    real_hidden: int
    covered: int
    kept: int
    merged: int = Field(description="of the kept ones: told together with the one before")
    later: int = Field(description="of the kept ones: raised later than now")
    earlier: int
    rules: list[RuleChangeModel]
    lost: list[LostModel]
    gained: list[EpisodeModel]


class LooseningModel(Model):
    """A legal limit that the change would give up; such a change cannot be saved."""

    rule: str
    what: str = Field(examples=["the limit above 8 becomes 9"])
    document: str = Field(description="where the limit comes from")


class TrialModel(Model):
    """A change, tried and not saved."""

    effect: ComparisonModel
    loosened: list[LooseningModel] = Field(description="legal limits that it would loosen: must be empty to save")
    findings: list[str] = Field(description="what does not fit the site, or is odd about it, with file and line")
    fits: bool = Field(description="whether every rule works at the site")


class FloodModel(Model):
    """More than ten alarms in ten minutes, until a period has fewer than five."""

    start: Time
    end: Time
    count: int


class BadActorModel(AlarmName):
    """One alarm and its part in the load."""

    count: int
    share: Share
    active_ms: int
    chattering: int = Field(description="raises that were the third or later within a minute")
    fleeting: int = Field(description="active for less than a minute")
    lapsed: int = Field(description="over, unanswered, before the time to respond was")
    nuisance: int = Field(description="marked so by people")
    suggestion: str | None = Field(description="what would help, tried on the same span; null: not tried")


class QualityModel(Model):
    """The figures of ISA-18.2 / IEC 62682 for a site or a role."""

    start: Time
    end: Time
    annunciated: int = Field(description="alarms that people were told of")
    hidden: int = Field(description="raised while shelved, suppressed or out of service")
    past: int = Field(description="had cleared before they were known")
    per_hour: float
    busiest_period: int = Field(description="most in ten minutes")
    busy_periods: Share = Field(description="ten-minute periods with more than 10")
    floods: list[FloodModel]
    in_flood: Share
    worst_share: Share = Field(description="of the ten worst alarms together")
    chattering: list[AlarmName]
    fleeting: int
    stale: list[EpisodeModel] = Field(description="active for more than a day")
    priorities: dict[str, float] = Field(description="share of each priority")
    answered: int
    median_answer_ms: int | None
    lapsed: int
    nuisance: dict[str, int] = Field(description="what people said that it was when they acknowledged")
    bad_actors: list[BadActorModel] = Field(description="the ten worst")


class ReportModel(Model):
    """Alarm quality of a site, and the part of each role that a rule tells at once."""

    site: QualityModel
    roles: dict[str, QualityModel]


class RuleDocument(Model):
    """One rule file."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME, examples=["own.yaml"])
    text: str = Field(max_length=LONGEST_DOCUMENT, description="YAML as in docs/rules.md")


class RuleDocuments(Model):
    """All rule files of the site: what is not among them is removed."""

    documents: list[RuleDocument] = Field(min_length=1, max_length=MOST_DOCUMENTS)


class SaveRules(RuleDocuments):
    """Rules to save."""

    by: str = Field(min_length=1, max_length=80, pattern=r"\S", description="who does it, for the audit")
    days: int = Field(30, ge=1, le=366, description="of history on which the change is tried first")
    accept_hidden: int = Field(0, ge=0, description="how many hidden real excursions were seen and are accepted")
    why: str = Field("", max_length=500, description="the reason, for the history", examples=["Noisy at lunch"])
    revision: int | None = Field(None, ge=0, description="the revision you saw; refused (409) when another is in force")


class SavedRules(Model):
    """The rules as they are in force from now on."""

    site: str = Field(pattern=ID_PATTERN)
    revision: int


class RuleValue(Model):
    """One number, length of time or priority of a rule."""

    name: str = Field(description="where it stands in the rule", examples=["condition.above", "levels.1.on_delay"])
    kind: Kind
    text: str = Field(description="as it is written; empty where it is not")


class RuleModel(Model):
    """One rule in force."""

    rule: str = Field(examples=["cold-storage-high"])
    title: Text
    points: list[str] = Field(description="that it judges")
    basis: BasisKind = Field(description="a legal limit is locked")
    document: str = Field(description="that a legal limit comes from")
    alarms: int = Field(description="that people were told of in the span")
    text: str = Field(description="YAML as in docs/rules.md")
    values: list[RuleValue] = Field(description="what the page's form offers to change")


class RulesModel(Model):
    """The rules in force."""

    revision: int = Field(description="0: none were ever saved")
    rules: list[RuleModel]


class RevisionModel(Model):
    """One time that rules were saved."""

    revision: int
    at: Time
    by: str
    why: str = Field(description="empty: nothing was said")


class ChangedRule(Model):
    """A rule that the revision changed."""

    rule: str
    how: How


class RevisionDetail(RevisionModel):
    """One revision with its documents."""

    documents: list[RuleDocument]
    changed: list[ChangedRule] = Field(description="against the revision before")
