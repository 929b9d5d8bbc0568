"""The notification outbox (transitions that nobody has decided about) and the delivery log."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from domain.alarms import Transition
from domain.errors import NotFoundError
from domain.records import SentNotice
from store.operational import transitions as log
from store.schema import notices, notification_outbox, transitions

_CHUNK = 500  # below every database's bound on parameters


def pending(connection: Connection, limit: int) -> list[Transition]:
    """Transitions of the outbox, by id."""
    statement = select(transitions).join(notification_outbox, notification_outbox.c.transition_id == transitions.c.id)
    return [log.of_row(row) for row in connection.execute(statement.order_by(transitions.c.id).limit(limit))]


def settle(connection: Connection, settled: Sequence[SentNotice]) -> None:
    """Log the notices and take their transitions out of the outbox. NotFoundError when there is no such transition."""
    if not settled:
        return
    wanted = sorted({notice.transition_id for notice in settled})
    for begin in range(0, len(wanted), _CHUNK):
        chunk = wanted[begin : begin + _CHUNK]
        known = set(connection.execute(select(transitions.c.id).where(transitions.c.id.in_(chunk))).scalars())
        absent = [number for number in chunk if number not in known]
        if absent:
            raise NotFoundError(f"there is no transition {absent[0]}")
        connection.execute(delete(notification_outbox).where(notification_outbox.c.transition_id.in_(chunk)))
    rows = [
        {
            "transition_id": notice.transition_id, "decision": notice.decision, "channel": notice.channel,
            "at": notice.at, "outcome": notice.outcome,
        }
        for notice in settled
    ]  # fmt: skip
    connection.execute(insert(notices), rows)


def find(connection: Connection, limit: int) -> list[SentNotice]:
    """The delivery log, newest first."""
    rows = connection.execute(select(notices).order_by(notices.c.id.desc()).limit(limit))
    return [SentNotice(r.transition_id, r.decision, r.channel, r.at, r.outcome) for r in rows]
