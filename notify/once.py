"""What is told once and is about no single transition: an escalation, the weekly list.

Each has a subject, under which the operational store keeps what became of it on each channel as soon as that has
answered: after a restart only the channels that have not answered are asked. A crash between an answer and its record
sends to that one channel again; nothing else is ever sent twice. Retries are those of every message.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from domain.ports import Outbox
from domain.times import MINUTE, SECOND
from notify.channels import Channel
from notify.message import Message

MOST_TRIES = 50
FIRST_RETRY = 5 * SECOND
LONGEST_RETRY = 5 * MINUTE
MOST_SETTLED = 10_000  # subjects remembered as settled; a forgotten one is looked up in the store again

_log = structlog.get_logger("notify.once")


@dataclass(slots=True)
class _Pending:
    subject: str
    site: str
    message: Message
    waiting: list[Channel]
    due: int
    tries: int = 0


def retry_after(tries: int) -> int:
    """How long (ms) after that many attempts a channel is asked again: doubling, bounded."""
    return min(LONGEST_RETRY, FIRST_RETRY << min(tries - 1, 10))


class Once:
    """Sends each subject once per channel. `step` is one round; it reads no clock and does not sleep."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._pending: dict[str, _Pending] = {}
        self._settled: OrderedDict[str, None] = OrderedDict()

    @property
    def pending(self) -> int:
        """How many subjects have a channel that has not answered yet."""
        return len(self._pending)

    def settled(self, subject: str, channels: Sequence[Channel]) -> bool:
        """Whether every channel has answered, or was given up."""
        if subject in self._settled:
            return True
        if subject in self._pending or any(one.name not in self._outbox.sent_once(subject) for one in channels):
            return False
        self._settle(subject)
        return True

    def send(
        self, subject: str, site: str, channels: Sequence[Channel], now: int, message: Callable[[], Message]
    ) -> None:
        """Have it sent, unless it was or is being sent; `message` is asked for only when it is needed."""
        if subject in self._pending or self.settled(subject, channels):
            return
        sent = self._outbox.sent_once(subject)
        waiting = [channel for channel in channels if channel.name not in sent]
        self._pending[subject] = _Pending(subject, site, message(), waiting, now)

    def keep(self, prefix: str, subjects: set[str]) -> None:
        """Drop what begins with `prefix` and is not among these: nobody need be told of it any more."""
        for subject in [one for one in self._pending if one.startswith(prefix) and one not in subjects]:
            del self._pending[subject]

    def step(self, now: int) -> None:
        """Ask the channels whose turn it is (`now` in UTC ms); a channel that fails in a round is asked once in it."""
        failed: set[str] = set()
        for one in sorted(self._pending.values(), key=lambda pending: pending.tries):
            if one.due <= now:
                self._try(one, now, failed)
        for subject in [one.subject for one in self._pending.values() if not one.waiting]:
            del self._pending[subject]
            self._settle(subject)

    def _try(self, one: _Pending, now: int, failed: set[str]) -> None:
        asked = [channel for channel in one.waiting if channel.name not in failed]
        if not asked:
            return
        one.tries += 1
        for channel in asked:
            answer = channel.send(one.message)
            if answer.delivered:
                self._note(one, channel, now, "sent")
                continue
            failed.add(channel.name)
            _log.warning("not delivered", channel=channel.name, tries=one.tries, why=answer.detail)
            if one.tries >= MOST_TRIES:
                _log.error("given up", channel=channel.name, tries=one.tries, title=one.message.title)
                self._note(one, channel, now, f"failed: {answer.detail}")
        one.due = now + retry_after(one.tries)

    def _note(self, one: _Pending, channel: Channel, now: int, outcome: str) -> None:
        self._outbox.note_sent(one.subject, one.site, channel.name, now, outcome)
        one.waiting.remove(channel)

    def _settle(self, subject: str) -> None:
        self._settled[subject] = None
        while len(self._settled) > MOST_SETTLED:
            self._settled.popitem(last=False)
