"""From outcomes to one batch: packs of one site side by side in columns, with everything else that they change.

Decides when a batch is large or old enough. Rows keep the order of arrival; each pack has its `Span`. It does no I/O.
"""

from collections import deque
from dataclasses import dataclass

from domain.batch import ReadingBatch
from domain.records import DeadLetter, Discovery, Position
from ingest.accept import Outcome
from ingest.clocks import ClockNote
from ingest.express import Express
from ingest.inbox import Ack, Inbound
from ingest.open_batch import OpenBatch


@dataclass(frozen=True, slots=True)
class Sealed:
    """A finished batch. `batch` is None when nothing is to be journalled; `answers` are receipted after the commit."""

    batch: ReadingBatch | None
    packs: int
    positions: tuple[Position, ...]
    letters: tuple[DeadLetter, ...]
    discoveries: tuple[Discovery, ...]
    owners: tuple[tuple[str, str], ...]
    births: tuple[tuple[str, bytes], ...]
    statuses: tuple[tuple[str, bool, str], ...]
    answers: tuple[Position, ...]
    acks: tuple[Ack, ...]
    replayed: tuple[int, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to commit."""
        changes = (self.positions, self.letters, self.owners, self.births, self.statuses, self.discoveries)
        return self.batch is None and not self.replayed and not any(changes)


class Batcher:
    """Collects the outcomes of one site. `most` rows or `wait` ms after the first message the batch is ready."""

    def __init__(self, site: str, most: int, wait: int) -> None:
        self._site, self._most, self._wait = site, most, wait
        self._clear()

    def _clear(self) -> None:
        self._since: int | None = None
        self._open = OpenBatch()

    @property
    def messages(self) -> list[Inbound]:
        """Those of the batch so far."""
        return self._open.messages

    def take(self, express: Express, waiting: deque[Inbound], now: int) -> list[ClockNote]:
        """Take what goes the quick way from the front of `waiting`; what was learned of agents' clocks."""
        notes = express.take(waiting, now, self._open, self._most)
        if self._since is None and self._open.messages:
            self._since = now
        return notes

    def add(self, message: Inbound, outcome: Outcome, now: int) -> None:
        """Take what the message changes; the message itself is kept for its acknowledgement."""
        if self._since is None:
            self._since = now
        batch = self._open
        batch.messages.append(message)
        if (pack := outcome.pack) is not None:
            batch.add_pack(pack.agent, pack.rows, pack.upto, pack.boot, pack.seq)
        batch.gaps.extend(outcome.gaps)
        batch.letters.extend(outcome.letters)
        batch.discoveries.update((found.point, found) for found in outcome.discoveries)
        batch.owners.update(outcome.owners)
        batch.births.update(outcome.births)
        batch.statuses.extend(outcome.statuses)
        if outcome.position is not None:
            batch.positions[outcome.position.agent] = outcome.position
        if outcome.answer is not None:
            batch.answers[outcome.answer.agent] = outcome.answer

    def ready(self, now: int) -> bool:
        """Whether the batch should be sealed now."""
        return self._since is not None and (
            len(self._open.rows) >= self._most or now - self._since >= self._wait or now < self._since
        )

    @property
    def empty(self) -> bool:
        """Whether no message was added since the last batch."""
        return self._since is None

    def seal(self, received: int) -> Sealed:
        """The batch as of `received`; the next one begins empty."""
        batch = self._open
        sealed = Sealed(
            batch.columns(self._site, received),
            len(batch.spans),
            tuple(batch.positions.values()),
            tuple(batch.letters),
            tuple(batch.discoveries.values()),
            tuple(batch.owners.items()),
            tuple(batch.births.items()),
            tuple(batch.statuses),
            tuple(batch.answers.values()),
            tuple([message.ack for message in batch.messages if message.ack is not None]),
            tuple([message.letter for message in batch.messages if message.letter]),
        )
        self._clear()
        return sealed
