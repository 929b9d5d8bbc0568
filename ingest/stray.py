"""Messages of no known site: kept as dead letters, never receipted, so that agents keep their readings.

A site may be applied a minute after its agents were switched on; a receipt before that would lose what they sent. So
that a waiting agent does not fill the store, one letter is kept per agent, kind and boot; every message is counted.
"""

from contextlib import suppress

import structlog

from domain.errors import FencedError
from domain.reasons import DeadReason
from domain.records import Commit, DeadLetter
from domain.times import SECOND
from ingest.backoff import Backoff
from ingest.inbox import STRAY, Inbound, Inbox
from ingest.letters import letter
from ingest.metrics import Count
from ingest.parts import Parts
from wire.rejection import Rejection
from wire.topics import Kind

MOST_KNOWN = 1_000  # senders that are remembered; then all are forgotten and may leave a letter again
TAKE_AT_ONCE = 64

_log = structlog.get_logger()


class Stray:
    """Settles messages that belong to no site, under a lease of its own."""

    def __init__(self, parts: Parts, inbox: Inbox) -> None:
        self._parts, self._inbox = parts, inbox
        self._known: set[tuple[str, str, str, str]] = set()
        self._epoch: int | None = None
        self._renewed_at = 0
        self._retry_at = 0
        self._backoff = Backoff(SECOND, 10 * SECOND)

    def step(self, now: int, seconds: float) -> None:
        """Take what is there (waiting up to `seconds`), keep letters, acknowledge; a failure is tried again later."""
        if now < self._retry_at:
            return
        messages = self._inbox.take(STRAY, TAKE_AT_ONCE, seconds)
        if not messages:
            return
        known = set(self._known)
        letters = tuple(found for message in messages if (found := self._letter(message, now)) is not None)
        try:
            if letters:
                self._commit(letters, now)
        except Exception as error:  # noqa: BLE001 - any failure of the store: put back, tried again
            self._known = known
            self._inbox.put_back(STRAY, messages)
            self._epoch = None
            self._retry_at = now + self._backoff.next()
            _log.warning("dead letters were not kept; tried again", error=str(error))
            return
        self._backoff.reset()
        self._parts.counters.add(Count.UNKNOWN_SITE, len(messages))
        for found in letters:
            self._parts.counters.dead_letter(found.reason)
        self._parts.link.acknowledge([message.ack for message in messages if message.ack is not None])

    def lead(self, now: int) -> bool:
        """Whether this process is the one that settles them: it takes the lease when it is free, and renews it."""
        settings = self._parts.settings
        if self._epoch is None or now - self._renewed_at > settings.lease_ttl // 3:
            self._epoch = self._parts.ledger.acquire(STRAY, settings.worker, now, settings.lease_ttl, self._epoch)
            self._renewed_at = now
        return self._epoch is not None

    def leave(self) -> None:
        """This process ends: another need not wait for the lease to run out."""
        if self._epoch is not None:
            with suppress(Exception):  # any failure of the store: then it runs out by itself
                self._parts.ledger.release(STRAY, self._parts.settings.worker, self._epoch)
            self._epoch = None

    def discard(self, seconds: float) -> None:
        """Another process settles them: drop what came here, waiting up to `seconds` for it."""
        messages = self._inbox.take(STRAY, TAKE_AT_ONCE, seconds)
        self._parts.counters.add(Count.ELSEWHERE, len(messages))
        self._parts.link.acknowledge([message.ack for message in messages if message.ack is not None])

    def _letter(self, message: Inbound, now: int) -> DeadLetter | None:
        topic = message.topic
        if isinstance(topic, Rejection):
            return letter("", message, now, topic.reason, topic.detail)
        if message.retained:
            return None
        sender = (topic.site, topic.agent, topic.kind.value, topic.boot)
        if topic.kind is not Kind.UNSEQUENCED:
            if sender in self._known:
                return None
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known.add(sender)
        detail = f"there is no site {topic.site!r}: apply its catalogue with caretaker site apply FILE"
        return letter("", message, now, DeadReason.UNKNOWN_SITE, detail)

    def _commit(self, letters: tuple[DeadLetter, ...], now: int) -> None:
        if not self.lead(now) or self._epoch is None:
            raise FencedError("another worker keeps the dead letters of unknown sites")
        self._parts.ledger.commit(Commit(STRAY, self._parts.settings.worker, self._epoch, now, dead_letters=letters))
