"""The JSON routes about incidents: they read parameters, ask `api.incidents` and shape the answer; decide nothing."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from api import parameters as given
from api.incidents import IncidentDesk, IncidentView
from api.models import Model, Text, Time
from api.operations import Operations
from api.rule_models import AlarmName, EpisodeModel
from domain.catalogue import Label
from domain.emptying import Unit
from domain.episodes import Episode
from domain.incidents import Gathers
from domain.times import MINUTE, iso

OnlyOpen = Annotated[bool, Query(description="only those that somebody must still look at")]


class UnitModel(Model):
    """A cold unit and how long its food has."""

    asset: str
    title: Text
    content: Text = Field(description="what is in it")
    minutes_left: int | None = Field(description="until its limit without refrigeration; 0: passed; null: not known")
    temperature: float | None
    limit: float
    basis: Literal["learned", "typical"] | None = Field(
        description="what the time comes from: the unit's own past, or the typical rate of its kind; null: neither"
    )


class IncidentModel(Model):
    """Alarms with one cause."""

    id: str = Field(examples=["board-dead.north-board.1772346600000"])
    rule: str
    title: Text
    response: Text = Field(description="what to do")
    root: str = Field(description="the asset, area, agent or site that it is rooted in")
    gathers: Gathers
    where: Text
    start: Time
    end: Time | None = Field(description="when the cause was over; null: it lasts")
    open: bool = Field(description="its cause lasts, or one of its alarms is active or unanswered")
    unanswered: int
    cause: AlarmName | None = Field(description="null: so many alarms at one time are the cause")
    alarms: list[EpisodeModel] = Field(description="the cause first, then by time")
    empty_first: list[UnitModel] = Field(description="most urgent first; empty where it does not matter")


def add(routes: APIRouter, operations: Operations, desk: IncidentDesk) -> None:
    """Add the routes to the API's."""

    @routes.get("/sites/{site}/incidents", tags=["alarms"], summary="Alarms with one cause")
    def incidents(
        site: given.SiteId, start: given.From = None, end: given.To = None, only_open: OnlyOpen = False
    ) -> list[IncidentModel]:
        """Those that began in the span (default: the last day), newest first; `only_open`: of the last three days,
        those that somebody must still look at."""
        found = desk.open(site) if only_open else desk.incidents(site, operations.span(start, end))
        return [_incident(one) for one in found]

    @routes.get("/sites/{site}/incidents/{incident}", tags=["alarms"], summary="One incident")
    def incident(
        site: given.SiteId, incident: Annotated[str, Path(max_length=200, description="its id")]
    ) -> IncidentModel:
        """One incident with all its alarms."""
        return _incident(desk.incident(site, incident))


def _incident(view: IncidentView) -> IncidentModel:
    one = view.incident
    cause = None if one.cause is None else AlarmName(rule=one.cause.key.rule, point=one.cause.key.point)
    return IncidentModel(
        id=one.id,
        rule=one.rule.id,
        title=_text(view.title),
        response=_text(one.rule.response),
        root=one.root,
        gathers=one.rule.gathers,
        where=_text(view.where),
        start=iso(one.start),
        end=None if one.end is None else iso(one.end),
        open=view.open,
        unanswered=view.unanswered,
        cause=cause,
        alarms=[_episode(each) for each in one.episodes],
        empty_first=[_unit(each) for each in view.units],
    )


def _episode(one: Episode) -> EpisodeModel:
    return EpisodeModel(
        rule=one.key.rule,
        point=one.key.point,
        priority=one.priority,
        raised_at=iso(one.raised_at),
        cleared_at=None if one.cleared_at is None else iso(one.cleared_at),
    )


def _unit(one: Unit) -> UnitModel:
    return UnitModel(
        asset=one.asset.id,
        title=_text(one.asset.label),
        content=_text(one.asset.content),
        minutes_left=None if one.left is None else one.left // MINUTE,
        temperature=one.temperature,
        limit=one.limit,
        basis=None if not one.left else "learned" if one.learned else "typical",
    )


def _text(label: Label) -> Text:
    return Text(en=label.en, zh=label.zh)
