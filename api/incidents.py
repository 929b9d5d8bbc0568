"""The incidents of a site for programs and pages: what has one cause, where it stands, which cold units to empty first.

Worked out on every look from the alarm log and the asset tree (`domain.incidents`): there is nothing to store and
nothing that could disagree with the alarms. It decides only what is shown; bounded like `api.operations`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from api.insight import InsightDesk
from api.operations import Operations, Span
from api.rule_desk import RuleDesk
from domain.alarms import ACTIVE_STATES, Alarm, AlarmKey, AlarmState, Priority
from domain.catalogue import Asset, Catalogue, Label
from domain.emptying import DRIFT, Unit, empty_first
from domain.errors import NotFoundError
from domain.incidents import Gathers, Incident, IncidentPlan
from domain.times import DAY, MINUTE
from rules.incident_rules import incident_plan
from rules.insight.thermal import Quantity

SHOWN = 3 * DAY  # how far back an incident that is still open may have begun to be found
LONGEST = 40 * DAY
MOST_LEARNED = 30  # units of an incident whose past is looked at: each takes some hundredths of a second


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One incident as it is shown; `open`: its cause lasts, or one of its alarms is active or unanswered."""

    incident: Incident
    title: Label
    where: Label
    open: bool
    unanswered: int
    units: tuple[Unit, ...]

    @property
    def priority(self) -> Priority:
        """The gravest of its alarms."""
        return max((one.priority for one in self.incident.episodes), key=lambda each: each.rank)

    @property
    def keys(self) -> frozenset[AlarmKey]:
        """The alarms that are shown under it."""
        return frozenset(one.key for one in self.incident.episodes)


class IncidentDesk:
    """Looks incidents up; safe to call from several threads when the stores are."""

    def __init__(self, operations: Operations, desk: RuleDesk, insight: InsightDesk) -> None:
        self._operations = operations
        self._desk = desk
        self._insight = insight

    def incidents(self, site: str, span: Span) -> list[IncidentView]:
        """Those that began in the span, the newest first. NotFoundError for an unknown site."""
        if span.end - span.start > LONGEST:
            span = Span(span.end - LONGEST, span.end)
        plan = self._plan(site)
        if not plan.rules:
            return []
        now = self._operations.clock()
        alarms = {one.key: one for one in self._operations.state(site).alarms}
        found = plan.gather(self._desk.episodes(site, span.start - DAY, span.end), now)
        return [self._view(site, plan, one, alarms, now) for one in reversed(found) if span.start <= one.start]

    def open(self, site: str) -> list[IncidentView]:
        """Those that somebody must still look at, the newest first."""
        now = self._operations.clock()
        return [one for one in self.incidents(site, Span(now - SHOWN, now + 1)) if one.open]

    def incident(self, site: str, name: str) -> IncidentView:
        """The incident of that id, or NotFoundError."""
        start = name.rpartition(".")[2]
        if start.isascii() and start.isdigit() and len(start) < 16:
            span = Span(int(start), int(start) + LONGEST)
            for one in self.incidents(site, span):
                if one.incident.id == name:
                    return one
        raise NotFoundError(f"the site {site!r} has no incident {name!r}", f"list them: /api/v1/sites/{site}/incidents")

    def _plan(self, site: str) -> IncidentPlan:
        known = self._operations.site(site)
        return incident_plan(known.rules, known.catalogue)

    def _view(
        self, site: str, plan: IncidentPlan, incident: Incident, alarms: dict[AlarmKey, Alarm], now: int
    ) -> IncidentView:
        present = [alarms[one.key] for one in incident.episodes if one.key in alarms]
        unanswered = {one.key for one in present if one.state not in (AlarmState.NORMAL, AlarmState.ACKNOWLEDGED)}
        active = any(one.state in ACTIVE_STATES for one in present)
        units: tuple[Unit, ...] = ()
        if incident.rule.empty_first and incident.end is None:
            latest = {row.point: row for row in self._operations.latest(site)}
            assets = plan.under(incident)
            units = tuple(empty_first(assets, latest, now, left=self._learned(plan.catalogue, assets)))
        return IncidentView(
            incident=incident,
            title=incident.rule.title,
            where=_where(plan, incident),
            open=incident.end is None or active or bool(unanswered),
            unanswered=len(unanswered),
            units=units,
        )

    def _learned(self, catalogue: Catalogue, assets: Sequence[Asset]) -> dict[str, int]:
        """Time left (ms) of the units whose own past tells how fast they warm, on the short side of the estimate."""
        found: dict[str, int] = {}
        for asset in [one for one in assets if one.type in DRIFT][:MOST_LEARNED]:
            food = f"{asset.id}/product_temperature" in catalogue.by_name
            wanted = Quantity.PRODUCT if food else Quantity.AIR
            for one in self._insight.of_asset(catalogue.site, asset.id).times:
                if one.quantity is wanted and one.learned and one.low is not None:
                    found[asset.id] = int(one.low * MINUTE)
        return found


def _where(plan: IncidentPlan, incident: Incident) -> Label:
    """The name of the root for people: an asset's, an area's or the site's; an agent has only its id."""
    catalogue = plan.catalogue
    gathers = incident.rule.gathers
    if gathers is Gathers.SITE:
        return catalogue.label
    if gathers is Gathers.AREA:
        return next((area.label for area in catalogue.areas if area.id == incident.root), Label(incident.root))
    asset = catalogue.assets_by_id.get(incident.root)
    return Label(incident.root) if gathers is Gathers.AGENT or asset is None else asset.label
