"""The alarms' present, and the only two ways that it changes: the engine's events and people's commands.

Both go through `domain.lifecycle.apply`; this module loads the row, applies, saves, and writes what follows: log,
excursion, notification outbox, audit.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, case, func, select

from domain.alarms import ACTIVE_STATES, Alarm, AlarmEvent, AlarmKey, AlarmState, Overlay, Priority, Reason, Transition
from domain.errors import ConflictError, IllegalTransitionError, NotFoundError
from domain.lifecycle import apply
from domain.records import AlarmFilter
from store.operational import audit, transitions
from store.operational.plain import plain_number
from store.operational.upsert import upsert
from store.schema import alarms

_STATE_COLUMNS = (
    "state", "priority", "level", "value", "reason", "raised_at", "changed_at", "acknowledged_by", "acknowledged_at",
    "rules_revision", "version",
)  # fmt: skip
_UNANSWERED = (AlarmState.RETURNED_UNACKNOWLEDGED, AlarmState.LATCHED_UNACKNOWLEDGED)
_OPEN = frozenset({*ACTIVE_STATES, *_UNANSWERED, AlarmState.LATCHED_ACKNOWLEDGED})


def apply_events(
    connection: Connection, site: str, events: Sequence[AlarmEvent], received: int, rules_revision: int
) -> tuple[Transition, ...]:
    """Apply the engine's events in order; the transitions that came of them, logged and with ids.

    An event that the lifecycle refuses is written to the audit as `refused_event` and skipped: one contradiction must
    not hold up a site's readings.
    """
    touched: dict[AlarmKey, Alarm] = {}
    news = []
    for event in events:
        present = touched.get(event.key) or load(connection, site, event.key, lock=True) or Alarm(site, event.key)
        try:
            changed, transition = apply(replace(present, rules_revision=rules_revision), event)
        except IllegalTransitionError as refusal:
            detail: dict[str, object] = {"event": asdict(event), "state": present.state, "refusal": refusal.message}
            audit.append(connection, site, received, "engine", "refused_event", _subject(event.key), detail)
            continue
        touched[event.key] = changed
        news.append(transition)
        transitions.note_excursion(connection, site, event)
    save(connection, list(touched.values()))
    logged = transitions.append(connection, news)
    audit.append_transitions(connection, logged, received)
    return logged


def command(connection: Connection, site: str, event: AlarmEvent, expected_version: int | None) -> Transition:
    """Apply a person's event. NotFoundError, ConflictError, IllegalTransitionError; then nothing was changed."""
    present = load(connection, site, event.key, lock=True)
    if present is None:
        raise NotFoundError(f"{event.key.rule} was never raised for {event.key.point} at {site}")
    if expected_version is not None and expected_version != present.version:
        raise ConflictError(
            f"{event.key.rule} of {event.key.point} has changed (version {present.version}, not {expected_version})",
            "look at it again, then decide",
        )
    changed, transition = apply(present, event)
    save(connection, [changed])
    transitions.note_excursion(connection, site, event)
    (logged,) = transitions.append(connection, [transition])
    detail: dict[str, object] = {
        "transition": logged.id, "from": logged.source, "to": logged.target, "note": event.note, "until": event.until,
    }  # fmt: skip
    audit.append(connection, site, event.detected_at, event.by, event.kind, _subject(event.key), detail)
    audit.append_transitions(connection, [logged], event.detected_at)
    return logged


def load(connection: Connection, site: str, key: AlarmKey, *, lock: bool = False) -> Alarm | None:
    """The alarm; with `lock` its row is locked until the transaction's end where the database has row locks."""
    where = (alarms.c.site == site, alarms.c.rule == key.rule, alarms.c.point == key.point)
    statement = select(alarms).where(*where)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    return None if row is None else _alarm(row)


def save(connection: Connection, changed: Sequence[Alarm]) -> None:
    """Write the alarms as they are now."""
    rows = [
        {
            "site": alarm.site,
            "rule": alarm.key.rule,
            "point": alarm.key.point,
            "overlays": msgspec.json.encode(alarm.overlays).decode(),
            **{name: getattr(alarm, name) for name in _STATE_COLUMNS},
            "value": plain_number(alarm.value),
        }
        for alarm in changed
    ]
    upsert(connection, alarms, rows, (*_STATE_COLUMNS, "overlays"))


def find(connection: Connection, where: AlarmFilter, limit: int, offset: int) -> tuple[list[Alarm], int]:
    """One page in the order of `_urgency`, and how many alarms meet the filter in all."""
    conditions = _conditions(where)
    total = connection.execute(select(func.count()).select_from(alarms).where(*conditions)).scalar_one()
    newest = func.coalesce(alarms.c.changed_at, 0).desc()
    order = (_urgency(), newest, alarms.c.site, alarms.c.rule, alarms.c.point)
    page = select(alarms).where(*conditions).order_by(*order).limit(limit).offset(offset)
    return [_alarm(row) for row in connection.execute(page)], int(total)


def _conditions(where: AlarmFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if where.site is not None:
        conditions.append(alarms.c.site == where.site)
    if where.states:
        conditions.append(alarms.c.state.in_(where.states))
    if where.priorities:
        conditions.append(alarms.c.priority.in_(where.priorities))
    if where.rule is not None:
        conditions.append(alarms.c.rule == where.rule)
    if where.point is not None:
        conditions.append(transitions.of_point(alarms.c.point, where.point))
    return conditions


def _urgency() -> ColumnElement[int]:
    """0: out of limit and nobody has answered; 1: something is still open; 2: normal."""
    state = alarms.c.state
    return case((state == AlarmState.UNACKNOWLEDGED, 0), (state.in_(sorted(_OPEN)), 1), else_=2)


def _subject(key: AlarmKey) -> str:
    return f"{key.rule} {key.point}"


def _alarm(row: Any) -> Alarm:
    return Alarm(
        site=row.site,
        key=AlarmKey(row.rule, row.point),
        state=AlarmState(row.state),
        priority=None if row.priority is None else Priority(row.priority),
        level=row.level,
        value=row.value,
        reason=None if row.reason is None else Reason(row.reason),
        raised_at=row.raised_at,
        changed_at=row.changed_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        overlays=msgspec.json.decode(row.overlays, type=tuple[Overlay, ...]),
        rules_revision=row.rules_revision,
        version=row.version,
    )
