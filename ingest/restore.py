"""A site's judge as it was: from the newest snapshot and the journal after it.

Decides nothing new: what the judge says during the replay was committed the first time and is discarded. A snapshot
of another format is not used; then the journal is replayed as far as it reaches back, beginning with the
configuration that is in force now when no entry says another.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec
import structlog

from domain.batch import ReadingBatch
from domain.ports import Judge, Ledger
from domain.records import Clock, ConfigChange, EntryKind, JournalEntry, Position, Review
from ingest import configuration
from ingest.configuration import Configuration

PAGE = 200  # entries read at once
_FORMAT = 1

_log = structlog.get_logger()


class _Envelope(msgspec.Struct, array_like=True):
    """What ingest keeps beside the judge's own state."""

    version: int
    change: ConfigChange
    now: int
    judge: bytes


@dataclass(slots=True)
class Restored:
    """The judge after entry `n`; `now` is the newest time it was told, `seen` the boots of the journal's packs."""

    judge: Judge
    n: int
    now: int = 0
    config: Configuration | None = None
    seen: list[Position] = field(default_factory=list)
    batches: list[ReadingBatch] = field(default_factory=list)
    replayed: int = 0


def pack_snapshot(change: ConfigChange, now: int, judge: bytes) -> bytes:
    """The snapshot as it is stored."""
    return msgspec.msgpack.encode(_Envelope(_FORMAT, change, now, judge))


def restore(ledger: Ledger, site: str, make: Callable[[], Judge], on_batch: Callable[[ReadingBatch], None]) -> Restored:
    """The site's judge as it was after the newest journal entry; `on_batch` sees each batch that is replayed."""
    state = _from_snapshot(ledger, site, make)
    for entry in _entries(ledger, site):
        content = entry.content
        if isinstance(content, ReadingBatch):
            _note_boots(state, content)
        if entry.n <= state.n:
            continue
        if state.config is None and state.replayed == 0 and entry.n > 1 and not isinstance(content, ConfigChange):
            # The entries that said what was in force are trimmed, and no snapshot tells it.
            _begin_with_newest(ledger, site, state, entry.received)
        _replay(ledger, site, state, entry)
        if isinstance(content, ReadingBatch):
            on_batch(content)
    state.n = max(state.n, ledger.journal_end(site))
    return state


def _from_snapshot(ledger: Ledger, site: str, make: Callable[[], Judge]) -> Restored:
    judge = make()
    stored = ledger.snapshot(site)
    if stored is None:
        return Restored(judge, 0)
    n, blob = stored
    try:
        envelope = msgspec.msgpack.decode(blob, type=_Envelope)
        if envelope.version != _FORMAT:
            raise ValueError(f"format {envelope.version}; this program reads {_FORMAT}")
        judge.restore(envelope.judge)
    except (msgspec.MsgspecError, ValueError) as error:
        _log.warning("the snapshot cannot be used; the journal is replayed instead", site=site, n=n, error=str(error))
        return Restored(make(), 0)
    return Restored(judge, n, envelope.now, configuration.load(ledger, site, envelope.change))


def _entries(ledger: Ledger, site: str) -> Iterator[JournalEntry]:
    after = 0
    while page := ledger.journal(site, after, PAGE):
        yield from page
        after = page[-1].n


def _begin_with_newest(ledger: Ledger, site: str, state: Restored, now: int) -> None:
    change = ledger.newest_change(site)
    if change is not None:
        state.config = configuration.load(ledger, site, change)
        state.judge.configure(state.config.catalogue, state.config.rules, now)


def _replay(ledger: Ledger, site: str, state: Restored, entry: JournalEntry) -> None:
    content = entry.content
    if entry.kind is EntryKind.UNJUDGED:
        pass
    elif isinstance(content, ReadingBatch):
        state.judge.feed(content)
    elif isinstance(content, Clock):
        state.judge.clock(content.now, content.connected)
    elif isinstance(content, Review):
        state.judge.review(content.now, content)
    else:
        state.config = configuration.load(ledger, site, content)
        state.judge.configure(state.config.catalogue, state.config.rules, entry.received)
    state.n = entry.n
    state.now = max(state.now, entry.received)
    state.replayed += 1


def _note_boots(state: Restored, batch: ReadingBatch) -> None:
    for span in batch.spans:
        if not span.boot:
            continue
        position = Position(span.agent, span.boot, span.seq)
        if state.seen and state.seen[-1].agent == span.agent and state.seen[-1].boot == span.boot:
            state.seen[-1] = position
        else:
            state.seen.append(position)
