"""Publishes the alarms of one site, retained, for others on the broker (Home Assistant, wall displays).

Decides by comparing what the store says with what was published: so it follows the engine, people's commands and
restarts alike. After a start or a new connection (a broker may have lost what it retained) every alarm is published,
those that are normal as an empty payload, which clears a stale one.
"""

from collections.abc import Iterator

import structlog

from domain.alarms import Alarm, AlarmKey, AlarmState
from domain.ports import Ledger
from domain.records import AlarmFilter
from ingest.mailbox import Mailbox
from wire.messages import alarm_message, encode_alarm
from wire.topics import alarm_topic

PAGE = 500
MOST = 20_000  # alarms of one site that are looked at
ALARM_QOS = 1
_OPEN = tuple(state for state in AlarmState if state is not AlarmState.NORMAL)

_log = structlog.get_logger()


class AlarmPublisher:
    """What of one site's alarms the broker has been told."""

    def __init__(self, site: str, ledger: Ledger, mailbox: Mailbox) -> None:
        self._site, self._ledger, self._mailbox = site, ledger, mailbox
        self._published: dict[AlarmKey, int] = {}
        self._all = True

    def republish(self) -> None:
        """The broker may have forgotten: publish everything at the next refresh."""
        self._all = True

    def refresh(self) -> None:
        """Publish what differs from what was published; a failure of the store is tried again at the next refresh."""
        try:
            found = list(self._alarms(() if self._all else _OPEN))
        except Exception as error:  # noqa: BLE001 - the alarms themselves are safe in the store
            _log.warning("alarms were not published; tried again", site=self._site, error=str(error))
            return
        if self._all:
            self._published.clear()
        is_open = {alarm.key: alarm for alarm in found if alarm.state is not AlarmState.NORMAL}
        gone = {alarm.key for alarm in found} - is_open.keys() | self._published.keys() - is_open.keys()
        for key, alarm in is_open.items():
            if self._published.get(key) != alarm.version:
                self._post(key, encode_alarm(alarm_message(alarm)))
                self._published[key] = alarm.version
        for key in gone:
            self._post(key, encode_alarm(None))
            self._published.pop(key, None)
        self._all = False

    def _post(self, key: AlarmKey, payload: bytes) -> None:
        self._mailbox.post(alarm_topic(self._site, key.rule, key.point), payload, ALARM_QOS)

    def _alarms(self, states: tuple[AlarmState, ...]) -> Iterator[Alarm]:
        where = AlarmFilter(site=self._site, states=states)
        for offset in range(0, MOST, PAGE):
            page, total = self._ledger.alarms(where, PAGE, offset)
            yield from page
            if offset + len(page) >= total or not page:
                return
