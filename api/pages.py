"""The pages for people: the board, an asset, the alarms, one alarm with everything that can be done about it. HTML that
works without scripts.

They call the same operations as the JSON routes and decide nothing of their own. A refused command comes back as a page
in the same words as the API's problem.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

import jinja2
from fastapi import APIRouter, FastAPI, Query, Request
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from api import command_pages, delays, insight_words
from api import parameters as given
from api.assets import Static, add_static
from api.board import Standing, asset_of, open_alarms, set_aside, tally
from api.charts import RANGES
from api.command_pages import NAME_COOKIE, YEAR
from api.command_routes import Key
from api.i18n import COOKIE, choose, language
from api.incidents import IncidentDesk, IncidentView
from api.insight import InsightDesk
from api.operations import Operations, SiteState
from api.problems import Problem
from api.settings import ApiSettings
from api.view import SHELF, View
from domain.alarms import Alarm, AlarmState, OverlayKind, Priority, Transition
from domain.errors import NotFoundError
from domain.records import AlarmFilter, TransitionFilter
from rules.insight.causes import COLD

_ON_ASSET = 50
_PER_PAGE = 25
_LOG_PER_PAGE = 50

SiteQuery = Annotated[str | None, Query(alias="site")]


def install(
    app: FastAPI, operations: Operations, settings: ApiSettings, incidents: IncidentDesk, insight: InsightDesk
) -> "Pages":
    """Add the pages, the static files and the problem page to the app; what others draw their pages with."""
    static = Static(settings.cache_dir)
    pages = Pages(operations, settings, static, incidents, insight)
    app.state.problem_page = pages.problem
    routes = APIRouter(include_in_schema=False)
    _board(routes, pages)
    _asset(routes, pages)
    _alarms(routes, pages)
    _alarm(routes, pages)
    command_pages.add(routes, operations)
    app.include_router(routes)
    add_static(app, static, operations)
    return pages


class Pages:
    """Draws pages: one template environment per language."""

    def __init__(
        self,
        operations: Operations,
        settings: ApiSettings,
        static: Static,
        incidents: IncidentDesk,
        insight: InsightDesk,
    ) -> None:
        self.operations = operations
        self.incidents = incidents
        self.insight = insight
        self.delays = delays.DelayDesk(operations)
        self._settings = settings
        self._environments = {code: _environment(code, static) for code in ("en", "zh")}

    def view(self, request: Request, site: str | None) -> View:
        """Language, site and moment of a request; without a wish the first site."""
        sites = tuple(self.operations.sites())
        known = next((one for one in sites if one.catalogue.site == site), None)
        if site is not None and known is None:
            raise NotFoundError(f"there is no site {site!r}", "apply a catalogue: caretaker site apply site.yaml")
        chosen = choose(
            request.query_params.get("lang"),
            request.cookies.get(COOKIE),
            request.headers.get("accept-language"),
            self._settings.default_language,
        )
        return View(
            language=language(chosen),
            known=known or (sites[0] if sites else None),
            now=self.operations.clock(),
            path=request.url.path,
            sites=sites,
            version=self._settings.version,
            person=_cookie_text(request.cookies.get(NAME_COOKIE, "")),
        )

    def draw(self, request: Request, view: View, template: str, status: int = 200, **values: Any) -> Response:
        """The page; remembers the language when the address names one."""
        environment = self._environments[view.language.code]
        html = environment.get_template(template).render(view=view, query=request.query_params, **values)
        response = HTMLResponse(html, status, {"content-language": view.lang, "vary": "accept-language, cookie"})
        if request.query_params.get("lang") == view.language.code:
            response.set_cookie(COOKIE, view.language.code, YEAR, httponly=True, samesite="lax")
        return response

    def problem(self, request: Request, found: Problem) -> Response:
        """A refusal as a page."""
        chosen = choose(
            request.query_params.get("lang"),
            request.cookies.get(COOKIE),
            request.headers.get("accept-language"),
            self._settings.default_language,
        )
        view = View(language(chosen), None, self.operations.clock(), request.url.path, (), self._settings.version)
        return self.draw(request, view, "problem.html", found.status, problem=found)

    def state(self, view: View) -> SiteState:
        """How the view's site stands."""
        assert view.known is not None
        return self.operations.state(view.known.catalogue.site)


