"""What callers may write in paths and queries, as types: ids, times, durations, paging. One meaning for all routes."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, BeforeValidator, Field

from domain.ids import ID_PATTERN, check_id, parse_point
from domain.times import parse_duration, parse_time

_ID = f"^{ID_PATTERN}$"


def _point_or_asset(text: str) -> str:
    return str(parse_point(text)) if "/" in text else check_id(text, "asset")


def _point(text: str) -> str:
    return str(parse_point(text))


def _id(text: str) -> str:
    return check_id(text, "site or rule")


def _time(value: object) -> object:
    return parse_time(value) if isinstance(value, str) else value


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


SiteId = Annotated[str, Path(pattern=_ID, description="site id", examples=["school"])]
AssetId = Annotated[str, Path(pattern=_ID, description="asset id", examples=["fridge-1"])]
MetricId = Annotated[str, Path(pattern=_ID, description="metric", examples=["temperature"])]
RuleId = Annotated[str, Path(pattern=_ID, description="rule id", examples=["cold-storage-high"])]

_MOMENT = "RFC 3339 with zone, or epoch milliseconds"
From = Annotated[
    int | None,
    BeforeValidator(_time),
    Query(alias="from", description=f"inclusive; {_MOMENT}; 24 hours before `to` by default"),
]
To = Annotated[
    int | None, BeforeValidator(_time), Query(alias="to", description=f"exclusive; {_MOMENT}; now by default")
]
Since = Annotated[
    int | None, BeforeValidator(_time), Query(alias="from", description=f"event time, inclusive; {_MOMENT}")
]
Until = Annotated[
    int | None, BeforeValidator(_time), Query(alias="to", description=f"event time, exclusive; {_MOMENT}")
]
Step = Annotated[
    int | None,
    BeforeValidator(_duration),
    Query(description="window length such as 5min, 1h or 30s; without it the readings themselves are returned"),
]

SiteFilter = Annotated[str | None, AfterValidator(_id), Query(alias="site", description="only this site")]
RuleFilter = Annotated[str | None, AfterValidator(_id), Query(alias="rule", description="only this rule")]
PointFilter = Annotated[
    str | None,
    AfterValidator(_point_or_asset),
    Query(alias="point", description="a point (asset/metric) or an asset id"),
]
OnePoint = Annotated[str | None, AfterValidator(_point), Query(alias="point", description="a point (asset/metric)")]

Limit = Annotated[int, Field(ge=1, le=500), Query(description="how many at most")]
Offset = Annotated[int, Field(ge=0, le=1_000_000), Query(description="how many to skip")]
LARGEST_ID = 2**63 - 1  # what the stores can hold
