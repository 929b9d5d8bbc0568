"""One message for one cause: whether a raise is told by itself, as the head of an incident, or not at all.

Looks at what `notify.decide` wants to page. Nobody is told of an alarm while its cause may still be on its way (for the
incident rule's settle time), and of the alarms of one incident only the first is told, as the incident, and each later
one that is graver than all before it. It decides from the alarm log alone, so a restart changes nothing. Pure.
"""

from collections.abc import Callable, Sequence

from domain.alarms import EventKind, Transition
from domain.emptying import empty_first
from domain.episodes import Episode, episodes
from domain.incidents import Incident, IncidentPlan
from domain.ports import Outbox
from domain.records import TransitionFilter
from domain.times import DAY
from notify.decide import Action, Verdict, Why
from notify.message import Notice

LOG_SPAN = 3 * DAY  # of event time in which the cause of a new alarm is looked for
MOST_LOG = 5_000  # transitions; a cause before them is not found, and its alarms are told by themselves

IncidentPlans = Callable[[str], IncidentPlan | None]  # site -> its incident rules

_RAISES = (EventKind.RAISE, EventKind.STEP_UP)


def weigh(
    transition: Transition, verdict: Verdict, plan: IncidentPlan, log: Sequence[Episode], now: int, may_wait: bool
) -> tuple[Verdict, Incident | None]:
    """The verdict with incidents in mind, and the incident that the message is about.

    `log`: the site's recent episodes; `now` in UTC ms. Only a page of a raise or a step up is ever changed.
    """
    if verdict.action is not Action.PAGE or transition.event not in _RAISES:
        return verdict, None
    incident = next((one for one in plan.gather(log, now) if any(_is(each, transition) for each in one.episodes)), None)
    if incident is None:
        settled = transition.detected_at + plan.settle_of(transition.key)
        return (Verdict(Action.WAIT, Why.MAY_HAVE_A_CAUSE) if may_wait and now < settled else verdict), None
    if incident.cause is not None and _is(incident.cause, transition):
        return Verdict(Action.PAGE, Why.INCIDENT), incident
    before = _told_before(incident, transition)
    if not before:
        return Verdict(Action.PAGE, Why.INCIDENT), incident
    rank = -1 if transition.priority is None else transition.priority.rank
    if rank > max(one.priority.rank for one in before):
        return Verdict(Action.PAGE, Why.INCIDENT_GRAVER), incident
    return Verdict(Action.NONE, Why.IN_INCIDENT), incident


def _is(one: Episode, transition: Transition) -> bool:
    """Whether the transition is this episode's raise, or a step of it."""
    if one.key != transition.key:
        return False
    if transition.event is EventKind.RAISE:
        return one.raised_at == transition.at
    return one.raised_at <= transition.at and (one.cleared_at is None or transition.at <= one.cleared_at)


def _told_before(incident: Incident, transition: Transition) -> list[Episode]:
    """The cause, and the children that were known before this one (by time, then by name)."""
    mine = next(one for one in incident.episodes if _is(one, transition))
    earlier = [one for one in incident.children if one is not mine and _order(one) < _order(mine)]
    return earlier if incident.cause is None else [incident.cause, *earlier]


def _order(one: Episode) -> tuple[int, int, str, str]:
    return one.known_at, one.raised_at, one.key.rule, one.key.point


class Incidents:
    """The incidents of one round of notify: each site's log is read once, and only when somebody would be paged."""

    def __init__(self, outbox: Outbox, plans: IncidentPlans | None, now: int) -> None:
        self._outbox, self._plans, self._now = outbox, plans, now
        self._known: dict[str, tuple[IncidentPlan, list[Episode]] | None] = {}

    def weigh(self, transition: Transition, verdict: Verdict, may_wait: bool) -> Notice:
        """The notice that becomes of it."""
        known = self._site(transition.site) if verdict.action is Action.PAGE else None
        if known is None:
            return Notice(transition, verdict)
        plan, log = known
        weighed, incident = weigh(transition, verdict, plan, log, self._now, may_wait)
        if incident is None or weighed.action is not Action.PAGE or not incident.rule.empty_first:
            return Notice(transition, weighed, incident)
        latest = {one.point: one for one in self._outbox.latest(transition.site)}
        return Notice(transition, weighed, incident, tuple(empty_first(plan.under(incident), latest, self._now)))

    def _site(self, site: str) -> tuple[IncidentPlan, list[Episode]] | None:
        if site not in self._known:
            plan = None if self._plans is None else self._plans(site)
            self._known[site] = None if plan is None or not plan.rules else (plan, self._log(site))
        return self._known[site]

    def _log(self, site: str) -> list[Episode]:
        where = TransitionFilter(site, start=self._now - LOG_SPAN)
        return episodes(reversed(self._outbox.transitions(where, MOST_LOG)))
