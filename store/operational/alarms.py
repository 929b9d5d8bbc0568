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
from domain.lifecycle import LIFTS, apply
from domain.records import AlarmFilter
from store.operational import audit, catalogue, service, transitions
from store.operational.plain import plain_number
from store.operational.upsert import upsert
from store.schema import alarms

_STATE_COLUMNS = (
    "state", "priority", "level", "value", "reason", "raised_at", "changed_at", "acknowledged_by", "acknowledged_at",
    "rules_revision", "version", "confirmed_by", "confirmed_at", "silenced_by", "silenced_at", "assigned_to",
)  # fmt: skip
ITSELF = "caretaker"  # in the audit, where nobody did it: what has ended by its time
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
        present = (
            touched.get(event.key) or load(connection, site, event.key, lock=True) or _new(connection, site, event.key)
        )
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
    return change(connection, site, [(present, event)])[0]


def change(connection: Connection, site: str, commands: Sequence[tuple[Alarm, AlarmEvent]]) -> tuple[Transition, ...]:
    """Apply one command to each of these alarms (their rows locked, no alarm twice), each audited."""
    if not commands:
        return ()
    now = commands[0][1].detected_at
    live_since = catalogue.commissioned_at(connection, site)
    live = live_since is not None and live_since <= now
    # What comes from under an overlay asks for an answer only where the site has gone live.
    asked = [
        (present, replace(event, answer_required=False) if event.kind in LIFTS and not live else event)
        for present, event in commands
    ]
    applied = [apply(present, event) for present, event in asked]
    save(connection, [changed for changed, _ in applied])
    logged = transitions.append(connection, [transition for _, transition in applied])
    for one in logged:
        audit.append(connection, site, now, one.by or ITSELF, one.event, _subject(one.key), _detail(one))
    audit.append_transitions(connection, logged, now)
    return logged


def load(connection: Connection, site: str, key: AlarmKey, *, lock: bool = False) -> Alarm | None:
    """The alarm; with `lock` its row is locked until the transaction's end where the database has row locks."""
    where = (alarms.c.site == site, alarms.c.rule == key.rule, alarms.c.point == key.point)
    statement = select(alarms).where(*where)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    return None if row is None else of_row(row)


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
            "lifts_at": min((lay.until for lay in alarm.overlays if lay.until is not None), default=None),
        }
        for alarm in changed
    ]
    upsert(connection, alarms, rows, (*_STATE_COLUMNS, "overlays", "lifts_at"))


def find(connection: Connection, where: AlarmFilter, limit: int, offset: int) -> tuple[list[Alarm], int]:
    """One page in the order of `_urgency`, and how many alarms meet the filter in all."""
    conditions = _conditions(where)
    total = connection.execute(select(func.count()).select_from(alarms).where(*conditions)).scalar_one()
    newest = func.coalesce(alarms.c.changed_at, 0).desc()
    order = (_urgency(), newest, alarms.c.site, alarms.c.rule, alarms.c.point)
    page = select(alarms).where(*conditions).order_by(*order).limit(limit).offset(offset)
    return [of_row(row) for row in connection.execute(page)], int(total)


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
    if where.overlay is not None:
        # Quotes within people's words are escaped in the text, so that this is found in the key alone.
        conditions.append(alarms.c.overlays.contains(f'"kind":"{where.overlay}"', autoescape=True, escape="\\"))
    if where.set_aside:
        conditions.append(alarms.c.overlays != "[]")
    if where.point is not None:
        conditions.append(transitions.of_point(alarms.c.point, where.point))
    return conditions


def _urgency() -> ColumnElement[int]:
    """0: out of limit and nobody has answered; 1: something is still open; 2: normal."""
    state = alarms.c.state
    return case((state == AlarmState.UNACKNOWLEDGED, 0), (state.in_(sorted(_OPEN)), 1), else_=2)


def _new(connection: Connection, site: str, key: AlarmKey) -> Alarm:
    """An alarm that was never raised; an asset that is out of service takes it along."""
    overlay = service.overlay_of(connection, site, key.point.partition("/")[0])
    return Alarm(site, key, overlays=() if overlay is None else (overlay,))


def _detail(logged: Transition) -> dict[str, object]:
    """What the audit says of a command; words of single commands only where they were said."""
    said = {name: getattr(logged, name) for name in ("nuisance", "remedy", "food", "assignee")}
    return {
        "transition": logged.id, "from": logged.source, "to": logged.target, "note": logged.note, "until": logged.until,
        **{name: value for name, value in said.items() if value},
    }  # fmt: skip


def _subject(key: AlarmKey) -> str:
    return f"{key.rule} {key.point}"


def of_row(row: Any) -> Alarm:
    """The alarm that a row of the table holds."""
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
        confirmed_by=row.confirmed_by,
        confirmed_at=row.confirmed_at,
        silenced_by=row.silenced_by,
        silenced_at=row.silenced_at,
        assigned_to=row.assigned_to,
    )
