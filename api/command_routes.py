"""The JSON routes that change something, under /api/v1: a body says who and what, the answer is what came of it."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api import command_models as said
from api import convert
from api import parameters as given
from api.commands import Said
from api.operations import Operations
from api.problems import PROBLEM
from domain.alarms import AlarmKey, Transition
from domain.ids import PointName

_REFUSED: dict[int | str, dict[str, object]] = {
    403: {**PROBLEM, "description": "a page of another site sent the request"},
    409: {**PROBLEM, "description": "the state does not allow it, or the alarm changed since you saw it"},
}


def _key(rule: given.RuleId, asset: given.AssetId, metric: given.MetricId) -> AlarmKey:
    return AlarmKey(rule, str(PointName(asset, metric)))


Key = Annotated[AlarmKey, Depends(_key)]


def add(routes: APIRouter, operations: Operations) -> None:
    """Add every command to the router."""
    alarm = APIRouter(prefix="/sites/{site}/alarms/{rule}/{asset}/{metric}", tags=["alarms"], responses=_REFUSED)
    _answers(alarm, operations)
    _overlays(alarm, operations)
    _notes(alarm, operations)
    routes.include_router(alarm)
    asset = APIRouter(prefix="/sites/{site}/assets/{asset}", tags=["catalogue"], responses=_REFUSED)
    _service(asset, operations)
    routes.include_router(asset)


def heard(body: said.Command) -> Said:
    """The part that every command has."""
    return Said(body.by, body.note, body.version)


def _done(operations: Operations, site: str, key: AlarmKey, transition: Transition) -> said.Done:
    alarm = convert.alarm(operations.site(site), operations.alarm(site, key))
    return said.Done(transition=convert.transition(transition), alarm=alarm)


def _answers(routes: APIRouter, operations: Operations) -> None:
    act = operations.commands

    @routes.post("/acknowledge", summary="Acknowledge an alarm")
    def acknowledge(site: given.SiteId, key: Key, body: said.Acknowledge) -> said.Done:
        """Record who has seen it. Nothing changes when the state does not allow it or the version is an older one."""
        return _done(operations, site, key, act.acknowledge(site, key, heard(body), body.nuisance))

    @routes.post("/confirm", summary="Record a corrective action")
    def confirm(site: given.SiteId, key: Key, body: said.Confirm) -> said.Done:
        """What was done and what became of the food; as often as there is something to record, once it was seen."""
        return _done(operations, site, key, act.confirm(site, key, heard(body), body.remedy, body.food))

    @routes.post("/silence", summary="Stop an alarm's messages")
    def silence(site: given.SiteId, key: Key, body: said.Command) -> said.Done:
        """No messages of it until it is raised, gets worse, or comes from under an overlay. It still owes an answer."""
        return _done(operations, site, key, act.silence(site, key, heard(body)))

    @routes.post("/reset", summary="Release a latched alarm")
    def reset(site: given.SiteId, key: Key, body: said.Command) -> said.Done:
        """For an alarm that is over, was acknowledged, and is held by its rule until somebody has looked."""
        return _done(operations, site, key, act.reset(site, key, heard(body)))


def _overlays(routes: APIRouter, operations: Operations) -> None:
    act = operations.commands

    @routes.post("/shelve", summary="Set an alarm aside for a time")
    def shelve(site: given.SiteId, key: Key, body: said.Shelve) -> said.Done:
        """Never for ever: the settings limit how long, and a legal limit's alarm more strictly (422)."""
        return _done(operations, site, key, act.shelve(site, key, heard(body), body.until))

    @routes.post("/unshelve", summary="Take an alarm from the shelf")
    def unshelve(site: given.SiteId, key: Key, body: said.Command) -> said.Done:
        """Before its time. While the condition holds it is told as if it were new."""
        return _done(operations, site, key, act.unshelve(site, key, heard(body)))

    @routes.post("/suppress", summary="Suppress an alarm by design")
    def suppress(site: given.SiteId, key: Key, body: said.Suppress) -> said.Done:
        """For programs: a rule or an incident, named in `by`, explains this alarm. People shelve."""
        return _done(operations, site, key, act.suppress(site, key, heard(body), body.until))

    @routes.post("/unsuppress", summary="Lift a suppression")
    def unsuppress(site: given.SiteId, key: Key, body: said.Command) -> said.Done:
        """While the condition holds it is told as if it were new."""
        return _done(operations, site, key, act.unsuppress(site, key, heard(body)))


def _notes(routes: APIRouter, operations: Operations) -> None:
    act = operations.commands

    @routes.post("/assign", summary="Say whose an alarm is")
    def assign(site: given.SiteId, key: Key, body: said.Assign) -> said.Done:
        """A person or a role; in any state. It stays theirs until the alarm begins anew from normal."""
        return _done(operations, site, key, act.assign(site, key, heard(body), body.to.strip()))

    @routes.post("/comment", summary="Comment on an alarm")
    def comment(site: given.SiteId, key: Key, body: said.Comment) -> said.Done:
        """In any state; it stands in the log."""
        return _done(operations, site, key, act.comment(site, key, heard(body)))


def _service(routes: APIRouter, operations: Operations) -> None:
    act = operations.commands

    def changed(site: str, asset: str, transitions: tuple[Transition, ...]) -> said.ServiceChanged:
        state = operations.state(site)
        state.known.asset(asset)
        present = next(convert.asset(state.known, one) for one in state.assets if one.asset.id == asset)
        return said.ServiceChanged(transitions=[convert.transition(one) for one in transitions], asset=present)

    @routes.post("/remove-from-service", summary="Take an asset out of service")
    def remove_from_service(site: given.SiteId, asset: given.AssetId, body: said.OutOfService) -> said.ServiceChanged:
        """The asset and all its alarms, also those that are raised for the first time meanwhile."""
        return changed(site, asset, act.remove_from_service(site, asset, Said(body.by, body.note), body.until))

    @routes.post("/return-to-service", summary="Put an asset back into service")
    def return_to_service(site: given.SiteId, asset: given.AssetId, body: said.BackInService) -> said.ServiceChanged:
        """What is still out of order is told as if it were new."""
        return changed(site, asset, act.return_to_service(site, asset, Said(body.by, body.note)))
