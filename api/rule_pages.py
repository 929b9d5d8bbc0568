"""The pages about many alarms at once: incidents, and how good the alarms are. They call what the JSON routes call.

A suggestion is worked out only when somebody asks for it, because it judges stored readings again.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, FastAPI, Path, Query, Request
from starlette.responses import Response

from api.incidents import IncidentDesk, IncidentView
from api.operations import Span
from api.pages import Pages, SiteQuery, by_event_time
from api.rule_desk import Report, RuleDesk, worth_a_change
from api.view import View
from domain.alarms import Alarm, AlarmKey, Priority
from domain.records import AlarmFilter, TransitionFilter
from domain.times import DAY, parse_duration
from rules.quality import TARGETS, Quality
from rules.suggest import Suggestion, spared

DAYS = 30
_LOG = 100
_MOST = 500


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure in words, and whether it misses its target."""

    text: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of the site and of each role (`columns` names them)."""

    title: str
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]
    target: str = ""


def install(app: FastAPI, pages: Pages, incidents: IncidentDesk, desk: RuleDesk) -> None:
    """Add the pages to the app."""
    routes = APIRouter(include_in_schema=False)
    _incidents(routes, pages, incidents)
    _quality(routes, pages, desk)
    app.include_router(routes)


def _incidents(routes: APIRouter, pages: Pages, incidents: IncidentDesk) -> None:
    @routes.get("/incidents")
    def listed(request: Request, site: SiteQuery = None) -> Response:
        view = pages.view(request, site)
        if view.known is None:
            return pages.draw(request, view, "empty.html")
        span = Span(view.now - DAYS * DAY, view.now + 1)
        found = incidents.incidents(view.known.catalogue.site, span)
        return pages.draw(request, view, "incidents.html", found=found)

    @routes.get("/incidents/{incident}")
    def incident(request: Request, incident: Annotated[str, Path(max_length=200)], site: SiteQuery = None) -> Response:
        view = pages.view(request, site)
        if view.known is None:
            return pages.draw(request, view, "empty.html")
        name = view.known.catalogue.site
        one = incidents.incident(name, incident)
        log = pages.operations.transitions(TransitionFilter(name, start=one.incident.start), _LOG, False)
        mine = [each for each in log if each.key in one.keys]
        return pages.draw(
            request, view, "incident.html", one=one, alarms=_alarms(pages, view, one), log=by_event_time(mine),
            readings=pages.state(view).readings,
        )  # fmt: skip


def _alarms(pages: Pages, view: View, one: IncidentView) -> list[Alarm]:
    """The alarms of the incident as they are now, in its order."""
    assert view.known is not None
    found, _ = pages.operations.alarms(AlarmFilter(view.known.catalogue.site), _MOST, 0)
    by_key = {alarm.key: alarm for alarm in found}
    return [by_key[key] for key in dict.fromkeys(each.key for each in one.incident.episodes) if key in by_key]


def _quality(routes: APIRouter, pages: Pages, desk: RuleDesk) -> None:
    @routes.get("/quality")
    def quality(
        request: Request,
        site: SiteQuery = None,
        days: Annotated[int, Query(ge=1, le=366)] = DAYS,
        suggest: Annotated[int, Query(ge=0, le=10)] = 0,
    ) -> Response:
        view = pages.view(request, site)
        if view.known is None:
            return pages.draw(request, view, "empty.html")
        name = view.known.catalogue.site
        report = desk.report(name, view.now - days * DAY, view.now + 1)
        tried: dict[AlarmKey, tuple[str, str]] = {}
        if 0 < suggest <= len(report.whole.bad_actors):
            key = report.whole.bad_actors[suggest - 1].key
            found = desk.suggestion(name, key, report.whole.start, report.whole.end)
            tried[key] = (proposal(view, found), "" if found is None else found.change)
        return pages.draw(
            request, view, "quality.html", report=report, rows=figures(view, report), days=days, tried=tried,
            worth=worth_a_change,
        )  # fmt: skip


def proposal(view: View, found: Suggestion | None) -> str:
    """What would help, in the visitor's language."""
    gettext = view.language.gettext
    if found is None:
        return gettext("No delay would help without hiding something real: look for the cause at the asset.")
    word, _, value = found.change.partition(" ")
    words = {
        "on_delay": gettext("Wait {value} before it is raised"),
        "off_delay": gettext("Wait {value} before it is over"),
        "deadband": gettext("Clear it only {value} beyond the limit"),
    }
    shown = value if word == "deadband" else view.lasting(0, parse_duration(value))
    effect = gettext("{n} fewer alarms, nothing real hidden").replace("{n}", str(spared(found.effect)))
    change = words[word].replace("{value}", shown)
    return gettext("{change}: {effect}").replace("{change}", change).replace("{effect}", effect)


def figures(view: View, report: Report) -> list[Row]:
    """The figures beside their targets; a target is one person's, so the site as a whole is not held to it where roles
    share the load."""
    gettext = view.language.gettext
    columns = (gettext("Site"), *map(view.role, report.roles))
    whole = (report.whole, *report.roles.values())
    target = TARGETS

    def row(title: str, cells: list[Cell], aim: str = "") -> Row:
        return Row(title, columns, tuple(cells), aim)

    return [
        row(gettext("Alarms told"), [Cell(str(one.annunciated)) for one in whole]),
        row(
            gettext("Alarms per hour"),
            [Cell(f"{one.per_hour:.2f}", one.per_hour > target.per_hour) for one in whole],
            f"≤ {target.per_hour:g}",
        ),
        row(
            gettext("Ten-minute periods with more than 10"),
            [Cell(_percent(one.busy_periods), one.busy_periods >= target.busy_periods) for one in whole],
            f"< {_percent(target.busy_periods)}",
        ),
        row(gettext("Floods"), [Cell(str(len(one.floods)), bool(one.floods)) for one in whole], "0"),
        row(gettext("Chattering alarms"), [Cell(str(len(one.chattering)), bool(one.chattering)) for one in whole], "0"),
        row(gettext("Shorter than a minute"), [Cell(str(one.fleeting), one.fleeting > 0) for one in whole], "0"),
        row(gettext("Over before anybody could act"), [Cell(str(one.lapsed)) for one in whole]),
        row(
            gettext("Active for more than a day"),
            [Cell(str(len(one.stale)), len(one.stale) >= target.stale) for one in whole],
            f"< {target.stale}",
        ),
        row(gettext("Marked a nuisance"), [Cell(str(sum(one.nuisance.values()))) for one in whole]),
        *[
            row(
                gettext("Share of priority {word}").replace("{word}", view.priority(priority)),
                [Cell(_percent(one.priorities[priority])) for one in whole],
            )
            for priority in reversed(Priority)
        ],
        row(gettext("Median time to an answer"), [Cell(_answer(view, one)) for one in whole]),
    ]


def _answer(view: View, one: Quality) -> str:
    return "—" if one.median_answer is None else view.lasting(0, one.median_answer)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %".replace(".0 %", " %")
