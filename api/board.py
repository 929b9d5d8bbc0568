"""How an asset stands, for the board and the API: one word per asset, decided from readings and alarms. Pure.

Unknown is never green: `normal` needs a rule that judges the asset, and a fresh, believable value of *every* point.
What is wrong comes first: an alarm outweighs a sensor fault, which outweighs missing data. A unit that says that it
is not in use is neither faulty nor normal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from types import MappingProxyType

from api.knowledge import SiteKnowledge
from domain.alarms import Alarm, AlarmState, Overlay, Priority
from domain.catalogue import Asset, Point
from domain.readings import Quality
from domain.records import Latest
from domain.times import MINUTE

NOTHING_LEFT: Mapping[str, float] = MappingProxyType({})


class Standing(StrEnum):
    """The state of an asset in one word; the first that applies, gravest first but for what is out of service. The
    same word in API, page, style and test."""

    ALARM = "alarm"  # the condition of a rule holds now
    FAULT = "fault"  # a sensor says that it cannot measure
    UNKNOWN = "unknown"  # a value is missing or too old to say anything of now
    UNANSWERED = "unanswered"  # all is well again, but nobody has answered for what was
    SET_ASIDE = "set-aside"  # an alarm of it is shelved or suppressed, open or not: it is not fully watched
    OUT_OF_SERVICE = "out-of-service"  # somebody said so: it comes before all others, whatever is measured
    OFF = "off"  # it says itself that it is not in use
    UNWATCHED = "unwatched"  # it is measured, and no rule judges it
    NORMAL = "normal"


class Freshness(StrEnum):
    """What a point's newest reading is worth."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"
    OFF = "off"  # a bad reading whose text says that the unit is not in use
    STALE = "stale"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class PointStanding:
    """A point with its newest reading and what that is worth; it turns stale at `stale_at` (UTC ms)."""

    point: Point
    latest: Latest | None
    freshness: Freshness
    stale_at: int | None


@dataclass(frozen=True, slots=True)
class AssetStanding:
    """An asset as the board shows it; `alarms` are those that are open or set aside, gravest first; `main` is the value
    shown large; `service` is set while it is out of service."""

    asset: Asset
    standing: Standing
    priority: Priority | None
    main: PointStanding | None
    points: tuple[PointStanding, ...]
    alarms: tuple[Alarm, ...]
    service: Overlay | None = None


_MAIN_METRICS: Mapping[str, tuple[str, ...]] = {
    "boiler": ("status", "temperature"),
    "pump": ("status", "power"),
    "dishwasher": ("status", "temperature"),
    "energy_meter": ("power", "energy"),
    "distribution_board": ("power", "energy"),
}
_MAIN_OTHERWISE = ("temperature", "status", "power")
_STALE_INTERVALS = 3
_STALE_WITHOUT_INTERVAL = 10 * MINUTE
# What a unit says instead of a value while nothing is asked of it.
_OFF_WORDS = frozenset({"off", "standby", "preheating"})
_LACKING = frozenset({Freshness.STALE, Freshness.NEVER})

OPEN_STATES = tuple(state for state in AlarmState if state is not AlarmState.NORMAL)


def stale_after(point: Point | None) -> int:
    """How old (ms) the newest reading may be before it says nothing of now: three intervals, or 10 min without one."""
    if point is None or point.interval is None:
        return _STALE_WITHOUT_INTERVAL
    return _STALE_INTERVALS * point.interval


def freshness(point: Point, latest: Latest | None, now: int) -> Freshness:
    """What the newest reading is worth at `now`."""
    if latest is None:
        return Freshness.NEVER
    if now - latest.time > stale_after(point):
        return Freshness.STALE
    if latest.quality is Quality.BAD and latest.text.strip().lower() in _OFF_WORDS:
        return Freshness.OFF
    return {Quality.GOOD: Freshness.GOOD, Quality.UNCERTAIN: Freshness.UNCERTAIN}.get(latest.quality, Freshness.BAD)


