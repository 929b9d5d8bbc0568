"""Which assets are out of service: read where an alarm is made, and listed for the page."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from domain.alarms import Overlay, OverlayKind
from store.schema import out_of_service


def overlay_of(connection: Connection, site: str, asset: str) -> Overlay | None:
    """What lies over every alarm of the asset; None while it is in service."""
    mine = (out_of_service.c.site == site, out_of_service.c.asset == asset)
    row = connection.execute(select(out_of_service).where(*mine)).first()
    return None if row is None else _overlay(row)


def load(connection: Connection, site: str) -> dict[str, Overlay]:
    """The overlay of each asset of the site that is out of service."""
    rows = connection.execute(select(out_of_service).where(out_of_service.c.site == site))
    return {row.asset: _overlay(row) for row in rows}


def add(connection: Connection, site: str, asset: str, overlay: Overlay) -> None:
    """The asset is out of service from now on."""
    row = {"by": overlay.by, "why": overlay.why, "since": overlay.since, "until": overlay.until}
    connection.execute(insert(out_of_service), [{"site": site, "asset": asset, **row}])


def drop(connection: Connection, site: str, assets: Sequence[str]) -> None:
    """The assets are in service again."""
    if assets:
        mine = (out_of_service.c.site == site, out_of_service.c.asset.in_(assets))
        connection.execute(delete(out_of_service).where(*mine))


def ended(connection: Connection, now: int, limit: int) -> list[tuple[str, str, int]]:
    """Site, asset and end of the times out of service that are over at `now`, at most `limit`."""
    columns = (out_of_service.c.site, out_of_service.c.asset, out_of_service.c.until)
    rows = connection.execute(select(*columns).where(out_of_service.c.until <= now).limit(limit))
    return [(row.site, row.asset, row.until) for row in rows]


def _overlay(row: Any) -> Overlay:
    return Overlay(OverlayKind.OUT_OF_SERVICE, row.by, row.why, row.since, row.until)
