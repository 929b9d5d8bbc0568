"""The one set of operations behind both the JSON routes and the pages: what can be asked and what can be done.

Each takes domain values and returns domain records; the routes turn them into JSON, the pages into HTML. Everything is
bounded here, so that no caller can ask for more than a small machine can answer.
"""

from collections.abc import Callable
from dataclasses import dataclass

from api.board import OPEN_STATES, AssetStanding, PointStanding, standing_of
from api.commands import Commands
from api.knowledge import Knowledge, SiteKnowledge
from api.problems import Kind, ProblemError
from api.settings import ShelfLimits
from domain.alarms import Alarm, AlarmKey, AlarmState, Transition
from domain.batch import Gap
from domain.errors import NotFoundError
from domain.ports import Console, SeriesStore
from domain.records import (
    AgentRow,
    AlarmFilter,
    DeadLetter,
    Discovery,
    Excursion,
    Latest,
    ProcessRow,
    Series,
    TransitionFilter,
    Windows,
)
from domain.times import DAY, SECOND, format_duration, iso

MOST_READINGS = 10_000
MOST_WINDOWS = 5_000
MOST_OPEN_ALARMS = 500
SHORTEST_STEP = SECOND
DEFAULT_SPAN = DAY
LONGEST_SPAN = 3 * 366 * DAY


