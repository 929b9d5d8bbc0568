"""The log of transitions, and the excursions that follow from the same events."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from domain.alarms import (
    AlarmEvent,
    AlarmKey,
    AlarmState,
    EventKind,
    FoodFate,
    Nuisance,
    Priority,
    Reason,
    Remedy,
    Transition,
)
from domain.records import Excursion, TransitionFilter
from store.operational import locks
from store.operational.plain import plain_number, plain_text
from store.schema import excursions, notification_outbox, transitions

_PLAIN = tuple(field.name for field in fields(Transition) if field.name not in ("key", "id"))
_ID_CHUNK = 500  # below every database's bound on parameters


def append(connection: Connection, news: Sequence[Transition]) -> tuple[Transition, ...]:
    """Log the transitions in order and put each into the notification outbox; they come back with their ids.

    Whoever polls the log by id misses none: see `locks.log`.
    """
    if not news:
        return ()
    news = [_plain(transition) for transition in news]
    locks.log(connection)
    statement = insert(transitions).returning(transitions.c.id, sort_by_parameter_order=True)
    ids = connection.execute(statement, [_row(transition) for transition in news]).scalars().all()
    connection.execute(insert(notification_outbox), [{"transition_id": number} for number in ids])
    return tuple(replace(transition, id=number) for transition, number in zip(news, ids, strict=True))


def find(connection: Connection, where: TransitionFilter, limit: int, newest_first: bool) -> list[Transition]:
    """Transitions by id that meet every part of the filter."""
    table = transitions.c
    order = table.id.desc() if newest_first else table.id
    statement = select(transitions).where(table.id > where.after).order_by(order).limit(limit)
    if where.before is not None:
        statement = statement.where(table.id < where.before)
    if where.site is not None:
        statement = statement.where(table.site == where.site)
    if where.rule is not None:
        statement = statement.where(table.rule == where.rule)
    if where.point is not None:
        statement = statement.where(of_point(table.point, where.point))
    if where.start is not None:
        statement = statement.where(table.at >= where.start)
    if where.end is not None:
        statement = statement.where(table.at < where.end)
    return [of_row(row) for row in connection.execute(statement)]


def between(connection: Connection, first: int, last: int, site: str) -> tuple[Transition, ...]:
    """The site's transitions with these ids and those between them, ascending."""
    table = transitions.c
    statement = select(transitions).where(table.id >= first, table.id <= last, table.site == site).order_by(table.id)
    return tuple(of_row(row) for row in connection.execute(statement))


def by_ids(connection: Connection, ids: Sequence[int]) -> list[Transition]:
    """The transitions of these ids, ascending; absent ones are absent."""
    found = []
    for begin in range(0, len(ids), _ID_CHUNK):
        chunk = ids[begin : begin + _ID_CHUNK]
        statement = select(transitions).where(transitions.c.id.in_(chunk)).order_by(transitions.c.id)
        found += [of_row(row) for row in connection.execute(statement)]
    return found


def of_point(column: ColumnElement[str], point: str) -> ColumnElement[bool]:
    """Whether the column is that point, or a point of the asset of that id."""
    return or_(column == point, column.startswith(f"{point}/", autoescape=True, escape="\\"))


def of_row(row: Any) -> Transition:
    """The transition that a row of the table holds."""
    return Transition(
        site=row.site,
        key=AlarmKey(row.rule, row.point),
        event=EventKind(row.event),
        source=AlarmState(row.source),
        target=AlarmState(row.target),
        reason=Reason(row.reason),
        priority=None if row.priority is None else Priority(row.priority),
        level=row.level,
        value=row.value,
        at=row.at,
        detected_at=row.detected_at,
        retroactive=row.retroactive,
        answer_required=row.answer_required,
        by=row.by,
        note=row.note,
        id=row.id,
        rules_revision=row.rules_revision,
        until=row.until,
        nuisance=None if row.nuisance is None else Nuisance(row.nuisance),
        remedy=None if row.remedy is None else Remedy(row.remedy),
        food=None if row.food is None else FoodFate(row.food),
        assignee=row.assignee,
    )


def note_excursion(connection: Connection, site: str, event: AlarmEvent) -> None:
    """Open, raise or close the excursion that the event tells of. Silence (`no_data`) is unknown, not out of limit."""
    mine = (
        excursions.c.site == site,
        excursions.c.rule == event.key.rule,
        excursions.c.point == event.key.point,
    )
    edge = event.at if event.since is None else event.since
    is_open, is_past = excursions.c.end.is_(None), excursions.c.past
    match event.kind:
        case EventKind.RAISE | EventKind.PAST_RAISE if event.reason is not Reason.NO_DATA:
            past = event.kind is EventKind.PAST_RAISE
            row = {"site": site, "rule": event.key.rule, "point": event.key.point, "start": edge}
            end = edge if past else None
            connection.execute(insert(excursions), [{**row, "end": end, "priority": event.priority, "past": past}])
        case EventKind.STEP_UP:
            connection.execute(update(excursions).where(*mine, is_open).values(priority=event.priority))
        case EventKind.CLEAR:
            connection.execute(update(excursions).where(*mine, is_open).values(end=edge))
        case EventKind.CLOSE:
            connection.execute(update(excursions).where(*mine, is_open).values(end=event.at))
        case EventKind.PAST_CLEAR:
            connection.execute(update(excursions).where(*mine, is_past).values(end=edge, past=False))


def find_excursions(connection: Connection, site: str, point: str | None, start: int, end: int) -> list[Excursion]:
    """Excursions that overlap [start, end), by start; one of no length counts where it stands."""
    table = excursions.c
    overlaps = or_(table.end.is_(None), table.end > start, (table.end == table.start) & (table.end == start))
    statement = select(excursions).where(table.site == site, table.start < end, overlaps)
    if point is not None:
        statement = statement.where(of_point(table.point, point))
    return [of_excursion(row) for row in connection.execute(statement.order_by(table.start, table.id))]


def of_excursion(row: Any) -> Excursion:
    """The excursion that a row of the table holds."""
    priority = None if row.priority is None else Priority(row.priority)
    return Excursion(row.site, row.rule, row.point, row.start, row.end, priority, row.id)


def _plain(transition: Transition) -> Transition:
    """As the database gives it back: what is sealed must not differ from what is read."""
    by, note, assignee = (plain_text(text) for text in (transition.by, transition.note, transition.assignee))
    return replace(transition, by=by, note=note, assignee=assignee, value=plain_number(transition.value))


def _row(transition: Transition) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(transition, name) for name in _PLAIN}
    return {**row, "rule": transition.key.rule, "point": transition.key.point}
