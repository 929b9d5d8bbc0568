"""The notification outbox (transitions that nobody has decided about), the delivery log, and what is sent once."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from domain.alarms import Transition
from domain.errors import NotFoundError
from domain.records import SentNotice
from store.engine import Database
from store.operational import aside, locks
from store.operational import transitions as log
from store.operational.upsert import upsert
from store.schema import notices, notification_outbox, sent_once, transitions

_CHUNK = 500  # below every database's bound on parameters


class Notices:
    """The methods of `OperationalStore` as notify uses it."""

    _database: Database

    def pending_notices(self, limit: int) -> list[Transition]:
        """Transitions in the notification outbox that nobody has settled, by id."""
        with self._database.read() as connection:
            return pending(connection, limit)

    def lift_expired(self, now: int) -> tuple[Transition, ...]:
        """Lift every overlay that has ended, a transaction per site; the transitions that came of it."""
        with self._database.read() as connection:
            sites = aside.sites_with_ended(connection, now)
        lifted: list[Transition] = []
        for site in sites:
            with self._database.write() as connection:
                locks.site(connection, site)
                lifted += aside.lift_ended(connection, site, now)
        return tuple(lifted)

    def settle_notice(self, notice: SentNotice) -> None:
        """Log what was decided and sent, and take the transition out of the outbox, in one transaction."""
        self.settle_notices((notice,))

    def settle_notices(self, settled: Sequence[SentNotice]) -> None:
        """As `settle_notice` for each, all in one transaction."""
        with self._database.write() as connection:
            settle(connection, settled)

    def notices(self, limit: int) -> Iterator[SentNotice]:
        """The delivery log, newest first."""
        with self._database.read() as connection:
            return iter(find(connection, limit))

    def notices_of(self, transition_ids: Sequence[int]) -> dict[int, SentNotice]:
        """What became of each of the transitions that are settled, by id."""
        with self._database.read() as connection:
            return of_transitions(connection, transition_ids)

    def sent_once(self, subject: str) -> dict[str, str]:
        """Channel -> outcome of what was sent about the subject."""
        with self._database.read() as connection:
            rows = connection.execute(select(sent_once).where(sent_once.c.subject == subject))
            return {row.channel: row.outcome for row in rows}

    def note_sent(self, subject: str, site: str, channel: str, at: int, outcome: str) -> None:
        """Keep what became of the subject on that channel; the first word stays."""
        row = {"subject": subject, "channel": channel, "site": site, "at": at, "outcome": outcome}
        with self._database.write() as connection:
            upsert(connection, sent_once, [row], ())


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
    return [_of_row(row) for row in connection.execute(select(notices).order_by(notices.c.id.desc()).limit(limit))]


def of_transitions(connection: Connection, transition_ids: Sequence[int]) -> dict[int, SentNotice]:
    """The first line of the delivery log of each of the transitions that has one."""
    found: dict[int, SentNotice] = {}
    for begin in range(0, len(transition_ids), _CHUNK):
        mine = notices.c.transition_id.in_(transition_ids[begin : begin + _CHUNK])
        for row in connection.execute(select(notices).where(mine).order_by(notices.c.id)):
            found.setdefault(row.transition_id, _of_row(row))
    return found


def _of_row(row: Any) -> SentNotice:
    return SentNotice(row.transition_id, row.decision, row.channel, row.at, row.outcome)
