"""What the API answers, field by field: the contract that `/openapi.json` publishes.

Times are RFC 3339 texts in UTC with milliseconds (`2026-03-01T06:30:00.000Z`); values are in the point's canonical
unit; what does not exist is null, never a magic number. Built from domain records by `api.convert`.
"""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from api.board import Standing
from domain.alarms import AlarmState, EventKind, FoodFate, Nuisance, OverlayKind, Priority, Reason, Remedy
from domain.readings import Quality
from domain.records import DeadReason

Item = TypeVar("Item")
LARGEST_VERSION = 2**31 - 1  # what the stores can hold
Time = Annotated[str, Field(examples=["2026-03-01T06:30:00.000Z"], description="RFC 3339, UTC, milliseconds")]


class Model(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True)


class Text(Model):
    """A name for people in both languages."""

    en: str = Field(examples=["Fridge 1 (dairy)"])
    zh: str = Field(description="Chinese; empty where the catalogue has none", examples=["1号冷藏柜（乳制品）"])


class PageOf(Model, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    total: int = Field(description="how many there are in all")
    limit: int
    offset: int


class CursorPage(Model, Generic[Item]):
    """One page of a log."""

    items: list[Item]
    next: int | None = Field(
        description="pass it as `before` (newest first) or `after` (oldest first); null at the end"
    )


class Site(Model):
    """A site."""

    id: str = Field(examples=["school"])
    title: Text
    timezone: str = Field(description="IANA name", examples=["Asia/Shanghai"])
    commissioned_at: Time | None = Field(description="transitions before it need no answer; null: being commissioned")
    assets: int = Field(description="how many")
    points: int = Field(description="how many")
    catalogue_revision: int
    rules_revision: int = Field(description="0 when no rules were applied")


class PointModel(Model):
    """A measured quantity of an asset."""

    point: str = Field(examples=["fridge-1/temperature"])
    asset: str
    metric: str
    title: Text
    unit: str = Field(description="code of the canonical unit", examples=["Cel"])
    symbol: str = Field(description="the unit for people", examples=["°C"])
    interval_ms: int | None = Field(description="expected spacing; null: irregular")
    states: dict[str, int] = Field(description="text states and the numbers that are stored for them")
    rules: list[str] = Field(description="ids of the rules that judge it")


class LatestModel(Model):
    """The newest reading of a point."""

    point: str = Field(examples=["fridge-1/temperature"])
    time: Time
    received: Time
    age_ms: int = Field(description="time of the answer minus `time`")
    value: float | None = Field(description="in the canonical unit; null when the reading has none")
    unit: str | None = Field(description="null when the catalogue does not know the point")
    quality: Quality
    text: str = Field(description="raw text of a bad or text-valued reading")
    fresh: bool = Field(description="not older than three intervals; a value that is not fresh says nothing of now")


class OverlayModel(Model):
    """What lies over an alarm's state."""

    kind: OverlayKind
    by: str = Field(description="a person; for what is suppressed `rule:…` or `incident:…`")
    why: str
    since: Time
    until: Time | None


class AssetModel(Model):
    """A thing with points."""

    id: str = Field(examples=["fridge-1"])
    type: str = Field(examples=["refrigerator"])
    area: str
    title: Text
    content: Text = Field(description="what is in it")
    fed_by: str | None = Field(description="the meter or board that it hangs on")
    state: Standing = Field(
        description="how it stands; `normal` only with a fresh good value of every point", examples=["normal"]
    )
    priority: Priority | None = Field(description="of the gravest open alarm")
    out_of_service: OverlayModel | None = Field(description="who took it out of service, why and until when")
    points: list[PointModel]


class ReadingModel(Model):
    """One stored reading."""

    time: Time
    value: float | None
    quality: Quality
    text: str = ""


class WindowModel(Model):
    """The readings of one step; figures are over good and uncertain readings."""

    start: Time
    min: float | None
    mean: float | None
    max: float | None
    last: float | None
    count: int
    bad: int = Field(description="readings of bad quality, which are in no figure")


class HistoryModel(Model):
    """Readings of a point over a span: `windows` when a step was asked for, else `readings`."""

    point: str
    unit: str
    start: Time = Field(description="inclusive")
    end: Time = Field(description="exclusive")
    step_ms: int | None
    readings: list[ReadingModel]
    windows: list[WindowModel] = Field(description="windows without readings are left out: no data is not zero")
    next: Time | None = Field(description="pass it as `from` to read on; null when this is everything")


class AlarmModel(Model):
    """An alarm: a rule applied to a point."""

    site: str
    rule: str = Field(examples=["cold-storage-high"])
    point: str = Field(examples=["fridge-1/temperature"])
    asset: str
    metric: str
    title: Text = Field(description="of the rule")
    state: AlarmState
    active: bool = Field(description="whether the condition holds now")
    priority: Priority | None
    level: int | None = Field(description="index of the active level of the rule")
    value: float | None = Field(description="at the last change")
    unit: str | None
    above: float | None = Field(description="the limit, when the level is an upper one")
    below: float | None = Field(description="the limit, when the level is a lower one")
    reason: Reason | None
    raised_at: Time | None
    changed_at: Time | None
    acknowledged_by: str
    acknowledged_at: Time | None
    confirmed_by: str = Field(description="who recorded the newest corrective action since it was raised")
    confirmed_at: Time | None
    silenced_by: str = Field(description="who stopped its messages; empty: they are sent")
    silenced_at: Time | None
    assigned_to: str = Field(description="whose it is: a person or a role; empty: nobody's")
    overlays: list[OverlayModel]
    rules_revision: int
    version: int = Field(description="counts the changes; pass it back with a command")


class TransitionModel(Model):
    """One change of an alarm, as it was logged."""

    id: int = Field(description="ascending over all sites")
    site: str
    rule: str
    point: str
    event: EventKind
    source: AlarmState
    target: AlarmState
    reason: Reason
    priority: Priority | None
    level: int | None
    value: float | None
    at: Time = Field(description="event time")
    detected_at: Time = Field(description="when the system knew")
    retroactive: bool = Field(description="detected more than 60 s after the event")
    answer_required: bool
    by: str
    note: str
    rules_revision: int
    until: Time | None = Field(description="of what is shelved, suppressed or out of service")
    nuisance: Nuisance | None = Field(description="of an acknowledgement: why the alarm told nothing new")
    remedy: Remedy | None = Field(description="of a corrective action: what was done")
    food: FoodFate | None = Field(description="of a corrective action: what became of the food")
    assignee: str = Field(description="of an assignment: whose it is now")


class ExcursionModel(Model):
    """An interval in which a point was out of its limit."""

    id: int
    rule: str
    point: str
    start: Time
    end: Time | None = Field(description="null: still out")
    priority: Priority | None


class DiscoveryModel(Model):
    """A point that is published and that the catalogue does not know."""

    point: str
    agent: str
    unit: str
    first_seen: Time
    last_seen: Time
    value: float | None


class DeadLetterModel(Model):
    """A message that was not accepted."""

    id: int
    site: str
    received: Time
    topic: str
    reason: DeadReason
    detail: str
    size: int = Field(description="bytes of the payload")
    payload_base64: str = Field(description="the payload, at most its first 64 KiB")
    preview: str = Field(description="the beginning as text; undecodable bytes are shown as �")


class AgentModel(Model):
    """An edge agent."""

    agent: str
    online: bool
    since: Time
    boot: str
    through: int = Field(description="packs of this boot up to this number are settled")
    birth: dict[str, object] | None = Field(description="what it announced about itself; null until it did")


class GapModel(Model):
    """Readings that never came."""

    agent: str
    start: Time
    end: Time
    count: int = Field(description="how many; 0: unknown")
    reason: str
    points: list[str] = Field(description="empty: all points of the agent")


class ProcessModel(Model):
    """A running process of the installation."""

    name: str
    pid: int
    started_at: Time
    beat_at: Time
    age_ms: int
    info: dict[str, object]


class Live(Model):
    """The process runs."""

    status: str = Field("ok", examples=["ok"])
    version: str


class Check(Model):
    """One thing that readiness needs."""

    name: str = Field(examples=["operational store"])
    ok: bool
    detail: str


class Ready(Model):
    """Whether the installation does its work."""

    status: str = Field(description="ok or failing", examples=["ok"])
    checks: list[Check]
