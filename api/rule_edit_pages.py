"""The pages on which rules are read, changed, tried and saved, and their history. HTML that works without scripts.

They call what the JSON routes call and decide nothing. Nothing is saved before it was tried: the form that saves stands
under the trial and sends what was tried. What is refused comes back on the same page, with everything as it was typed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from api import parameters as given
from api import rule_words
from api.command_models import LONGEST_NAME, LONGEST_NOTE
from api.command_pages import NAME_COOKIE, YEAR
from api.pages import Pages, SiteQuery
from api.rule_book import InForce, Opened, RuleBook, Texts
from api.rule_desk import RuleDesk, Trial, Wish
from api.rule_models import LONGEST_DOCUMENT
from api.view import View
from domain.alarms import Priority
from domain.errors import CaretakerError, NotFoundError
from domain.times import DAY
from rules.edit import suggested
from rules.guard import LegalLimitError, Loosening

COUNTED = 28  # days over which the list says how often a rule spoke
SPANS = (7, 30, 90)
VALUE = "value."  # prefix of the form's fields that hold a rule's values
# What the page for a new rule begins with: an operating limit, stricter than the legal one of the packs.
EXAMPLE = """\
id: my-fridge-warm
title: {en: Fridge warmer than we want, zh: 冷藏柜高于本校要求}
applies_to: {asset_type: [refrigerator], metric: temperature}
condition: {above: 6.0, deadband: 0.5}
on_delay: 45min
priority: low
response: {en: Look whether the door is closed, zh: 检查柜门是否关好}"""

Number = Annotated[int, Path(ge=1, le=given.LARGEST_ID)]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a form about rules sends: values or a whole text, for how many days to try, and who saves it why."""

    site: str
    revision: int
    days: int
    values: Mapping[str, str]
    text: str | None
    by: str
    why: str
    accept: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What the pages of one change share. `path`: the address that its forms send to, with /try and /save behind."""

    path: str
    title: str
    revision: int
    values: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    days: int = 30
    trial: Trial | None = None
    loosened: tuple[Loosening, ...] = ()
    refused: CaretakerError | None = None
    by: str = ""
    why: str = ""


def install(app: FastAPI, pages: Pages, desk: RuleDesk, book: RuleBook) -> None:
    """Add the pages to the app."""
    routes = APIRouter(include_in_schema=False)
    _Rules(pages, desk, book).add(routes)
    app.include_router(routes)


async def _sent(request: Request) -> Sent:
    """The form. CaretakerError for one that no page of this server has."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    if sum(map(len, form.values())) > LONGEST_DOCUMENT:
        raise CaretakerError("the text is too long", f"a rule has at most {LONGEST_DOCUMENT} characters")
    return Sent(
        site=form.get("site", ""),
        revision=_whole(form.get("revision", "")),
        days=min(max(_whole(form.get("days", "30")), 1), 366),
        values={name.removeprefix(VALUE): value for name, value in form.items() if name.startswith(VALUE)},
        text=form.get("text"),
        by=form.get("by", "").strip()[:LONGEST_NAME],
        why=form.get("why", "").strip()[:LONGEST_NOTE],
        accept=_whole(form.get("accept", "")),
    )


Form = Annotated[Sent, Depends(_sent)]


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


