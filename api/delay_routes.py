"""The route of running delays; `api.delays` works them out."""

from fastapi import APIRouter
from pydantic import Field

from api import parameters as given
from api.convert import number
from api.delays import Delay, DelayDesk
from api.models import Model, Time
from api.operations import Operations
from domain.times import iso


class DelayModel(Model):
    """A rule's next level at a point that is out of order, and not yet for as long as the rule asks."""

    rule: str
    point: str = Field(examples=["fridge-1/temperature"])
    level: int
    above: float | None = Field(description="the limit, in the point's unit; null when it is none")
    below: float | None
    since: Time = Field(description="when it began")
    met_ms: int = Field(description="for how long of known time it has held")
    delay_ms: int = Field(description="for how long it must hold until the alarm is raised")
    known_until: Time | None = Field(
        description="nothing is counted after it until the next reading (none came, or a mask is on); null: counting"
    )
    silent: bool = Field(description="the point says nothing any more")
    value: float | None = Field(description="in force at the end of what is known")


def add(routes: APIRouter, operations: Operations, desk: DelayDesk) -> None:
    """Add the route to the API's."""

    @routes.get("/sites/{site}/assets/{asset}/delays", tags=["alarms"], summary="Delays that are running")
    def delays(site: given.SiteId, asset: given.AssetId) -> list[DelayModel]:
        """What is out of order and not yet an alarm, and how much of its delay has passed; kept while a point is
        silent."""
        return [_delay(one) for one in desk.of_asset(operations.state(site), asset)]


def _delay(one: Delay) -> DelayModel:
    found, limit = one.pending, one.limit
    return DelayModel(
        rule=found.rule,
        point=one.point.name,
        level=found.level,
        above=None if limit is None else limit.above,
        below=None if limit is None else limit.below,
        since=iso(found.since),
        met_ms=found.met,
        delay_ms=found.delay,
        known_until=None if found.known_until is None else iso(found.known_until),
        silent=one.silent,
        value=number(found.value),
    )
