"""What the routes about completeness say, as models: the schema of `/openapi.json` is made from them."""

from pydantic import Field

from api.coverage import CoverageReport, PointCoverage
from api.models import Model
from domain.times import iso
from rules.coverage import Coverage


class CoverageModel(Model):
    """A span in ms: measured, backfilled and unknown add up to it; the three reasons add up to unknown."""

    whole_ms: int
    measured_ms: int = Field(description="known: the reading came within a minute")
    backfilled_ms: int = Field(description="known: the reading came later, from an agent's memory")
    unknown_ms: int = Field(description="not measured, beyond the gap rule of three intervals")
    sensor_error_ms: int = Field(description="of unknown: the sensor sent an error")
    lost_ms: int = Field(description="of unknown: there is a record that readings of then will never come")
    silent_ms: int = Field(description="of unknown: nothing came, and nobody knows why; an agent may still bring it")


class DayCoverageModel(Model):
    """One local day of the site."""

    date: str = Field(examples=["2026-03-01"])
    start: str
    end: str = Field(description="of today: now")
    coverage: CoverageModel | None = Field(description="null: the readings were replaced by summaries")


class PointCoverageModel(Model):
    """One point over all days, and by day."""

    point: str
    has_interval: bool = Field(description="false: the site file gives none, and a reading counts for three minutes")
    total: CoverageModel
    days: list[DayCoverageModel]


class CoverageReportModel(Model):
    """A page of points in the catalogue's order."""

    items: list[PointCoverageModel]
    total: int = Field(description="how many points there are in all")
    next: int | None = Field(description="`offset` of the next page; null when there is none")


def report(found: CoverageReport) -> CoverageReportModel:
    """The report as JSON."""
    return CoverageReportModel(items=[_point(found, one) for one in found.points], total=found.count, next=found.next)


def _point(found: CoverageReport, one: PointCoverage) -> PointCoverageModel:
    days = [
        DayCoverageModel(
            date=day.date.isoformat(),
            start=iso(day.start),
            end=iso(day.end),
            coverage=None if each is None else _coverage(each),
        )
        for day, each in zip(found.days, one.days, strict=True)
    ]
    return PointCoverageModel(
        point=one.point.name, has_interval=one.point.interval is not None, total=_coverage(one.total), days=days
    )


def _coverage(one: Coverage) -> CoverageModel:
    return CoverageModel(
        whole_ms=one.whole,
        measured_ms=one.measured,
        backfilled_ms=one.backfilled,
        unknown_ms=one.unknown,
        sensor_error_ms=one.bad,
        lost_ms=one.lost,
        silent_ms=one.silent,
    )
