"""The JSON routes under /api/v1: they read parameters, call one operation and shape the answer; they decide nothing."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from api import (
    command_routes,
    convert,
    coverage_routes,
    delay_routes,
    excursion_routes,
    incident_routes,
    models,
    rule_routes,
)
from api import parameters as given
from api.delays import DelayDesk
from api.incidents import IncidentDesk
from api.live import Feed, resume_id
from api.operations import MOST_READINGS, Operations
from api.problems import PROBLEM
from api.rule_book import RuleBook
from api.rule_desk import RuleDesk
from domain.alarms import AlarmKey, AlarmState, OverlayKind, Priority, Transition
from domain.ids import PointName
from domain.records import AlarmFilter, TransitionFilter
from domain.times import iso

_PROBLEMS: dict[int | str, dict[str, object]] = {
    404: {**PROBLEM, "description": "there is no such thing"},
    422: {**PROBLEM, "description": "a parameter cannot be used; `errors` says which"},
}


def router(operations: Operations, feed: Feed, desk: RuleDesk, incidents: IncidentDesk, book: RuleBook) -> APIRouter:
    """Every JSON route."""
    routes = APIRouter(prefix="/api/v1", responses=_PROBLEMS)
    _catalogue(routes, operations)
    _readings(routes, operations)
    _alarms(routes, operations)
    _log(routes, operations)
    _spans(routes, operations)
    command_routes.add(routes, operations)
    rule_routes.add(routes, operations, desk, book)
    incident_routes.add(routes, operations, incidents)
    excursion_routes.add(routes, operations)
    coverage_routes.add(routes, operations)
    delay_routes.add(routes, operations, DelayDesk(operations))
    _letters(routes, operations)
    _plumbing(routes, operations)
    _events(routes, feed)
    return routes


def _catalogue(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/sites", tags=["catalogue"], summary="All sites")
    def sites() -> list[models.Site]:
        """Every site that has a catalogue."""
        return [convert.site(known, operations.commissioned_at(known.catalogue.site)) for known in operations.sites()]

    @routes.get("/sites/{site}", tags=["catalogue"], summary="One site")
    def site(site: given.SiteId) -> models.Site:
        """The head of a site."""
        return convert.site(operations.site(site), operations.commissioned_at(site))

    @routes.get("/sites/{site}/assets", tags=["catalogue"], summary="Assets and how they stand")
    def assets(site: given.SiteId) -> list[models.AssetModel]:
        """Every asset, in the catalogue's order, with its standing now."""
        state = operations.state(site)
        return [convert.asset(state.known, one) for one in state.assets]

    @routes.get("/sites/{site}/assets/{asset}", tags=["catalogue"], summary="One asset")
    def asset(site: given.SiteId, asset: given.AssetId) -> models.AssetModel:
        """One asset with its standing now."""
        state = operations.state(site)
        state.known.asset(asset)
        return next(convert.asset(state.known, one) for one in state.assets if one.asset.id == asset)

    @routes.get("/sites/{site}/points", tags=["catalogue"], summary="All points")
    def points(site: given.SiteId) -> list[models.PointModel]:
        """Every point of the catalogue, with the rules that judge it."""
        known = operations.site(site)
        return [convert.point(known, one) for one in known.catalogue.points()]

    @routes.get("/sites/{site}/discoveries", tags=["catalogue"], summary="Unknown points")
    def discoveries(site: given.SiteId) -> list[models.DiscoveryModel]:
        """Points that somebody publishes and the catalogue does not know: stored, unjudged."""
        return [convert.discovery(one) for one in operations.discoveries(site)]


