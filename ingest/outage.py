"""The one alarm that stands for all silence while ingest itself cannot hear: broker unreachable.

Decides when it is raised and cleared, for the alarm log. No-data rules do not count time in which nothing can be heard
(`rules.silence`), so without it an outage of the broker would say nothing at all. Raised at the moment at which the
connection was gone for the whole delay; cleared when it stands again. Whether it is raised is what the operational
store says, so it survives a restart and is raised once. Reads no clock.
"""

from domain.alarms import AlarmEvent, AlarmState, EventKind, Priority, Reason
from domain.ports import Ledger
from domain.records import AlarmFilter
from domain.system import BROKER_UNREACHABLE
from domain.times import MINUTE

_ACTIVE = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)


class BrokerWatch:
    """Watches the connection for one site; `after` ms without it are too long."""

    def __init__(self, site: str, ledger: Ledger, after: int) -> None:
        self._site, self._ledger, self._after = site, ledger, after
        self._lost_at: int | None = None
        self._quiet = False  # connected, and the store said that the alarm is not raised

    def look(self, now: int, connected: bool, commissioned_at: int | None) -> AlarmEvent | None:
        """What the alarm does at `now` (UTC ms); whatever the store raises, raises.

        It is to be committed before the next look, which asks the store what came of it.
        """
        if connected:
            self._lost_at = None
            if self._quiet:
                return None
            self._quiet = not self._raised()
            return None if self._quiet else self._event(EventKind.CLEAR, now, now, now, commissioned_at)
        self._quiet = False
        self._lost_at = now if self._lost_at is None else self._lost_at
        due = self._lost_at + self._after
        if now < due or self._raised():
            return None
        return self._event(EventKind.RAISE, due, self._lost_at, now, commissioned_at)

    def _raised(self) -> bool:
        rule, point = BROKER_UNREACHABLE
        found, _ = self._ledger.alarms(AlarmFilter(site=self._site, states=_ACTIVE, rule=rule, point=point), 1)
        return bool(found)

    def _event(self, kind: EventKind, at: int, since: int, now: int, commissioned_at: int | None) -> AlarmEvent:
        reason = Reason.CONNECTION_LOST if kind is EventKind.RAISE else Reason.CONNECTION_BACK
        return AlarmEvent(
            kind, BROKER_UNREACHABLE, reason, at, now, since=since, priority=Priority.HIGH, level=0,
            retroactive=now - at > MINUTE, answer_required=commissioned_at is not None and at >= commissioned_at,
        )  # fmt: skip