def standing_of(
    known: SiteKnowledge,
    asset: Asset,
    latest: Mapping[str, Latest],
    alarms: Iterable[Alarm],
    now: int,
    service: Overlay | None = None,
) -> AssetStanding:
    """How the asset stands at `now`; `alarms` may hold those of other assets, `service` says that it is out of it."""
    points = tuple(_point(point, latest.get(point.name), now) for point in asset.points)
    own = [one for one in alarms if asset_of(one) == asset.id and (one.state in OPEN_STATES or one.set_aside(now))]
    own.sort(key=lambda alarm: _gravity(alarm, now))
    standing, priority = _decide(known, points, own, now)
    if service is not None:
        standing, priority = Standing.OUT_OF_SERVICE, None
    return AssetStanding(asset, standing, priority, _main(asset, points), points, tuple(own), service)


def open_alarms(alarms: Iterable[Alarm], now: int, left: Mapping[str, float] = NOTHING_LEFT) -> list[Alarm]:
    """Those that hold or are owed an answer: active first, then by priority, then by the time left to act, then
    unanswered, then newest. `left`: asset -> minutes until its next limit."""
    found = (one for one in alarms if one.state in OPEN_STATES and not one.set_aside(now))
    return sorted(found, key=lambda alarm: _gravity(alarm, now, left))


def set_aside(alarms: Iterable[Alarm], now: int) -> list[Alarm]:
    """Those under an overlay, open or not, in the same order."""
    return sorted((one for one in alarms if one.set_aside(now)), key=lambda alarm: _gravity(alarm, now))


def tally(standings: Sequence[AssetStanding]) -> dict[Standing, int]:
    """How many assets stand how, in the order of gravity; zero where none does."""
    return {word: sum(one.standing is word for one in standings) for word in Standing}


def asset_of(alarm: Alarm) -> str:
    """The asset that the alarm's point belongs to."""
    return alarm.key.point.partition("/")[0]


def _point(point: Point, latest: Latest | None, now: int) -> PointStanding:
    stale_at = None if latest is None else latest.time + stale_after(point)
    return PointStanding(point, latest, freshness(point, latest, now), stale_at)


def _main(asset: Asset, points: tuple[PointStanding, ...]) -> PointStanding | None:
    for metric in _MAIN_METRICS.get(asset.type, _MAIN_OTHERWISE):
        for one in points:
            if one.point.metric == metric:
                return one
    return points[0] if points else None


def _decide(
    known: SiteKnowledge, points: tuple[PointStanding, ...], alarms: Sequence[Alarm], now: int
) -> tuple[Standing, Priority | None]:
    shown = [alarm for alarm in alarms if not alarm.set_aside(now)]
    active = [alarm for alarm in shown if alarm.active]
    if active:
        return Standing.ALARM, max((one.priority for one in active if one.priority), key=_rank, default=None)
    worth = {one.freshness for one in points}
    if Freshness.BAD in worth:
        return Standing.FAULT, None
    if not points or worth & _LACKING:
        return Standing.UNKNOWN, None
    if shown:
        return Standing.UNANSWERED, max((one.priority for one in shown if one.priority), key=_rank, default=None)
    if alarms:
        return Standing.SET_ASIDE, None
    if Freshness.OFF in worth:
        return Standing.OFF, None
    if not any(known.rules_of(one.point.name) for one in points):
        return Standing.UNWATCHED, None
    return Standing.NORMAL, None


def _rank(priority: Priority) -> int:
    return priority.rank


def _gravity(
    alarm: Alarm, now: int, left: Mapping[str, float] = NOTHING_LEFT
) -> tuple[bool, bool, int, float, bool, int]:
    rank = alarm.priority.rank if alarm.priority else -1
    unanswered = alarm.state is not AlarmState.ACKNOWLEDGED
    minutes = left.get(asset_of(alarm), inf) if alarm.active else inf
    return alarm.set_aside(now), not alarm.active, -rank, minutes, not unanswered, -(alarm.raised_at or 0)