def _environment(code: str, static: Static) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("api", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    chosen = language(code)
    environment.install_gettext_callables(chosen.gettext, chosen.ngettext, newstyle=True)  # type: ignore[attr-defined]  # added by the i18n extension
    environment.globals["static"] = static.url
    environment.globals["icon"] = _icons(static)
    environment.globals["switched"] = switched
    environment.globals["Standing"] = Standing
    environment.globals["said"] = insight_words
    environment.globals["delay_words"] = delays.words
    return environment


def _board(routes: APIRouter, pages: Pages) -> None:
    @routes.get("/")
    def board(request: Request, site: SiteQuery = None) -> Response:
        view = pages.view(request, site)
        if view.known is None:
            return pages.draw(request, view, "empty.html")
        state = pages.state(view)
        incidents = pages.incidents.open(view.known.catalogue.site)
        left = pages.insight.soonest(view.known.catalogue.site, _in_alarm(state))
        minutes = {asset: one.minutes or 0.0 for asset, one in left.items()}
        return pages.draw(
            request,
            view,
            "board.html",
            state=state,
            readings=state.readings,
            incidents=incidents,
            alarms=alone(open_alarms(state.alarms, state.now, minutes), incidents),
            left=left,
            aside=alone(_laid_on_the_shelf(state), incidents),
            tally=tally(state.assets),
            delays=pages.delays.silent(state),
        )


def _asset(routes: APIRouter, pages: Pages) -> None:
    @routes.get("/assets/{asset}")
    def asset(
        request: Request,
        asset: given.AssetId,
        site: SiteQuery = None,
        span: Annotated[str, Query(alias="range")] = "24h",
    ) -> Response:
        view = pages.view(request, site)
        if view.known is None:
            raise NotFoundError("there is no site yet", "apply a catalogue: caretaker site apply site.yaml")
        view.known.asset(asset)
        state = pages.state(view)
        log = pages.operations.transitions(TransitionFilter(view.known.catalogue.site, point=asset), _ON_ASSET, True)
        return pages.draw(
            request,
            view,
            "asset.html",
            readings=state.readings,
            one=next(found for found in state.assets if found.asset.id == asset),
            log=by_event_time(log),
            insight=pages.insight.of_asset(view.known.catalogue.site, asset),
            delays=pages.delays.of_asset(state, asset),
            ranges=tuple(RANGES),
            span=span if span in RANGES else "24h",
        )


def _alarms(routes: APIRouter, pages: Pages) -> None:
    @routes.get("/alarms")
    def alarms(
        request: Request,
        site: SiteQuery = None,
        state: Annotated[AlarmState | str, Query()] = "open",
        priority: Annotated[Priority | str, Query()] = "",
        asset: Annotated[str, Query(max_length=63)] = "",
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        before: Annotated[int | None, Query(ge=1, le=given.LARGEST_ID)] = None,
    ) -> Response:
        view = pages.view(request, site)
        if view.known is None:
            return pages.draw(request, view, "empty.html")
        name = view.known.catalogue.site
        where = AlarmFilter(name, _states(state), _priorities(priority), None, asset or None, _overlay(state))
        found, total = pages.operations.alarms(where, _PER_PAGE, (page - 1) * _PER_PAGE)
        log = pages.operations.transitions(
            TransitionFilter(name, point=asset or None, before=before), _LOG_PER_PAGE, True
        )
        return pages.draw(
            request,
            view,
            "alarms.html",
            readings=pages.state(view).readings,
            alarms=found,
            total=total,
            page=page,
            pages=-(-total // _PER_PAGE),
            log=by_event_time(log),
            older=log[-1].id if len(log) == _LOG_PER_PAGE else None,
            chosen={"state": str(state), "priority": str(priority), "asset": asset},
            states=[one for one in AlarmState if one is not AlarmState.NORMAL],
            overlays=list(OverlayKind),
            priorities=list(reversed(Priority)),
        )


def _alarm(routes: APIRouter, pages: Pages) -> None:
    @routes.get("/alarms/{rule}/{asset}/{metric}")
    def alarm(request: Request, key: Key, site: SiteQuery = None) -> Response:
        view = pages.view(request, site)
        if view.known is None:
            raise NotFoundError("there is no site yet", "apply a catalogue: caretaker site apply site.yaml")
        name = view.known.catalogue.site
        found = pages.operations.alarm(name, key)
        longest = pages.operations.commands.longest_shelf(name, key.rule)
        log = pages.operations.transitions(TransitionFilter(name, key.rule, key.point), _ON_ASSET, True)
        return pages.draw(
            request,
            view,
            "alarm.html",
            alarm=found,
            readings=pages.state(view).readings,
            shelf=view.lengths([one for one in SHELF if one <= longest] or [longest]),
            log=by_event_time(log),
        )


def alone(alarms: Sequence[Alarm], incidents: Sequence[IncidentView]) -> list[Alarm]:
    """The alarms that are not shown under an incident."""
    gathered = {key for one in incidents for key in one.keys}
    return [one for one in alarms if one.key not in gathered]


def by_event_time(log: Sequence[Transition]) -> list[Transition]:
    """The latest event first: a backlog's transitions are found out of the order in which they happened."""
    return sorted(log, key=lambda one: (one.at, one.id), reverse=True)


def switched(query: Mapping[str, str], code: str) -> str:
    """The present address' query with another language."""
    return urlencode({**query, "lang": code})


def _icons(static: Static) -> Callable[[str], Markup]:
    sprite = static.url("icons.svg")

    def icon(name: str) -> Markup:
        template = '<svg class="icon icon-{}" aria-hidden="true"><use href="{}#{}"></use></svg>'
        return Markup(template).format(name, sprite, name)  # noqa: S704 - the template is a constant; format escapes

    return icon


def _states(state: AlarmState | str) -> tuple[AlarmState, ...]:
    if state == "all" or state in set(OverlayKind):
        return ()
    if state in set(AlarmState):
        return (AlarmState(state),)
    return tuple(one for one in AlarmState if one is not AlarmState.NORMAL)


def _laid_on_the_shelf(state: SiteState) -> list[Alarm]:
    """What is set aside, but for alarms of assets out of service: the asset's card says that."""
    return [one for one in set_aside(state.alarms, state.now) if one.overlay(OverlayKind.OUT_OF_SERVICE) is None]


def _in_alarm(state: SiteState) -> list[str]:
    """The cold assets with an active alarm, the gravest first."""
    cold = {one.asset.id for one in state.assets if one.asset.type in COLD}
    active = (one for one in open_alarms(state.alarms, state.now) if one.active)
    return [asset for asset in dict.fromkeys(map(asset_of, active)) if asset in cold]


def _overlay(state: AlarmState | str) -> OverlayKind | None:
    return OverlayKind(state) if state in set(OverlayKind) else None


def _priorities(priority: Priority | str) -> tuple[Priority, ...]:
    return (Priority(priority),) if priority in set(Priority) else ()


def _cookie_text(raw: str) -> str:
    try:
        return bytes.fromhex(raw).decode("utf-8")[:80]
    except ValueError:
        return ""
