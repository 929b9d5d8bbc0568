"""From outcomes to one batch: packs of one site side by side in columns, with everything else that they change.

Decides when a batch is large or old enough. Rows keep the order of arrival; each pack has its `Span`. It does no I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domain.batch import Gap, ReadingBatch, Span
from domain.records import DeadLetter, Discovery, Position
from ingest.accept import Outcome, TakenPack
from ingest.inbox import Ack, Inbound


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
        self.messages: list[Inbound] = []
        self._rows = 0
        self._since: int | None = None
        self._packs: list[TakenPack] = []
        self._gaps: list[Gap] = []
        self._letters: list[DeadLetter] = []
        self._discoveries: dict[str, Discovery] = {}
        self._owners: dict[str, str] = {}
        self._births: dict[str, bytes] = {}
        self._statuses: list[tuple[str, bool, str]] = []
        self._positions: dict[str, Position] = {}
        self._answers: dict[str, Position] = {}

    def add(self, message: Inbound, outcome: Outcome, now: int) -> None:
        """Take what the message changes; the message itself is kept for its acknowledgement."""
        if self._since is None:
            self._since = now
        self.messages.append(message)
        if outcome.pack is not None:
            self._packs.append(outcome.pack)
            self._rows += len(outcome.pack.rows)
        self._gaps.extend(outcome.gaps)
        self._letters.extend(outcome.letters)
        self._discoveries.update((found.point, found) for found in outcome.discoveries)
        self._owners.update(outcome.owners)
        self._births.update(outcome.births)
        self._statuses.extend(outcome.statuses)
        if outcome.position is not None:
            self._positions[outcome.position.agent] = outcome.position
        if outcome.answer is not None:
            self._answers[outcome.answer.agent] = outcome.answer

    def ready(self, now: int) -> bool:
        """Whether the batch should be sealed now."""
        return self._since is not None and (
            self._rows >= self._most or now - self._since >= self._wait or now < self._since
        )

    @property
    def empty(self) -> bool:
        """Whether no message was added since the last batch."""
        return self._since is None

    def seal(self, received: int) -> Sealed:
        """The batch as of `received`; the next one begins empty."""
        sealed = Sealed(
            _columns(self._site, received, self._packs, self._gaps),
            len(self._packs),
            tuple(self._positions.values()),
            tuple(self._letters),
            tuple(self._discoveries.values()),
            tuple(self._owners.items()),
            tuple(self._births.items()),
            tuple(self._statuses),
            tuple(self._answers.values()),
            tuple(message.ack for message in self.messages if message.ack is not None),
            tuple(message.letter for message in self.messages if message.letter),
        )
        self._clear()
        return sealed


def _columns(site: str, received: int, packs: Sequence[TakenPack], gaps: Sequence[Gap]) -> ReadingBatch | None:
    if not packs and not gaps:
        return None
    names: dict[str, int] = {}
    spans: list[Span] = []
    texts: dict[int, str] = {}
    point = [np.empty(0, np.int32)]
    start = 0
    for pack in packs:
        rows = pack.rows
        index = np.array([names.setdefault(name, len(names)) for name in rows.names], np.int32)
        if len(rows):
            point.append(index[rows.point])
        texts.update((start + row, text) for row, text in rows.texts.items())
        spans.append(Span(pack.agent, start, start + len(rows), pack.upto, pack.boot, pack.seq))
        start += len(rows)
    every = [pack.rows for pack in packs]
    return ReadingBatch(
        site,
        received,
        tuple(names),
        np.concatenate(point),
        np.concatenate([np.empty(0, np.int64), *(rows.time for rows in every)]),
        np.concatenate([np.empty(0, np.float64), *(rows.value for rows in every)]),
        np.concatenate([np.empty(0, np.uint8), *(rows.quality for rows in every)]),
        tuple(spans),
        tuple(gaps),
        texts,
    )
