"""The notification outbox (transitions that nobody has decided about) and the delivery log."""

from sqlalchemy import Connection, delete, insert, select

from domain.alarms import Transition
from domain.errors import NotFoundError
from domain.records import SentNotice
from store.operational import transitions as log
from store.schema import notices, notification_outbox, transitions


def pending(connection: Connection, limit: int) -> list[Transition]:
    """Transitions of the outbox, by id."""
    statement = select(transitions).join(notification_outbox, notification_outbox.c.transition_id == transitions.c.id)
    return [log.of_row(row) for row in connection.execute(statement.order_by(transitions.c.id).limit(limit))]


def settle(connection: Connection, notice: SentNotice) -> None:
    """Log the notice and take its transition out of the outbox. NotFoundError when there is no such transition."""
    known = select(transitions.c.id).where(transitions.c.id == notice.transition_id)
    if connection.execute(known).first() is None:
        raise NotFoundError(f"there is no transition {notice.transition_id}")
    row = {
        "transition_id": notice.transition_id, "decision": notice.decision, "channel": notice.channel,
        "at": notice.at, "outcome": notice.outcome,
    }  # fmt: skip
    connection.execute(insert(notices), [row])
    settled = notification_outbox.c.transition_id == notice.transition_id
    connection.execute(delete(notification_outbox).where(settled))


def find(connection: Connection, limit: int) -> list[SentNotice]:
    """The delivery log, newest first."""
    rows = connection.execute(select(notices).order_by(notices.c.id.desc()).limit(limit))
    return [SentNotice(r.transition_id, r.decision, r.channel, r.at, r.outcome) for r in rows]