class _Rules:
    """The pages, on the operations that they are given."""

    def __init__(self, pages: Pages, desk: RuleDesk, book: RuleBook) -> None:
        self._pages, self._desk, self._book = pages, desk, book

    def add(self, routes: APIRouter) -> None:
        """Add every address."""
        self._lists(routes)
        self._changing(routes)
        self._new(routes)
        self._going_back(routes)
        self._again(routes)

    @staticmethod
    def _again(routes: APIRouter) -> None:
        """The address of a form's answer, asked for as a page (reloaded, or in another language): the form's page."""

        @routes.get("/rules/{form}/try")
        @routes.get("/rules/{form}/save")
        @routes.get("/rule-revisions/{form}/try")
        @routes.get("/rule-revisions/{form}/save")
        @routes.get("/rule-new/try")
        @routes.get("/rule-new/save")
        def again(request: Request) -> Response:
            path = request.url.path.rpartition("/")[0]
            return RedirectResponse(f"{path}?{request.url.query}" if request.url.query else path, 303)

    def _lists(self, routes: APIRouter) -> None:
        @routes.get("/rules")
        def listed(request: Request, site: SiteQuery = None) -> Response:
            view = self._pages.view(request, site)
            if view.known is None:
                return self._pages.draw(request, view, "empty.html")
            found = self._book.listed(view.known.catalogue.site, COUNTED)
            return self._pages.draw(request, view, "rules.html", found=found, days=COUNTED, judges=_judges(view))

        @routes.get("/rule-revisions")
        def history(
            request: Request, site: SiteQuery = None, before: Annotated[int | None, Query(ge=1, le=2**62)] = None
        ) -> Response:
            view = self._pages.view(request, site)
            if view.known is None:
                return self._pages.draw(request, view, "empty.html")
            found = self._book.history(view.known.catalogue.site, before)
            return self._pages.draw(request, view, "rule_revisions.html", found=found)

    def _changing(self, routes: APIRouter) -> None:
        @routes.get("/rules/{rule}")
        def one(
            request: Request,
            rule: given.RuleId,
            site: SiteQuery = None,
            change: Annotated[str, Query(alias="set", max_length=80)] = "",
            saved: Annotated[int | None, Query()] = None,
        ) -> Response:
            view, opened = self._opened(request, site, rule)
            values = _suggested(opened, change)
            return self._rule(request, view, opened, self._about(view, opened, values), saved=saved)

        @routes.post("/rules/{rule}/try")
        def tried(request: Request, rule: given.RuleId, form: Form) -> Response:
            view, opened = self._opened(request, form.site, rule)
            shown = self._tried(self._about(view, opened, form.values, form), form, self._changed(rule, form))
            return self._rule(request, view, opened, shown)

        @routes.post("/rules/{rule}/save")
        def save(request: Request, rule: given.RuleId, form: Form) -> Response:
            view, opened = self._opened(request, form.site, rule)
            about = self._about(view, opened, form.values, form)
            done = self._saved(view, about, form, self._changed(rule, form))
            return done if isinstance(done, Response) else self._rule(request, view, opened, done)

    def _new(self, routes: APIRouter) -> None:
        def about(request: Request, site: str | None, form: Sent | None) -> tuple[View, Desk]:
            view = self._view(request, site)
            title = view.language.gettext("A rule of your own")
            revision = self._book.revision_in_force(_site(view))
            return view, Desk("/rule-new", title, revision, text=None if form is None else form.text or "")

        def drawn(request: Request, view: View, shown: Desk) -> Response:
            common = self._common(view, shown)
            return self._pages.draw(request, view, "rule_new.html", _status(shown), example=EXAMPLE, **common)

        def changed(form: Sent) -> Callable[[], Texts]:
            return lambda: self._book.with_added(form.site, form.text or "")

        @routes.get("/rule-new")
        def empty(request: Request, site: SiteQuery = None) -> Response:
            return drawn(request, *about(request, site, None))

        @routes.post("/rule-new/try")
        def tried(request: Request, form: Form) -> Response:
            view, shown = about(request, form.site, form)
            return drawn(request, view, self._tried(shown, form, changed(form)))

        @routes.post("/rule-new/save")
        def save(request: Request, form: Form) -> Response:
            view, shown = about(request, form.site, form)
            done = self._saved(view, shown, form, changed(form), "/rules")
            return done if isinstance(done, Response) else drawn(request, view, done)

    def _going_back(self, routes: APIRouter) -> None:
        def about(request: Request, site: str | None, number: int) -> tuple[View, Desk]:
            view = self._view(request, site)
            title = view.language.gettext("Rules as of revision {n}").replace("{n}", str(number))
            self._book.revision(_site(view), number)
            return view, Desk(f"/rule-revisions/{number}", title, self._book.revision_in_force(_site(view)))

        def drawn(request: Request, view: View, number: int, shown: Desk) -> Response:
            site = _site(view)
            return self._pages.draw(
                request, view, "rule_revision.html", _status(shown), one=self._book.revision(site, number),
                changes=self._book.changes(site, number), lines=self._book.difference(site, number),
                **self._common(view, shown),
            )  # fmt: skip

        def changed(form: Sent, number: int) -> Callable[[], Texts]:
            return lambda: self._book.revision(form.site, number).documents

        @routes.get("/rule-revisions/{number}")
        def one(request: Request, number: Number, site: SiteQuery = None) -> Response:
            view, shown = about(request, site, number)
            return drawn(request, view, number, shown)

        @routes.post("/rule-revisions/{number}/try")
        def tried(request: Request, number: Number, form: Form) -> Response:
            view, shown = about(request, form.site, number)
            return drawn(request, view, number, self._tried(shown, form, changed(form, number)))

        @routes.post("/rule-revisions/{number}/save")
        def save(request: Request, number: Number, form: Form) -> Response:
            view, shown = about(request, form.site, number)
            done = self._saved(view, shown, form, changed(form, number), "/rule-revisions")
            return done if isinstance(done, Response) else drawn(request, view, number, done)

    def _tried(self, shown: Desk, form: Sent, changed: Callable[[], Texts]) -> Desk:
        """The desk with what the change would do, or with why it cannot be tried."""
        now = self._pages.operations.clock()
        try:
            trial = self._desk.try_rules(form.site, changed(), now - form.days * DAY, now)
        except NotFoundError:
            raise
        except CaretakerError as error:
            return _with(shown, form, refused=error)
        return _with(shown, form, trial=trial, loosened=trial.loosened)

    def _saved(
        self, view: View, shown: Desk, form: Sent, changed: Callable[[], Texts], leads_to: str = ""
    ) -> Desk | Response:
        """Back to the rule (or where it leads to) when it was saved; else the trial again, with why it was not."""
        try:
            if not form.by or not form.why:
                raise CaretakerError("who saves it, and why, must be said", "fill in both fields")
            wish = Wish(form.why, form.accept, form.revision)
            revision = self._desk.save_rules(form.site, changed(), form.by, form.days, wish)
        except NotFoundError:
            raise
        except LegalLimitError as error:
            return _with(shown, form, refused=error, loosened=tuple(error.loosenings))
        except CaretakerError as error:
            return _with(self._tried(shown, form, changed), form, refused=error)
        response = RedirectResponse(view.link(leads_to or shown.path, saved=revision.number), 303)
        response.set_cookie(NAME_COOKIE, form.by.encode().hex(), YEAR, httponly=True, samesite="lax")
        return response

    def _changed(self, rule: str, form: Sent) -> Callable[[], Texts]:
        if form.text is not None:
            return lambda: self._book.with_text(form.site, rule, form.text or "")
        return lambda: self._book.with_values(form.site, rule, form.values)

    def _view(self, request: Request, site: str | None) -> View:
        view = self._pages.view(request, site or None)
        if view.known is None:
            raise NotFoundError("there is no site yet", "apply a catalogue: caretaker site apply site.yaml")
        return view

    def _opened(self, request: Request, site: str | None, rule: str) -> tuple[View, Opened]:
        view = self._view(request, site)
        return view, self._book.opened(_site(view), rule)

    def _about(self, view: View, opened: Opened, values: Mapping[str, str], form: Sent | None = None) -> Desk:
        present = {one.name: one.text for one in opened.fields}
        text = None if form is None else form.text
        return Desk(
            f"/rules/{opened.rule.id}", view.rule_title(opened.rule.id), opened.revision.number,
            values={**present, **values}, text=text,
        )  # fmt: skip

    def _rule(self, request: Request, view: View, opened: Opened, shown: Desk, saved: int | None = None) -> Response:
        return self._pages.draw(
            request, view, "rule.html", _status(shown), opened=opened, saved=saved, judges=_judges(view),
            levels=len(opened.rule.levels), priorities=list(Priority), unit=_unit(view, opened),
            **self._common(view, shown),
        )  # fmt: skip

    @staticmethod
    def _common(view: View, shown: Desk) -> dict[str, Any]:
        return {"shown": shown, "spans": SPANS, "words": rule_words, "name": shown.by or view.person}


