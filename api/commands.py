"""What people and programs may do to alarms and assets: the operations behind the command routes and the forms.

Each makes one event of the lifecycle and hands it to the operational store, which applies, logs and audits it in one
transaction. What is decided here: how long an alarm may stay on the shelf, which depends on its rule.
NotFoundError, ConflictError and IllegalTransitionError (from the store) change nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict, Unpack

from api.knowledge import Knowledge
from api.problems import Kind, ProblemError
from api.settings import ShelfLimits
from domain.alarms import AlarmEvent, AlarmKey, EventKind, FoodFate, Nuisance, Reason, Remedy, Transition
from domain.errors import NotFoundError
from domain.ports import Console
from domain.times import format_duration, iso
from rules.model import BasisKind


@dataclass(frozen=True, slots=True)
class Said:
    """Who does it, what they say, and which version of the alarm they saw (None: the present one is meant)."""

    by: str
    note: str = ""
    version: int | None = None


class Words(TypedDict, total=False):
    """What single commands say beyond `Said`."""

    until: int | None
    nuisance: Nuisance | None
    remedy: Remedy
    food: FoodFate
    assignee: str


class Commands:
    """Every command, on the store and the clock that it is given."""

    def __init__(self, console: Console, knowledge: Knowledge, clock: Callable[[], int], limits: ShelfLimits) -> None:
        self._console, self._knowledge, self._clock, self._limits = console, knowledge, clock, limits

    def acknowledge(self, site: str, key: AlarmKey, said: Said, nuisance: Nuisance | None = None) -> Transition:
        """Somebody has seen it; perhaps it told nothing new, and why."""
        return self._do(EventKind.ACKNOWLEDGE, site, key, said, nuisance=nuisance)

    def confirm(self, site: str, key: AlarmKey, said: Said, remedy: Remedy, food: FoodFate) -> Transition:
        """A corrective action: what was done, and what became of the food."""
        return self._do(EventKind.CONFIRM, site, key, said, remedy=remedy, food=food)

    def silence(self, site: str, key: AlarmKey, said: Said) -> Transition:
        """No further messages of it until it is raised, gets worse, or comes from under an overlay."""
        return self._do(EventKind.SILENCE, site, key, said)

    def reset(self, site: str, key: AlarmKey, said: Said) -> Transition:
        """Release the latch."""
        return self._do(EventKind.RESET, site, key, said)

    def longest_shelf(self, site: str, rule: str) -> int:
        """How long (ms) alarms of the rule may stay on the shelf; a rule that is gone counts as legal."""
        known = self._knowledge.of(site).rules.rules.get(rule)
        legal = known is None or (known.basis is not None and known.basis.kind is BasisKind.LEGAL)
        return self._limits.of(legal=legal)

    def shelve(self, site: str, key: AlarmKey, said: Said, until: int) -> Transition:
        """Set it aside until then (UTC ms). ProblemError when that is longer than its rule allows."""
        self._within_the_shelf(site, key, until)
        return self._do(EventKind.SHELVE, site, key, said, until=until)

    def suppress_by_hand(self, site: str, key: AlarmKey, said: Said, until: int) -> Transition:
        """A person says what explains this alarm: it is not told until then (UTC ms). For no longer than it may be
        shelved: what a person sets aside is never set aside for ever. ProblemError."""
        self._within_the_shelf(site, key, until)
        return self._do(EventKind.SUPPRESS, site, key, said, until=until)

    def _within_the_shelf(self, site: str, key: AlarmKey, until: int) -> None:
        longest, now = self.longest_shelf(site, key.rule), self._clock()
        if until > now + longest:
            raise ProblemError(
                422,
                Kind.INVALID_REQUEST,
                f"until: {key.rule} may be set aside for at most {format_duration(longest)}",
                f"say a time up to {iso(now + longest)}, or take the asset out of service",
            )
        if until <= now:
            raise ProblemError(422, Kind.INVALID_REQUEST, f"until: {iso(until)} is past", "say a time that is to come")

    def unshelve(self, site: str, key: AlarmKey, said: Said) -> Transition:
        """Take it from the shelf before its time."""
        return self._do(EventKind.UNSHELVE, site, key, said)

    def suppress(self, site: str, key: AlarmKey, said: Said, until: int | None = None) -> Transition:
        """A rule or an incident (`said.by` names it) explains this alarm: it is not told while that lasts."""
        return self._do(EventKind.SUPPRESS, site, key, said, until=until)

    def unsuppress(self, site: str, key: AlarmKey, said: Said) -> Transition:
        """What explained it is over, or did not explain it."""
        return self._do(EventKind.UNSUPPRESS, site, key, said)

    def assign(self, site: str, key: AlarmKey, said: Said, to: str) -> Transition:
        """It is theirs: a person or a role; empty for nobody."""
        return self._do(EventKind.ASSIGN, site, key, said, assignee=to)

    def comment(self, site: str, key: AlarmKey, said: Said) -> Transition:
        """Something worth writing down."""
        return self._do(EventKind.COMMENT, site, key, said)

    def remove_from_service(self, site: str, asset: str, said: Said, until: int | None) -> tuple[Transition, ...]:
        """The asset and all its alarms are out of service, until then or until somebody puts it back."""
        self._knowledge.of(site).asset(asset)
        return self._console.remove_from_service(site, asset, said.by, said.note, until, self._clock())

    def return_to_service(self, site: str, asset: str, said: Said) -> tuple[Transition, ...]:
        """The asset and all its alarms are in service again. It may be gone from the catalogue by now."""
        self._knowledge.of(site)
        return self._console.return_to_service(site, asset, said.by, said.note, self._clock())

    def _do(self, kind: EventKind, site: str, key: AlarmKey, said: Said, **words: Unpack[Words]) -> Transition:
        self._knowledge.of(site)
        before = self._console.alarm(site, key)
        if before is None:
            raise NotFoundError(f"the alarm {key.rule} of {key.point} was never raised at {site}")
        now = self._clock()
        event = AlarmEvent(
            kind, key, Reason.BY_PERSON, now, now, value=before.value, by=said.by, note=said.note, **words
        )
        return self._console.command(site, event, said.version)