def _readings(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/sites/{site}/latest", tags=["readings"], summary="Newest reading of every point")
    def latest(site: given.SiteId) -> list[models.LatestModel]:
        """The newest reading of every point, also of points that the catalogue does not know."""
        known, now = operations.site(site), operations.clock()
        return [convert.latest(known, row, now) for row in operations.latest(site)]

    @routes.get(
        "/sites/{site}/points/{asset}/{metric}/history", tags=["readings"], summary="Readings of one point over time"
    )
    def history(
        site: given.SiteId,
        asset: given.AssetId,
        metric: given.MetricId,
        start: given.From = None,
        end: given.To = None,
        step: given.Step = None,
        limit: Annotated[int, Query(ge=1, le=MOST_READINGS, description="how many readings (without a step)")] = 1_000,
    ) -> models.HistoryModel:
        """With `step`: min, mean, max, last and count per window (at most 5,000). Without: the readings themselves,
        earliest first, at most `limit`; read on from `next`."""
        name, span = str(PointName(asset, metric)), operations.span(start, end)
        readings, windows, more = [], [], None
        if step is None:
            series = operations.readings(site, name, span, limit)
            readings = convert.readings(series)
            more = iso(int(series.time[-1]) + 1) if len(series.time) == limit else None
        else:
            windows = convert.windows(operations.windows(site, name, span, step))
        return models.HistoryModel(
            point=name,
            unit=operations.unit_of(site, name),
            start=iso(span.start),
            end=iso(span.end),
            step_ms=step,
            readings=readings,
            windows=windows,
            next=more,
        )


def _alarms(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/alarms", tags=["alarms"], summary="Alarms")
    def alarms(
        site: given.SiteFilter = None,
        state: Annotated[list[AlarmState] | None, Query(description="any of these; may be repeated")] = None,
        priority: Annotated[list[Priority] | None, Query(description="any of these; may be repeated")] = None,
        rule: given.RuleFilter = None,
        point: given.PointFilter = None,
        overlay: Annotated[
            OverlayKind | None, Query(description="only those that are shelved, suppressed or out of service")
        ] = None,
        limit: given.Limit = 50,
        offset: given.Offset = 0,
    ) -> models.PageOf[models.AlarmModel]:
        """Active and unanswered alarms first, then by change, newest first."""
        where = AlarmFilter(site, tuple(state or ()), tuple(priority or ()), rule, point, overlay)
        found, total = operations.alarms(where, limit, offset)
        known = {name: operations.site(name) for name in {one.site for one in found}}
        items = [convert.alarm(known[one.site], one) for one in found]
        return models.PageOf(items=items, total=total, limit=limit, offset=offset)

    @routes.get("/sites/{site}/alarms/{rule}/{asset}/{metric}", tags=["alarms"], summary="One alarm")
    def alarm(
        site: given.SiteId, rule: given.RuleId, asset: given.AssetId, metric: given.MetricId
    ) -> models.AlarmModel:
        """The present of one alarm; 404 when it was never raised."""
        key = AlarmKey(rule, str(PointName(asset, metric)))
        return convert.alarm(operations.site(site), operations.alarm(site, key))


def _log(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/transitions", tags=["alarms"], summary="The alarm log")
    def transitions(
        site: given.SiteFilter = None,
        rule: given.RuleFilter = None,
        point: given.PointFilter = None,
        start: given.Since = None,
        end: given.Until = None,
        after: Annotated[
            int | None,
            Query(
                ge=0,
                le=given.LARGEST_ID,
                description="only ids above (0: from the beginning); reads the log oldest first",
            ),
        ] = None,
        before: Annotated[
            int | None, Query(ge=1, le=given.LARGEST_ID, description="only ids below; reads the log newest first")
        ] = None,
        limit: given.Limit = 100,
    ) -> models.CursorPage[models.TransitionModel]:
        """Changes by id, newest first; oldest first when `after` is given without `before`."""
        newest_first = before is not None or after is None
        where = TransitionFilter(site, rule, point, after or 0, before, start, end)
        found = operations.transitions(where, limit, newest_first)
        return models.CursorPage(items=[convert.transition(one) for one in found], next=_next(found, limit))


def _spans(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/sites/{site}/gaps", tags=["readings"], summary="Readings that never came")
    def gaps(site: given.SiteId, start: given.From = None, end: given.To = None) -> list[models.GapModel]:
        """Gap records that overlap the span."""
        return [convert.gap(one) for one in operations.gaps(site, operations.span(start, end))]

    @routes.get("/sites/{site}/excursions", tags=["alarms"], summary="Excursions")
    def excursions(
        site: given.SiteId, point: given.OnePoint = None, start: given.From = None, end: given.To = None
    ) -> list[models.ExcursionModel]:
        """Intervals out of limit that overlap the span, by start."""
        return [convert.excursion(one) for one in operations.excursions(site, point, operations.span(start, end))]


def _letters(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/dead-letters", tags=["operation"], summary="Messages that were not accepted")
    def dead_letters(
        site: given.SiteFilter = None,
        before: Annotated[int | None, Query(ge=1, le=given.LARGEST_ID, description="only ids below")] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="how many at most")] = 50,
    ) -> models.CursorPage[models.DeadLetterModel]:
        """Newest first, with the reason and the bytes as they came."""
        found = operations.dead_letters(site, limit, before)
        more = found[-1].id if len(found) == limit else None
        return models.CursorPage(items=[convert.dead_letter(one) for one in found], next=more)


def _plumbing(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/sites/{site}/agents", tags=["operation"], summary="Edge agents")
    def agents(site: given.SiteId) -> list[models.AgentModel]:
        """Every agent seen at the site, with what it announced."""
        return [convert.agent(one) for one in operations.agents(site)]

    @routes.get("/processes", tags=["operation"], summary="Running processes")
    def processes() -> list[models.ProcessModel]:
        """Every process that gave a sign of life, with its figures."""
        now = operations.clock()
        return [convert.process(one, now) for one in operations.processes()]


def _events(routes: APIRouter, feed: Feed) -> None:
    @routes.get(
        "/sites/{site}/events",
        tags=["live"],
        summary="What changes, as it changes",
        response_class=StreamingResponse,
        responses={
            200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "an endless stream"},
            503: {**PROBLEM, "description": "too many streams are open"},
        },
    )
    async def events(
        site: given.SiteId,
        after: Annotated[
            int | None, Query(ge=0, le=given.LARGEST_ID, description="begin after this transition id")
        ] = None,
        last_event_id: Annotated[str | None, Header(description="sent by browsers when they come back")] = None,
    ) -> StreamingResponse:
        """Server-sent events: `hello`, `transition` (with its id), `latest` (readings that changed), `configuration`
        and `beat`. With `Last-Event-ID` (or `after`) no transition is missed."""
        resumed = resume_id(last_event_id)
        stream = await feed.listen(site, after if resumed is None else resumed)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


def _next(found: Sequence[Transition], limit: int) -> int | None:
    return found[-1].id if len(found) == limit else None