@dataclass(frozen=True, slots=True)
class SiteState:
    """A site at one moment: what is known of it, its newest readings, how each asset stands, and the alarms that are
    open or set aside."""

    known: SiteKnowledge
    now: int
    commissioned_at: int | None
    alarms: tuple[Alarm, ...]
    assets: tuple[AssetStanding, ...]

    @property
    def readings(self) -> dict[str, PointStanding]:
        """Every point of the catalogue by name, with what its newest reading is worth."""
        return {one.point.name: one for asset in self.assets for one in asset.points}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in UTC ms: `start` inclusive, `end` exclusive."""

    start: int
    end: int


class Operations:
    """Every operation of the API; safe to call from several threads when the stores are."""

    def __init__(
        self,
        console: Console,
        series: SeriesStore,
        knowledge: Knowledge,
        clock: Callable[[], int],
        shelf: ShelfLimits | None = None,
    ) -> None:
        self.console = console
        self.series = series
        self.knowledge = knowledge
        self.clock = clock
        self.commands = Commands(console, knowledge, clock, shelf or ShelfLimits())

    def sites(self) -> list[SiteKnowledge]:
        """Every site with a catalogue, by id."""
        return [self.knowledge.of(site) for site in sorted(self.console.sites())]

    def site(self, site: str) -> SiteKnowledge:
        """One site, or NotFoundError."""
        return self.knowledge.of(site)

    def commissioned_at(self, site: str) -> int | None:
        """When the site went live; None while it is being commissioned."""
        return self.console.commissioned_at(site)

    def state(self, site: str) -> SiteState:
        """How the whole site stands now."""
        known, now = self.knowledge.of(site), self.clock()
        latest = {row.point: row for row in self.console.latest(site)}
        # Also what is over and set aside: its asset must not look as if it were watched.
        found = [AlarmFilter(site, OPEN_STATES), AlarmFilter(site, (AlarmState.NORMAL,), set_aside=True)]
        alarms = tuple(alarm for where in found for alarm in self.console.alarms(where, MOST_OPEN_ALARMS)[0])
        out = {asset: lay for asset, lay in self.console.out_of_service(site).items() if lay.lies(now)}
        assets = tuple(
            standing_of(known, asset, latest, alarms, now, out.get(asset.id)) for asset in known.catalogue.assets
        )
        return SiteState(known, now, self.console.commissioned_at(site), alarms, assets)

    def latest(self, site: str) -> list[Latest]:
        """The newest reading of every point, known to the catalogue or not."""
        self.knowledge.of(site)
        return self.console.latest(site)

    def span(self, start: int | None, end: int | None) -> Span:
        """The stretch that was asked for; the last 24 hours by default. ProblemError when it is empty or too long."""
        end = self.clock() + 1 if end is None else end
        start = end - DEFAULT_SPAN if start is None else start
        if start >= end:
            raise _invalid(f"the span is empty: from {iso(start)} is not before to {iso(end)}")
        if end - start > LONGEST_SPAN:
            raise _invalid(f"the span is longer than {format_duration(LONGEST_SPAN)}", "ask for it in parts")
        return Span(start, end)

    def readings(self, site: str, point: str, span: Span, limit: int) -> Series:
        """Stored readings in ascending time: the earliest `limit` of them."""
        self.known_point(site, point)
        return self.series.read(site, point, span.start, span.end, min(limit, MOST_READINGS))

    def windows(self, site: str, point: str, span: Span, step: int) -> Windows:
        """Stored readings per step (ms). ProblemError when that is too many windows."""
        self.known_point(site, point)
        if step < SHORTEST_STEP:
            raise _invalid(f"the step is shorter than {format_duration(SHORTEST_STEP)}")
        if (span.end - span.start) / step > MOST_WINDOWS:
            least = format_duration(-(-(span.end - span.start) // MOST_WINDOWS // SECOND) * SECOND)
            raise _invalid(f"that is more than {MOST_WINDOWS} windows", f"use a step of {least} or more")
        return self.series.window(site, point, span.start, span.end, step)

    def unit_of(self, site: str, point: str) -> str:
        """Code of the unit that the point's values are in; as published where the catalogue does not know the point."""
        about = self.knowledge.of(site).catalogue.by_name.get(point)
        if about is not None:
            return about.unit.code
        return next((found.unit for found in self.console.discoveries(site) if found.point == point), "")

    def known_point(self, site: str, point: str) -> None:
        """NotFoundError when neither the catalogue nor any agent knows the point."""
        if point in self.knowledge.of(site).catalogue.by_name:
            return
        if all(found.point != point for found in self.console.discoveries(site)):
            raise NotFoundError(f"the site {site!r} has no point {point!r}", f"list them: /api/v1/sites/{site}/points")

    def alarms(self, where: AlarmFilter, limit: int, offset: int) -> tuple[list[Alarm], int]:
        """One page of alarms and how many there are in all."""
        if where.site is not None:
            self.knowledge.of(where.site)
        return self.console.alarms(where, limit, offset)

    def alarm(self, site: str, key: AlarmKey) -> Alarm:
        """One alarm, or NotFoundError when it was never raised."""
        self.knowledge.of(site)
        alarm = self.console.alarm(site, key)
        if alarm is None:
            raise NotFoundError(f"the alarm {key.rule} of {key.point} was never raised at {site}")
        return alarm

    def transitions(self, where: TransitionFilter, limit: int, newest_first: bool) -> list[Transition]:
        """Logged changes by id."""
        if where.site is not None:
            self.knowledge.of(where.site)
        return self.console.transitions(where, limit, newest_first)

    def excursions(self, site: str, point: str | None, span: Span) -> list[Excursion]:
        """Excursions that overlap the span."""
        self.knowledge.of(site)
        return self.console.excursions(site, point, span.start, span.end)

    def gaps(self, site: str, span: Span) -> list[Gap]:
        """Gap records that overlap the span."""
        self.knowledge.of(site)
        return self.series.gaps(site, span.start, span.end)

    def discoveries(self, site: str) -> list[Discovery]:
        """Points that are published and not in the catalogue."""
        self.knowledge.of(site)
        return self.console.discoveries(site)

    def dead_letters(self, site: str | None, limit: int, before: int | None) -> list[DeadLetter]:
        """Refused messages, newest first; also those that named no known site."""
        return self.console.dead_letters(site, limit, before)

    def agents(self, site: str) -> list[AgentRow]:
        """Every agent seen at the site."""
        self.knowledge.of(site)
        return self.console.agents(site)

    def processes(self) -> list[ProcessRow]:
        """Every process that gave a sign of life."""
        return self.console.processes()


def _invalid(detail: str, remedy: str = "") -> ProblemError:
    return ProblemError(422, Kind.INVALID_REQUEST, detail, remedy)
