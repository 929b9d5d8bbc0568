"""The forms of the pages: each does one command and leads back, remembering who it was.

They call the same operations as the JSON routes; a length ("for two hours") stands for a moment, because a kitchen
thinks in lengths. What is refused comes back as a page in the words of the API's problem.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from api import command_models as said
from api import parameters as given
from api.command_routes import Key, heard
from api.commands import Said
from api.operations import Operations
from domain.alarms import AlarmKey

NAME_COOKIE = "caretaker_name"
YEAR = 365 * 24 * 3600


def add(routes: APIRouter, operations: Operations) -> None:
    """Add the address of every form."""
    alarm = APIRouter(prefix="/alarms/{rule}/{asset}/{metric}")
    _answers(alarm, operations)
    _overlays(alarm, operations)
    _notes(alarm, operations)
    routes.include_router(alarm)
    _service(routes, operations)


def local(back: str) -> str:
    """The path to return to: only within this server, so that no link can send anybody elsewhere."""
    return back if back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable() else "/"


def _back(form: said.Form) -> Response:
    response = RedirectResponse(local(form.back), 303)
    response.set_cookie(NAME_COOKIE, form.by.encode().hex(), YEAR, httponly=True, samesite="lax")
    return response


def _plain(routes: APIRouter, path: str, do: Callable[[str, AlarmKey, Said], object]) -> None:
    """A command that needs to be told no more than who."""

    @routes.post(path)
    def told(key: Key, form: Annotated[said.CommandForm, Form()]) -> Response:
        do(form.site, key, heard(form))
        return _back(form)


def _answers(routes: APIRouter, operations: Operations) -> None:
    act = operations.commands

    @routes.post("/acknowledge")
    def acknowledge(key: Key, form: Annotated[said.AcknowledgeForm, Form()]) -> Response:
        act.acknowledge(form.site, key, heard(form), form.nuisance)
        return _back(form)

    @routes.post("/confirm")
    def confirm(key: Key, form: Annotated[said.ConfirmForm, Form()]) -> Response:
        act.confirm(form.site, key, heard(form), form.remedy, form.food)
        return _back(form)

    _plain(routes, "/silence", act.silence)
    _plain(routes, "/reset", act.reset)


def _overlays(routes: APIRouter, operations: Operations) -> None:
    act = operations.commands

    @routes.post("/shelve")
    def shelve(key: Key, form: Annotated[said.ShelveForm, Form()]) -> Response:
        act.shelve(form.site, key, heard(form), operations.clock() + form.lasting)
        return _back(form)

    @routes.post("/suppress")
    def suppress(key: Key, form: Annotated[said.ShelveForm, Form()]) -> Response:
        act.suppress_by_hand(form.site, key, heard(form), operations.clock() + form.lasting)
        return _back(form)

    _plain(routes, "/unshelve", act.unshelve)
    _plain(routes, "/unsuppress", act.unsuppress)


def _notes(routes: APIRouter, operations: Operations) -> None:
    act = operations.commands

    @routes.post("/assign")
    def assign(key: Key, form: Annotated[said.AssignForm, Form()]) -> Response:
        act.assign(form.site, key, heard(form), form.to.strip())
        return _back(form)

    @routes.post("/comment")
    def comment(key: Key, form: Annotated[said.CommentForm, Form()]) -> Response:
        act.comment(form.site, key, heard(form))
        return _back(form)


def _service(routes: APIRouter, operations: Operations) -> None:
    act = operations.commands

    @routes.post("/assets/{asset}/remove-from-service")
    def remove_from_service(asset: given.AssetId, form: Annotated[said.OutOfServiceForm, Form()]) -> Response:
        until = None if form.lasting is None else operations.clock() + form.lasting
        act.remove_from_service(form.site, asset, Said(form.by, form.note), until)
        return _back(form)

    @routes.post("/assets/{asset}/return-to-service")
    def return_to_service(asset: given.AssetId, form: Annotated[said.BackInServiceForm, Form()]) -> Response:
        act.return_to_service(form.site, asset, Said(form.by, form.note))
        return _back(form)
