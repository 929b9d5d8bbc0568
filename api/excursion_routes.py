"""Routes and pages of time left, causes, excursions and food; they call one operation each and decide nothing."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Form, Path, Request
from starlette.responses import RedirectResponse, Response

from api import convert
from api import excursion_models as models
from api import parameters as given
from api.command_pages import NAME_COOKIE, YEAR
from api.excursions import Excursions, ExcursionView
from api.insight import AssetInsight, InsightDesk
from api.operations import Operations
from api.pages import Pages, SiteQuery
from api.problems import PROBLEM
from domain.alarms import FoodFate
from domain.errors import NotFoundError
from domain.food import FoodDecision, FoodOption
from domain.times import DAY, iso
from rules.food import cited

LISTED_DAYS = 31
Number = Annotated[int, Path(ge=1, le=given.LARGEST_ID, description="the excursion's id")]
_REFUSED: dict[int | str, dict[str, object]] = {
    403: {**PROBLEM, "description": "a page of another site sent the request"},
    409: {**PROBLEM, "description": "somebody decided since you looked"},
}


def install(app: FastAPI, pages: Pages) -> None:
    """Everything of this module, on the same operations as the pages."""
    excursions = Excursions(pages.operations)
    add_pages(app, pages, excursions)


def add(routes: APIRouter, operations: Operations) -> None:
    """Add the JSON routes to the router."""
    excursions, insight = Excursions(operations), InsightDesk(operations)
    mine = APIRouter(prefix="/sites/{site}", tags=["excursions"])
    _routes(mine, excursions, insight)
    routes.include_router(mine)


def _routes(routes: APIRouter, excursions: Excursions, insight: InsightDesk) -> None:

    @routes.get("/assets/{asset}/insight", summary="Time left and cause")
    def of_asset(site: given.SiteId, asset: given.AssetId) -> models.InsightModel:
        """How long until a cold asset's limits, and why it is warm: see docs/insight.md."""
        return _insight(insight.of_asset(site, asset))

    @routes.get("/excursions/{number}", summary="One excursion")
    def one(site: given.SiteId, number: Number) -> models.ExcursionDetail:
        """Figures from the stored readings, late ones included; the rule's options; what was decided."""
        return _detail(excursions.one(site, number))

    @routes.post("/excursions/{number}/decisions", summary="Decide about the food", responses=_REFUSED)
    def decide(site: given.SiteId, number: Number, answer: models.Decide) -> models.DecisionModel:
        """A person's decision; a newer one supersedes it, none is ever changed."""
        return _decision(
            excursions.decide(site, number, answer.option, answer.fate, answer.by, answer.note, answer.supersedes)
        )


def add_pages(app: FastAPI, pages: Pages, excursions: Excursions) -> None:
    """The list, the record of one excursion, and its form."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/excursions")
    def listed(request: Request, site: SiteQuery = None, asset: str = "") -> Response:
        view = pages.view(request, site)
        if view.known is None:
            return pages.draw(request, view, "empty.html")
        span = pages.operations.span(view.now - LISTED_DAYS * DAY, None)
        found = excursions.listed(view.known.catalogue.site, asset or None, span)
        return pages.draw(request, view, "excursions.html", found=found, days=LISTED_DAYS, asset=asset)

    @routes.get("/excursions/{number}")
    def one(request: Request, number: Number, site: SiteQuery = None) -> Response:
        view = pages.view(request, site)
        if view.known is None:
            raise NotFoundError("there is no site yet", "apply a catalogue: caretaker site apply site.yaml")
        found = excursions.one(view.known.catalogue.site, number)
        return pages.draw(
            request, view, "excursion.html", one=found, cited=cited, fates=list(FoodFate), options=list(FoodOption)
        )

    @routes.post("/excursions/{number}/decisions")
    def decide(number: Number, answer: Annotated[models.DecideForm, Form()]) -> Response:
        excursions.decide(
            answer.site, number, answer.option, answer.fate, answer.by, answer.note, answer.supersedes or None
        )
        response = RedirectResponse(f"/excursions/{number}?site={answer.site}", 303)
        response.set_cookie(NAME_COOKIE, answer.by.encode().hex(), YEAR, httponly=True, samesite="lax")
        return response

    app.include_router(routes)


def _insight(found: AssetInsight) -> models.InsightModel:
    judged = found.judgement
    return models.InsightModel(
        at=iso(found.at) if found.at else None,
        act_within_min=found.act_within,
        time_left=[
            models.TimeLeftModel(
                quantity=one.quantity,
                limit=one.limit,
                minutes=one.minutes or 0.0,
                low=one.low or 0.0,
                high=one.high,
                learned=one.learned,
            )
            for one in found.times
        ],
        cause=None if judged is None else judged.cause,
        ranked=[models.RankedModel(cause=name, share=share) for name, share in (judged.ranked if judged else ())],
        evidence=[
            models.EvidenceModel(feature=one.feature, value=one.value, weight=one.weight)
            for one in (judged.evidence if judged else ())
        ],
    )


def _detail(view: ExcursionView) -> models.ExcursionDetail:
    facts = view.facts
    return models.ExcursionDetail(
        **convert.excursion(view.excursion).model_dump(),
        facts=None
        if facts is None
        else models.FactsModel(
            lasted_ms=facts.lasted,
            beyond_ms=facts.beyond,
            within_ms=facts.within,
            unknown_ms=facts.unknown,
            peak=facts.peak,
            peak_at=convert.moment(facts.peak_at),
            day_beyond_ms=facts.window_beyond,
            day_unknown_ms=facts.window_unknown,
            kinetic=None if facts.kinetic is None else round(facts.kinetic, 2),
        ),
        offers=[
            models.OfferModel(
                option=one.step.option,
                text=convert.text(one.step.text),
                basis=cited(one.step.basis),
                certain=one.certain,
            )
            for one in view.offers
        ],
        decisions=[_decision(one) for one in view.decisions],
    )


def _decision(one: FoodDecision) -> models.DecisionModel:
    return models.DecisionModel(id=one.id, option=one.option, fate=one.fate, by=one.by, at=iso(one.at), note=one.note)
