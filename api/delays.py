"""Delays that run: how long a rule's condition has held already, and what of it stands when the sensor falls silent.

For the asset's page, for the board's cards of silent assets, and for programs. `rules.pending` works it out from the
newest stored readings, as the engine counts; here it is decided for which rules and points that is asked, and how much
is read: a silent point's story only to where it ends, at most `MOST_SILENT` assets of a board, each once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api import wording
from api.board import AssetStanding, Freshness, PointStanding
from api.knowledge import SiteKnowledge
from api.operations import Operations, SiteState
from api.view import View
from domain.alarms import Alarm, AlarmKey
from domain.catalogue import Point
from rules.assign import plan_at
from rules.model import Limit, Rule
from rules.pending import Pending, looks_back, pending
from rules.plan import Plan
from rules.playing import in_time
from rules.recent import Columns, join, no_columns
from rules.revisit import Kept, Past

MOST_SILENT = 20
_MOST_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Delay:
    """One running delay at a point; `silent`: its point says nothing any more. `limit` where the level has one."""

    point: Point
    pending: Pending
    silent: bool
    limit: Limit | None


class DelayDesk:
    """Answers for one asset, or for the silent ones of a site; safe to call from several threads."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._kept: dict[tuple[str, str], tuple[object, tuple[Delay, ...]]] = {}

    def of_asset(self, state: SiteState, asset: str) -> tuple[Delay, ...]:
        """Every delay that runs at the asset. NotFoundError for an unknown one."""
        state.known.asset(asset)
        one = next(each for each in state.assets if each.asset.id == asset)
        return tuple(self._look(state, one, one.points))

    def silent(self, state: SiteState) -> dict[str, tuple[Delay, ...]]:
        """By asset, the delays of points that have fallen silent."""
        found: dict[str, tuple[Delay, ...]] = {}
        for one in [each for each in state.assets if _silent(each)][:MOST_SILENT]:
            delays = tuple(delay for point in _silent(one) for delay in self._once(state, one, point))
            if delays:
                found[one.asset.id] = delays
        return found

    def _once(self, state: SiteState, one: AssetStanding, point: PointStanding) -> tuple[Delay, ...]:
        """Nothing of a silent point changes until a reading comes, or a rule changes."""
        newest = None if point.latest is None else point.latest.time
        alarms = tuple((alarm.key, alarm.version) for alarm in one.alarms)
        seen = (state.known.revision, state.known.rules_revision, newest, alarms)
        key = (state.known.catalogue.site, point.point.name)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == seen:
            return kept[1]
        found = tuple(each for each in self._look(state, one, [point]) if each.silent)
        while len(self._kept) >= _MOST_KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        self._kept[key] = (seen, found)
        return found

    def _look(self, state: SiteState, one: AssetStanding, points: Iterable[PointStanding]) -> Iterable[Delay]:
        alarms = {alarm.key: alarm for alarm in one.alarms}
        for each in points:
            for rule in state.known.rules_of(each.point.name):
                found = self._pending(state, each, rule, alarms)
                if found is not None:
                    silent = each.freshness is Freshness.STALE and found.known_until is not None
                    yield Delay(each.point, found, silent, state.known.limit(rule.id, found.level))

    def _pending(
        self, state: SiteState, one: PointStanding, rule: Rule, alarms: Mapping[AlarmKey, Alarm]
    ) -> Pending | None:
        plan = plan_at(rule, one.point, state.known.catalogue)
        back = None if plan is None else looks_back(plan)
        if plan is None or back is None or one.latest is None:
            return None
        now = state.now
        if one.freshness is Freshness.STALE and plan.max_gap is not None:
            now = min(now, one.latest.time + plan.max_gap + 1)  # from there on nothing of it is known
        begin = min(one.latest.time, now) - back
        rows = self._rows(state.known, one.point, plan, begin, now)
        if rows is None:
            return None
        alarm = alarms.get(AlarmKey(rule.id, one.point.name))
        level = alarm.level if alarm is not None and alarm.active and alarm.level is not None else -1
        stood = level if alarm is not None and (alarm.raised_at or 0) <= begin else -1
        found = pending(plan, rows, begin, stood, now)
        return None if found is None or found.level <= level else found

    def _rows(self, known: SiteKnowledge, point: Point, plan: Plan, begin: int, now: int) -> Columns | None:
        """Readings of all inputs in the order of time; None when the store does not have them all at hand."""
        past = Past(known.catalogue.site, self._operations.series)
        rows = no_columns()
        for number, name in enumerate((point.name, *plan.inputs)):
            whole = name if "/" in name else f"{point.asset}/{name}"
            found = past.stretch(Kept(number, no_columns(), now + 1), whole, begin, begin)
            if found is None or not found[1]:
                return None
            rows = join(rows, found[0])
        return in_time(rows)


def _silent(one: AssetStanding) -> list[PointStanding]:
    return [each for each in one.points if each.freshness is Freshness.STALE]


def words(view: View, one: Delay) -> str:
    """The delay as a person reads it, in the visitor's language."""
    gettext, found = view.language.gettext, one.pending
    title = view.rule_title(found.rule)
    if one.limit is not None:
        side, limit = (">", one.limit.above) if one.limit.above is not None else ("<", one.limit.below)
        title = f"{title} ({side} {view.value(one.point, limit)})"
    if one.silent and found.known_until is not None:
        text = gettext("{what}: {met} of {delay} had passed when it fell silent, {time}")
    elif found.known_until is not None:
        text = gettext("{what}: {met} of {delay} have passed; it is not counted just now")
    else:
        text = gettext("{what}: {met} of {delay} have passed")
    when = "" if found.known_until is None else view.clock(found.known_until)
    parts = {
        "what": title,
        "met": wording.length(view.language, found.met),
        "delay": wording.length(view.language, found.delay),
        "time": when,
    }
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text
