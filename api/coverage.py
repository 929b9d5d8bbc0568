"""How complete the data of a site is, by point and local day: read on each look, so late readings are in it.

`rules.coverage` says what counts as measured, backfilled and unknown; here it is said for which points and days, and
that no request reads more than a small machine can: at most `MOST_DAYS` days of `MOST_POINTS` points, a day at a time.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import add
from zoneinfo import ZoneInfo

from api.convert import document
from api.operations import Operations
from domain.batch import Gap
from domain.catalogue import Point
from domain.records import AgentRow
from domain.times import MINUTE, from_ms
from rules.coverage import Coverage, Span, coverage, lost_of, max_gap_of

DAYS = 7
MOST_DAYS = 31
PER_PAGE = 20
MOST_POINTS = 50
_SUMMARY = 15 * MINUTE  # what is left of readings that were purged

HEADER = (
    "point", "day", "whole_min", "measured_min", "backfilled_min", "unknown_min", "sensor_error_min", "lost_min",
    "silent_min", "known_percent",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Day:
    """One local day of the site, from `start` to `end` (UTC ms); the last one ends now."""

    date: date
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PointCoverage:
    """One point: the account of each of the report's days (None: its readings were replaced by summaries)."""

    point: Point
    days: tuple[Coverage | None, ...]

    @property
    def total(self) -> Coverage:
        """All days together, those without an account left out."""
        return reduce(add, (one for one in self.days if one is not None), Coverage())


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """The points from `offset` on, of `count` in all, in the catalogue's order."""

    days: tuple[Day, ...]
    points: tuple[PointCoverage, ...]
    offset: int
    count: int

    @property
    def next(self) -> int | None:
        """Where the next page begins; None when there is none."""
        end = self.offset + len(self.points)
        return end if end < self.count else None


class CoverageDesk:
    """Reports on completeness; safe to call from several threads when the stores are."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def report(
        self, site: str, days: int = DAYS, asset: str | None = None, offset: int = 0, limit: int = PER_PAGE
    ) -> CoverageReport:
        """The last `days` local days up to now. NotFoundError for an unknown site or asset."""
        known, now = self._operations.site(site), self._operations.clock()
        if asset is not None:
            known.asset(asset)
        points = [one for one in known.catalogue.points() if asset is None or one.asset == asset]
        spans = local_days(known.catalogue.timezone, now, min(days, MOST_DAYS))
        shown = points[offset : offset + min(limit, MOST_POINTS)]
        longest = max((max_gap_of(one) for one in shown), default=0)
        gaps = self._operations.series.gaps(site, spans[0].start - longest, now) if spans else []
        owners = owners_of(self._operations.agents(site))
        found = [self._of(site, one, spans, lost(one, owners, gaps)) for one in shown]
        return CoverageReport(spans, tuple(found), offset, len(points))

    def whole(self, site: str, days: int = DAYS, asset: str | None = None) -> Iterator[CoverageReport]:
        """All pages of the report, one after the other."""
        offset: int | None = 0
        while offset is not None:
            page = self.report(site, days, asset, offset, MOST_POINTS)
            yield page
            offset = page.next

    def _of(self, site: str, point: Point, days: Sequence[Day], missing: Sequence[Span]) -> PointCoverage:
        return PointCoverage(point, tuple(self._day(site, point, day, missing) for day in days))

    def _day(self, site: str, point: Point, day: Day, missing: Sequence[Span]) -> Coverage | None:
        gap = max_gap_of(point)
        series = self._operations.series.read(site, point.name, day.start - gap, day.end)
        first = int(series.time[0]) if len(series.time) else day.end
        if first > day.start:
            summed = self._operations.series.window(site, point.name, day.start, first, _SUMMARY)
            if summed.count.sum() + summed.bad.sum():
                return None
        return coverage(series, missing, day.start, day.end, gap)


def local_days(zone: str, now: int, count: int) -> tuple[Day, ...]:
    """The last `count` days of the zone up to `now` (UTC ms), today last; a day of 23 or 25 hours is one."""
    place = ZoneInfo(zone)
    today = from_ms(now).astimezone(place).date()
    dates = [today - timedelta(days=back) for back in range(count - 1, -1, -1)]
    days = [Day(one, _midnight(one, place), min(now, _midnight(one + timedelta(days=1), place))) for one in dates]
    return tuple(day for day in days if day.end > day.start)


def _midnight(day: date, place: ZoneInfo) -> int:
    return round(datetime.combine(day, time(), place).timestamp() * 1000)


def owners_of(agents: Iterable[AgentRow]) -> dict[str, str]:
    """Which agent announced each point."""
    found: dict[str, str] = {}
    for one in agents:
        points = (document(one.birth) or {}).get("points")
        for point in points if isinstance(points, list) else ():
            if isinstance(point, dict) and isinstance(point.get("point"), str):
                found[point["point"]] = one.agent
    return found


def lost(point: Point, owners: dict[str, str], gaps: Iterable[Gap]) -> list[Span]:
    """When readings of the point are known to be lost; its agent is the catalogue's, else the one that announced it."""
    return lost_of(point.name, point.agent or owners.get(point.name, ""), gaps, max_gap_of(point))


def rows_of(report: CoverageReport) -> Iterator[tuple[str, ...]]:
    """A row of text per point and day, in the columns of `HEADER`; minutes with a tenth."""
    for one in report.points:
        for day, found in zip(report.days, one.days, strict=True):
            if found is None:
                yield one.point.name, day.date.isoformat(), f"{(day.end - day.start) / MINUTE:.1f}", *[""] * 7
                continue
            parts = (
                found.whole, found.measured, found.backfilled, found.unknown, found.bad, found.lost, found.silent
            )  # fmt: skip
            minutes = (f"{part / MINUTE:.1f}" for part in parts)
            yield one.point.name, day.date.isoformat(), *minutes, percent(found)


def csv_of(reports: Iterable[CoverageReport]) -> str:
    """The reports as one CSV text with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for report in reports:
        writer.writerows(rows_of(report))
    return text.getvalue()


def percent(found: Coverage) -> str:
    """The known share in percent with a tenth, rounded down: what has a hole is never 100."""
    known = found.whole - found.unknown
    return f"{known * 1000 // found.whole / 10:.1f}" if found.whole else "0.0"
