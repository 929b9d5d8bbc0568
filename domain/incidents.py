"""Alarms with one cause are one incident: a power cut, a silent agent, an open cold-room door.

For the board, which shows one thing instead of twenty, and for notify, which tells it once. It decides which alarms
belong together, from the log and the asset tree alone: an incident has no state of its own that could disagree with
them. It must not judge readings, and it hides nothing: every alarm stays in the log and must be answered. Pure.

An incident begins with its *cause*: one alarm (the board's voltage is gone), or a *quorum* (so many points of one agent
are silent at once). It gathers what is raised from `settle` before the cause until `tail` after the cause is over, at
the points that the asset tree puts under it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from math import ceil
from types import MappingProxyType

from domain.alarms import AlarmKey
from domain.catalogue import Asset, Catalogue, Label
from domain.episodes import Episode
from domain.times import MINUTE

MOST_CHILDREN = 500  # per incident; what is beyond stays an alarm of its own

_UNTITLED = Label("")


class Gathers(StrEnum):
    """Which points an incident can gather, seen from the asset (or agent) that it is rooted in."""

    ASSET = "asset"
    FED_BY = "fed_by"  # all that this board feeds, directly or through other boards
    AREA = "area"
    AGENT = "agent"
    SITE = "site"


@dataclass(frozen=True, slots=True)
class AlarmCause:
    """An alarm of this rule, at this level or higher, is the cause."""

    rule: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Quorum:
    """So many points at least, and this share of all that the gathered rules judge, are in alarm at one time."""

    at_least: int
    share: float


@dataclass(frozen=True, slots=True)
class IncidentRule:
    """One kind of incident. `rules`: whose alarms it gathers (empty: any, but for `not_rules`), at points of these
    `metrics` (empty: any). `settle` and `tail` in ms."""

    id: str
    cause: AlarmCause | Quorum
    gathers: Gathers
    rules: tuple[str, ...] = ()
    not_rules: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    settle: int = MINUTE
    tail: int = 0
    title: Label = _UNTITLED
    response: Label = _UNTITLED
    empty_first: bool = False  # whether to say which cold units to empty first


@dataclass(frozen=True, slots=True)
class Incident:
    """One cause and what it brought; times are UTC ms, `end` is None while the cause lasts.

    `root` is an asset, an agent or (for the whole site) the site's id. `cause` is None for a quorum. `children` by the
    time of their raise, without the cause.
    """

    rule: IncidentRule
    root: str
    start: int
    end: int | None
    cause: Episode | None
    children: tuple[Episode, ...]

    @property
    def id(self) -> str:
        """What it is called in addresses and logs: the same log gives the same id."""
        return f"{self.rule.id}.{self.root}.{self.start}"

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """Cause first, then the children."""
        return self.children if self.cause is None else (self.cause, *self.children)


@dataclass(frozen=True)
class IncidentPlan:
    """The incident rules of one site: gravest first, that is in the order in which they may claim an alarm.

    `judged`: rule -> the points that it judges, for the shares of a quorum.
    """

    rules: tuple[IncidentRule, ...]
    catalogue: Catalogue
    judged: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))

    def settle_of(self, key: AlarmKey) -> int:
        """How long (ms) to wait before telling of this alarm, because its cause may still be on its way; 0: not."""
        waits = [one.settle for one in self.rules if self._could_gather(one, key)]
        return max(waits, default=0)

    def under(self, incident: Incident) -> list[Asset]:
        """The assets from which the incident can gather, in the catalogue's order."""
        names = {point.partition("/")[0] for point in self._points_of(incident.rule.gathers, incident.root)}
        return [asset for asset in self.catalogue.assets if asset.id in names]

    def gather(self, log: Sequence[Episode], now: int) -> list[Incident]:
        """The incidents of the log, by start; each alarm in one of them at the most. `log`: episodes of this site."""
        found: list[Incident] = []
        owner: dict[Episode, int] = {}
        for one in self._candidates(log, now):
            if one.cause is not None and one.cause in owner:
                self._join(found, owner, owner[one.cause], one.children)
                continue
            free = tuple(child for child in one.children if child not in owner)[:MOST_CHILDREN]
            if not free and (one.cause is None or not one.rule.empty_first):
                continue
            for episode in (*free, *([] if one.cause is None else [one.cause])):
                owner[episode] = len(found)
            found.append(replace(one, children=free))
        return sorted(found, key=lambda one: (one.start, one.rule.id, one.root))

    @staticmethod
    def _join(found: list[Incident], owner: dict[Episode, int], place: int, children: Sequence[Episode]) -> None:
        """A cause that another incident brought (a board behind a dead main) hands its children on."""
        free = [child for child in children if child not in owner]
        for child in free:
            owner[child] = place
        joined = sorted((*found[place].children, *free), key=_by_raise)[:MOST_CHILDREN]
        found[place] = replace(found[place], children=tuple(joined))

    def _candidates(self, log: Sequence[Episode], now: int) -> Iterator[Incident]:
        """Every incident by itself, in the order in which they may claim: by rule, then what gathers most."""
        told = [one for one in log if not one.hidden]
        for rule in self.rules:
            if isinstance(rule.cause, AlarmCause):
                causes = [one for one in told if one.key.rule == rule.cause.rule and one.level >= rule.cause.level]
                causes.sort(key=lambda one: (-len(self._under(rule, one.key.point)), one.raised_at, one.key))
                for cause in causes:
                    yield self._caused(rule, cause, told)
            else:
                for root in self._roots(rule.gathers):
                    yield from self._quorum(rule, rule.cause, root, told, now)

    def _caused(self, rule: IncidentRule, cause: Episode, told: Sequence[Episode]) -> Incident:
        points = self._under(rule, cause.key.point)
        first = cause.raised_at - rule.settle
        last = None if cause.cleared_at is None else cause.cleared_at + rule.tail
        children = [
            one
            for one in told
            if one is not cause
            and one.key.point in points
            and _gathered(rule, one.key)
            and one.raised_at >= first
            and (last is None or one.raised_at <= last)
        ]
        root = self._root_of(rule.gathers, cause.key.point)
        return Incident(rule, root, cause.raised_at, cause.cleared_at, cause, tuple(sorted(children, key=_by_raise)))

    def _quorum(
        self, rule: IncidentRule, quorum: Quorum, root: str, told: Sequence[Episode], now: int
    ) -> Iterator[Incident]:
        points = self._points_of(rule.gathers, root)
        judged = {point for name in rule.rules for point in self.judged.get(name, ()) if point in points}
        need = max(quorum.at_least, ceil(quorum.share * len(judged)))
        if len(judged) < need:
            return
        mine = [one for one in told if one.key.point in judged and _gathered(rule, one.key)]
        for start, end in _spans(mine, need, now):
            last = None if end is None else end + rule.tail
            children = [
                one for one in mine
                if one.raised_at >= start - rule.settle and (last is None or one.raised_at <= last)
            ]  # fmt: skip
            yield Incident(rule, root, start, end, None, tuple(sorted(children, key=_by_raise)))

    def _could_gather(self, rule: IncidentRule, key: AlarmKey) -> bool:
        if not _gathered(rule, key) or (isinstance(rule.cause, AlarmCause) and rule.cause.rule == key.rule):
            return False
        if isinstance(rule.cause, Quorum):
            return True
        causes = self.judged.get(rule.cause.rule, frozenset())
        return any(key.point in self._under(rule, point) for point in causes)

    def _under(self, rule: IncidentRule, point: str) -> frozenset[str]:
        """The points that a cause at `point` can gather from."""
        root = self._root_of(rule.gathers, point)
        return self._points_of(rule.gathers, root)

    def _root_of(self, gathers: Gathers, point: str) -> str:
        asset = point.partition("/")[0]
        if gathers is Gathers.SITE:
            return self.catalogue.site
        if gathers is Gathers.AREA:
            known = self.catalogue.assets_by_id.get(asset)
            return "" if known is None else known.area
        if gathers is Gathers.AGENT:
            about = self.catalogue.by_name.get(point)
            return "" if about is None or about.agent is None else about.agent
        return asset

    def _roots(self, gathers: Gathers) -> list[str]:
        if gathers is Gathers.SITE:
            return [self.catalogue.site]
        if gathers is Gathers.AREA:
            return [area.id for area in self.catalogue.areas]
        if gathers is Gathers.AGENT:
            agents = {point.agent for point in self.catalogue.points()}
            return sorted(agent for agent in agents if agent)
        if gathers is Gathers.FED_BY:
            return sorted({asset.fed_by for asset in self.catalogue.assets if asset.fed_by})
        return [asset.id for asset in self.catalogue.assets]

    def _points_of(self, gathers: Gathers, root: str) -> frozenset[str]:
        return self._members.get((gathers, root), frozenset())

    @cached_property
    def _members(self) -> Mapping[tuple[Gathers, str], frozenset[str]]:
        members: dict[tuple[Gathers, str], set[str]] = {}
        for asset in self.catalogue.assets:
            for point in asset.points:
                keys = [(Gathers.SITE, self.catalogue.site), (Gathers.AREA, asset.area), (Gathers.ASSET, asset.id)]
                keys += [(Gathers.FED_BY, board) for board in (asset.id, *self._boards_above(asset))]
                if point.agent:
                    keys.append((Gathers.AGENT, point.agent))
                for key in keys:
                    members.setdefault(key, set()).add(point.name)
        return MappingProxyType({key: frozenset(points) for key, points in members.items()})

    def _boards_above(self, asset: Asset) -> Iterator[str]:
        seen = {asset.id}
        board = asset.fed_by
        while board is not None and board not in seen:
            seen.add(board)
            yield board
            above = self.catalogue.assets_by_id.get(board)
            board = None if above is None else above.fed_by


def _gathered(rule: IncidentRule, key: AlarmKey) -> bool:
    if rule.metrics and key.point.partition("/")[2] not in rule.metrics:
        return False
    return key.rule in rule.rules if rule.rules else key.rule not in rule.not_rules


def _by_raise(one: Episode) -> tuple[int, AlarmKey]:
    return one.raised_at, one.key


def _spans(mine: Sequence[Episode], need: int, now: int) -> Iterator[tuple[int, int | None]]:
    """When so many different points were in alarm at one time; the end is None while they still are."""
    moves: list[tuple[int, int, str]] = []
    for one in mine:
        moves.append((one.raised_at, 1, one.key.point))
        if one.cleared_at is not None and one.cleared_at <= now:
            moves.append((one.cleared_at, 0, one.key.point))
    standing: dict[str, int] = {}
    start: int | None = None
    for at, raised, point in sorted(moves):
        standing[point] = standing.get(point, 0) + (1 if raised else -1)
        count = sum(number > 0 for number in standing.values())
        if start is None and count >= need:
            start = at
        elif start is not None and count < need:
            yield start, at
            start = None
    if start is not None:
        yield start, None
