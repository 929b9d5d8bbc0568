"""The route and the page of completeness: which part of the time each point was measured. `api.coverage` counts."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from starlette.responses import Response

from api import coverage_models as models
from api import parameters as given
from api import wording
from api.coverage import DAYS, MOST_DAYS, MOST_POINTS, PER_PAGE, CoverageDesk, CoverageReport, PointCoverage, csv_of
from api.coverage import percent as known
from api.operations import Operations
from api.pages import Pages, SiteQuery
from api.view import View
from rules.coverage import Coverage

RANGES = (1, 7, 30)
WIDE, HIGH = 10, 20  # of a day in the picture

Days = Annotated[int, Query(ge=1, le=MOST_DAYS, description="local days of the site, today among them")]
AssetFilter = Annotated[str | None, Query(max_length=63, description="only this asset")]


@dataclass(frozen=True, slots=True)
class Bar:
    """One day in the picture: heights of what was measured and backfilled, of `HIGH`; `title` says it in words."""

    x: int
    measured: float
    backfilled: float
    summed: bool
    title: str


def add(routes: APIRouter, operations: Operations) -> None:
    """Add the JSON routes to the router."""
    desk = CoverageDesk(operations)

    @routes.get("/sites/{site}/coverage", tags=["readings"], summary="How complete the data is")
    def coverage(
        site: given.SiteId,
        days: Days = DAYS,
        asset: AssetFilter = None,
        offset: given.Offset = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_POINTS, description="how many points at most")] = PER_PAGE,
    ) -> models.CoverageReportModel:
        """Of each point and local day: time measured live, backfilled, and unknown with its reason."""
        return models.report(desk.report(site, days, asset, offset, limit))


def install(app: FastAPI, pages: Pages) -> None:
    """Add the page and its table for spreadsheets."""
    desk = CoverageDesk(pages.operations)
    routes = APIRouter(include_in_schema=False)

    @routes.get("/coverage")
    def page(
        request: Request,
        site: SiteQuery = None,
        days: Days = DAYS,
        asset: AssetFilter = None,
        offset: given.Offset = 0,
        form: Annotated[str, Query(pattern="^(page|csv)$")] = "page",
    ) -> Response:
        view = pages.view(request, site)
        if view.known is None:
            return pages.draw(request, view, "empty.html")
        name = view.known.catalogue.site
        if form == "csv":
            headers = {"content-disposition": f'attachment; filename="{name}-coverage.csv"'}
            return Response(csv_of(desk.whole(name, days, asset or None)), media_type="text/csv", headers=headers)
        report = desk.report(name, days, asset or None, offset)
        return pages.draw(
            request, view, "coverage.html", report=report, days=days, asset=asset or "", ranges=RANGES, known=known,
            bars={one.point.name: bars(view, report, one) for one in report.points}, width=WIDE * len(report.days),
            high=HIGH, wide=WIDE, back=max(0, offset - PER_PAGE), reasons=reasons, length=wording.length,
        )  # fmt: skip

    app.include_router(routes)


def bars(view: View, report: CoverageReport, one: PointCoverage) -> list[Bar]:
    """A bar for each day of the point."""
    found: list[Bar] = []
    summed = view.language.gettext("only summaries are left")
    for number, (day, each) in enumerate(zip(report.days, one.days, strict=True)):
        if each is None:
            found.append(Bar(number * WIDE, 0, 0, True, f"{day.date.isoformat()}: {summed}"))
            continue
        measured, backfilled = (round(HIGH * part / each.whole, 2) for part in (each.measured, each.backfilled))
        found.append(Bar(number * WIDE, measured, backfilled, False, f"{day.date.isoformat()}: {known(each)} %"))
    return found


def reasons(view: View, one: Coverage) -> str:
    """Why the unknown time is unknown, in the visitor's language; empty where nothing is."""
    gettext = view.language.gettext
    words = (
        (one.bad, gettext("sensor error {time}")),
        (one.lost, gettext("lost for good {time}")),
        (one.silent, gettext("nothing came {time}")),
    )
    return " · ".join(word.replace("{time}", wording.length(view.language, part)) for part, word in words if part)
