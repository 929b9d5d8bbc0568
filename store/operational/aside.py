"""Setting aside: whole assets out of service and back, and the end of every overlay whose time is over.

Each alarm changes through `alarms.change`, so that the log has a transition of its own for it and the audit an entry.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from domain.alarms import Alarm, AlarmEvent, EventKind, Overlay, OverlayKind, Reason, Transition
from domain.errors import IllegalTransitionError
from domain.lifecycle import LIFTS
from domain.times import MINUTE
from store.operational import alarms, audit, service
from store.operational.transitions import of_point
from store.schema import alarms as rows

MOST = 500  # alarms, and assets, of one transaction that lifts what has ended
_LIFT = {overlay: event for event, overlay in LIFTS.items()}


def remove_from_service(connection: Connection, site: str, asset: str, overlay: Overlay) -> tuple[Transition, ...]:
    """Lay the overlay over the asset and each of its alarms. IllegalTransitionError; then nothing was changed."""
    if service.overlay_of(connection, site, asset) is not None:
        raise IllegalTransitionError(f"{asset} is out of service already", "put it back first")
    if not overlay.by.strip() or not overlay.why.strip():
        raise IllegalTransitionError("who and why are needed to take an asset out of service", "say both")
    if overlay.until is not None and overlay.until <= overlay.since:
        raise IllegalTransitionError(f"{asset} cannot be out of service until a time that is past", "say a later one")
    service.add(connection, site, asset, overlay)
    detail: dict[str, object] = {"why": overlay.why, "until": overlay.until}
    audit.append(connection, site, overlay.since, overlay.by, EventKind.REMOVE_FROM_SERVICE, asset, detail)
    there = [one for one in _of_asset(connection, site, asset) if one.overlay(OverlayKind.OUT_OF_SERVICE) is None]
    by, why, since, until = overlay.by, overlay.why, overlay.since, overlay.until
    events = [_event(EventKind.REMOVE_FROM_SERVICE, one, since, by=by, note=why, until=until) for one in there]
    return alarms.change(connection, site, list(zip(there, events, strict=True)))


def return_to_service(
    connection: Connection, site: str, asset: str, by: str, note: str, now: int
) -> tuple[Transition, ...]:
    """Lift it from the asset and each of its alarms. IllegalTransitionError when the asset is in service."""
    if service.overlay_of(connection, site, asset) is None:
        raise IllegalTransitionError(f"{asset} is in service")
    service.drop(connection, site, [asset])
    audit.append(connection, site, now, by, EventKind.RETURN_TO_SERVICE, asset, {"note": note})
    there = [one for one in _of_asset(connection, site, asset) if one.overlay(OverlayKind.OUT_OF_SERVICE) is not None]
    events = [_event(EventKind.RETURN_TO_SERVICE, one, now, by=by, note=note) for one in there]
    return alarms.change(connection, site, list(zip(there, events, strict=True)))


def sites_with_ended(connection: Connection, now: int) -> list[str]:
    """The sites at which something has ended and still lies."""
    of_alarms = select(rows.c.site).where(rows.c.lifts_at <= now).distinct()
    found = set(connection.execute(of_alarms).scalars())
    return sorted(found | {site for site, _, _ in service.ended(connection, now, MOST)})


def lift_ended(connection: Connection, site: str, now: int) -> tuple[Transition, ...]:
    """Lift what has ended at the site, of at most `MOST` alarms; each at the time at which it ended."""
    over = [(asset, until) for at, asset, until in service.ended(connection, now, MOST) if at == site]
    service.drop(connection, site, [asset for asset, _ in over])
    for asset, until in over:
        detail: dict[str, object] = {"reason": Reason.EXPIRED, "until": until}
        audit.append(connection, site, now, alarms.ITSELF, EventKind.RETURN_TO_SERVICE, asset, detail)
    ended = select(rows).where(rows.c.site == site, rows.c.lifts_at <= now).order_by(rows.c.lifts_at).limit(MOST)
    present = [alarms.of_row(row) for row in connection.execute(ended.with_for_update())]
    lifted: list[Transition] = []
    while present:
        lifted += alarms.change(connection, site, [(one, _end(one, now)) for one in present])
        again = (alarms.load(connection, site, one.key) for one in present)
        present = [one for one in again if one is not None and any(not lay.lies(now) for lay in one.overlays)]
    return tuple(lifted)


def _end(alarm: Alarm, now: int) -> AlarmEvent:
    """The end of the overlay of the alarm that ended first."""
    kind, until = min(_ends(alarm.overlays), key=lambda end: end[1])
    return AlarmEvent(
        _LIFT[kind], alarm.key, Reason.EXPIRED, until, now, value=alarm.value, retroactive=now - until > MINUTE
    )


def _ends(overlays: Iterable[Overlay]) -> list[tuple[OverlayKind, int]]:
    return [(lay.kind, lay.until) for lay in overlays if lay.until is not None]


def _of_asset(connection: Connection, site: str, asset: str) -> list[Alarm]:
    mine = select(rows).where(rows.c.site == site, of_point(rows.c.point, asset)).order_by(rows.c.rule, rows.c.point)
    return [alarms.of_row(row) for row in connection.execute(mine.with_for_update())]


def _event(kind: EventKind, alarm: Alarm, now: int, *, by: str, note: str, until: int | None = None) -> AlarmEvent:
    return AlarmEvent(kind, alarm.key, Reason.BY_PERSON, now, now, value=alarm.value, by=by, note=note, until=until)