def _site(view: View) -> str:
    assert view.known is not None
    return view.known.catalogue.site


def _with(shown: Desk, form: Sent, **more: Any) -> Desk:
    base = {name: getattr(shown, name) for name in Desk.__slots__}
    return Desk(**{**base, "days": form.days, "by": form.by, "why": form.why, **more})


def _status(shown: Desk) -> int:
    if shown.refused is None:
        return 200
    return 409 if shown.trial is not None or shown.loosened else 422


def _suggested(opened: Opened, change: str) -> Mapping[str, str]:
    try:
        return suggested(opened.fields, change)
    except ValueError:  # an address that somebody typed
        return {}


def _judges(view: View) -> Callable[[InForce | Opened], str]:
    """What a rule judges: the names of up to three assets."""

    def judges(one: InForce | Opened) -> str:
        names = list(dict.fromkeys(view.asset_name(point.partition("/")[0]) for point in one.points))
        more = view.language.gettext("{n} more").replace("{n}", str(len(names) - 3))
        return view.language.gettext(", ").join([*names[:3], *([more] if len(names) > 3 else [])])

    return judges


def _unit(view: View, opened: Opened) -> str:
    """Sign of the unit in which the rule's limits are written; empty where it judges nothing."""
    point = view.point(opened.points[0]) if opened.points else None
    return "" if point is None else point.unit.symbol
