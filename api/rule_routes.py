"""The JSON routes about rules: how good the alarms are, try a change, save it. `api.rule_desk` decides, not they."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query

from api import convert
from api import parameters as given
from api import rule_models as models
from api.operations import Operations
from api.problems import Kind, Problem, ProblemError, classify
from api.rule_book import InForce, Opened, RuleBook
from api.rule_desk import RuleDesk, Trial, Wish, report_record
from domain.errors import CaretakerError
from domain.records import Revision
from domain.times import DAY, iso
from rules.as_records import comparison_record
from rules.model import BasisKind

Answer = TypeVar("Answer")
_PROBLEM = {"model": Problem, "content": {"application/problem+json": {}}}
_REFUSED: dict[int | str, dict[str, object]] = {
    403: {**_PROBLEM, "description": "a page of another site sent the request"},
    409: {**_PROBLEM, "description": "it would loosen a legal limit, or hide real excursions that nobody accepted"},
    422: {**_PROBLEM, "description": "a rule file cannot be used; the detail says file, line and remedy"},
}


def add(routes: APIRouter, operations: Operations, desk: RuleDesk, book: RuleBook) -> None:
    """Add the routes to the API's."""
    _quality(routes, operations, desk)
    _rules(routes, operations, desk)
    _book(routes, book)


def _quality(routes: APIRouter, operations: Operations, desk: RuleDesk) -> None:
    @routes.get("/sites/{site}/alarm-quality", tags=["rules"], summary="How good the alarms are")
    def alarm_quality(
        site: given.SiteId,
        days: Annotated[int, Query(ge=1, le=366, description="up to now")] = 30,
        suggest: Annotated[int, Query(ge=0, le=10, description="for so many of the worst: try what would help")] = 0,
    ) -> models.ReportModel:
        """Figures per site and role; ISA-18.2 asks for 30 days or more."""
        now = operations.clock()
        report = _asked(lambda: desk.report(site, now - days * DAY, now))
        helpful = _asked(lambda: desk.suggestions(site, report, suggest))
        return models.ReportModel.model_validate(report_record(report, helpful))


def _rules(routes: APIRouter, operations: Operations, desk: RuleDesk) -> None:
    @routes.post("/sites/{site}/rules/try", tags=["rules"], summary="Try rules on stored history", responses=_REFUSED)
    def try_rules(
        site: given.SiteId,
        wanted: models.RuleDocuments,
        days: Annotated[int, Query(ge=1, le=366, description="of history, up to now")] = 30,
    ) -> models.TrialModel:
        """Which alarms would be lost, gained, hidden; which legal limits loosened. Nothing is saved."""
        now = operations.clock()
        return _tried(_asked(lambda: desk.try_rules(site, _documents(wanted), now - days * DAY, now)))

    @routes.post("/sites/{site}/rules", tags=["rules"], summary="Save rules", responses=_REFUSED)
    def save_rules(site: given.SiteId, wanted: models.SaveRules) -> models.SavedRules:
        """In force within seconds. Refused when it loosens a legal limit, or hides more than was accepted."""
        documents = _documents(wanted)
        wish = Wish(wanted.why, wanted.accept_hidden, wanted.revision)
        revision = _asked(lambda: desk.save_rules(site, documents, wanted.by, wanted.days, wish))
        return models.SavedRules(site=site, revision=revision.number)


def _book(routes: APIRouter, book: RuleBook) -> None:
    @routes.get("/sites/{site}/rules", tags=["rules"], summary="The rules in force")
    def rules(
        site: given.SiteId, days: Annotated[int, Query(ge=1, le=366, description="over which alarms are counted")] = 28
    ) -> models.RulesModel:
        """Each with what it judges, where it comes from, how often it spoke, and what a form may change of it."""
        revision, found = book.revision_in_force(site), _asked(lambda: book.listed(site, days))
        return models.RulesModel(
            revision=revision, rules=[_in_force(one, book.opened(site, one.rule.id)) for one in found]
        )

    @routes.get("/sites/{site}/rule-revisions", tags=["rules"], summary="Who saved rules, when and why")
    def revisions(
        site: given.SiteId,
        before: Annotated[int | None, Query(ge=1, le=given.LARGEST_ID, description="numbers below this one")] = None,
    ) -> list[models.RevisionModel]:
        """Newest first, at most 50."""
        return [models.RevisionModel.model_validate(_revision(one)) for one in book.history(site, before)]

    @routes.get("/sites/{site}/rule-revisions/{number}", tags=["rules"], summary="The rules as they once were")
    def revision(
        site: given.SiteId, number: Annotated[int, Path(ge=1, le=given.LARGEST_ID, description="of the revision")]
    ) -> models.RevisionDetail:
        """Its documents, to look at or to save again, and what it changed."""
        one = book.revision(site, number)
        return models.RevisionDetail(
            **_revision(one),
            documents=[models.RuleDocument(name=name, text=text) for name, text in one.documents],
            changed=[models.ChangedRule(rule=each.rule, how=each.how) for each in book.changes(site, number)],
        )


def _revision(one: Revision) -> dict[str, Any]:
    return {"revision": one.number, "at": iso(one.applied_at), "by": one.applied_by, "why": one.why}


def _in_force(one: InForce, opened: Opened) -> models.RuleModel:
    basis = one.rule.basis
    return models.RuleModel(
        rule=one.rule.id,
        title=convert.text(one.rule.title),
        points=list(one.points),
        basis=BasisKind.OPERATING if basis is None else basis.kind,
        document="" if basis is None else basis.document,
        alarms=one.told,
        text=opened.text,
        values=[models.RuleValue(name=each.name, kind=each.kind, text=each.text) for each in opened.fields],
    )


def _asked(call: Callable[[], Answer]) -> Answer:
    """The call's answer; what is wrong with the rules or the span is the caller's to mend, hence 422."""
    try:
        return call()
    except CaretakerError as error:
        if classify(error)[1] is not Kind.UNUSABLE_CONFIGURATION:
            raise
        raise ProblemError(422, Kind.INVALID_REQUEST, error.message, error.remedy) from error


def _documents(wanted: models.RuleDocuments) -> list[tuple[str, str]]:
    return [(one.name, one.text) for one in wanted.documents]


def _tried(trial: Trial) -> models.TrialModel:
    return models.TrialModel.model_validate(
        {
            "effect": comparison_record(trial.effect),
            "loosened": [{"rule": one.rule, "what": one.what, "document": one.document} for one in trial.loosened],
            "findings": [str(one) for one in trial.findings],
            "fits": trial.fits,
        }
    )
