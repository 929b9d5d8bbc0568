"""Decides which pack to publish when, so that ingest takes every reading exactly once and in order (go-back-N).

It cuts the outbox into numbered packs, keeps at most a window of them ahead of the receipt, goes back when there is no
progress, and settles the outbox as receipts come. Without progress it sends the first pack again, alone, at growing
intervals; the rest follows it once that is receipted (an outage of ingest must not cost a whole window every minute).
For the agent's loop, which owns the connection: there is no socket and no clock here. `tick` is a monotonic time in
ms, `promise` is UTC ms.

Three rules are easy to break. Pack `seq` always holds the same rows, since nobody can know which copy arrived; so
rows in flight are protected from the outbox's bounds. Only packs that were handed out can be receipted. `upto` of a
pack never exceeds what is still to come: a row's own `upto` inside the queue, the source's promise at its end.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.readings import Reading
from domain.times import SECOND
from edge.outbox import Outbox
from wire.senml import AGENT_PACK_BYTES, MAX_RECORDS, GapRecord, split_packs

WINDOW = 64
RETRY_FIRST = 5 * SECOND
RETRY_LAST = 60 * SECOND
IDLE = 30 * SECOND
# A receipt that repeats asks to go back, but only when the pack it waits for has had time to be taken: otherwise one
# stray copy of a receipt would send the whole window twice, whose copies repeat receipts again, without end.
REPEAT_AFTER = 1 * SECOND
GAPS_PER_PACK = 20


class ReceiptOutcome(StrEnum):
    """What became of a receipt."""

    PROGRESS = "progress"
    WENT_BACK = "went_back"
    REPEATED = "repeated"
    OTHER_BOOT = "other_boot"
    NEVER_PUBLISHED = "never_published"


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack to publish now. `low` is the oldest number still held; an empty pack only carries the promise."""

    seq: int
    readings: tuple[Reading, ...]
    gaps: tuple[GapRecord, ...]
    upto: int
    low: int


@dataclass(slots=True)
class _Sealed:
    """A pack that was handed out and is not receipted: rows `first` to `last`, none when `first` > `last`."""

    seq: int
    first: int
    last: int
    upto: int
    gap_ids: tuple[int, ...]
    gaps: tuple[GapRecord, ...]
    sent_at: int
    copies: int = 1


class Publisher:
    """The sender's half of go-back-N over one outbox, for one boot."""

    def __init__(self, outbox: Outbox, boot: str) -> None:
        self.boot = boot
        self._outbox = outbox
        self._flight: deque[_Sealed] = deque()
        self._next = 0  # index in the flight of the first pack to hand out (again)
        self._published = 0
        self._through = 0
        self._sealed_row = 0
        self._promised = 0
        self._retry = RETRY_FIRST
        self._retry_at = 0
        self._idle_at = 0
        self._latency = 0
        self._went_back_for = -1
        self._connected = False
        self._fresh = False
        self._probing = False
        self._unsettled = 0, list[int]()  # row and gap records that are receipted and not yet forgotten

    @property
    def settled(self) -> bool:
        """Whether nothing is left to publish or to be receipted."""
        return not self._flight and self._outbox.held == 0

    @property
    def waiting(self) -> bool:
        """Whether something was handed out that is not receipted."""
        return bool(self._flight)

    @property
    def through(self) -> int:
        """The newest pack that is receipted."""
        return self._through

    def on_connect(self, tick: int) -> None:
        """The connection stands: what was handed out before may be lost."""
        self._connected, self._fresh, self._probing = True, bool(self._flight), False
        self._retry, self._retry_at = RETRY_FIRST, tick + RETRY_FIRST

    def on_disconnect(self) -> None:
        """The connection is gone: nothing is handed out."""
        self._connected = False

    def on_receipt(self, boot: str, through: int, tick: int) -> ReceiptOutcome:
        """Ingest has settled everything of `boot` up to `through`."""
        if boot != self.boot:
            return ReceiptOutcome.OTHER_BOOT
        if through > self._published:
            return ReceiptOutcome.NEVER_PUBLISHED
        fresh, self._fresh = self._fresh, False
        if through > self._through:
            self._settle(through, tick)
            if fresh or self._probing:
                self._next = 0
            self._probing = False
            return ReceiptOutcome.PROGRESS
        if self._probing or self._next == 0 or not (fresh or self._overdue(tick)):
            return ReceiptOutcome.REPEATED
        self._went_back_for = self._through
        self._next = 0
        return ReceiptOutcome.WENT_BACK

    def next_pack(self, tick: int, promise: int | None, units: Mapping[str, str]) -> Pack | None:
        """The pack to publish now, if any; call again until None.

        `promise`: nothing that is not yet in the outbox is earlier; None while no source has said anything.
        """
        if not self._connected:
            return None
        self._forget()
        if self._flight and tick >= self._retry_at:
            self._next, self._probing = 0, True
            self._retry = min(2 * self._retry, RETRY_LAST)
            self._retry_at = tick + self._retry
        if self._probing and self._next > 0:
            return None
        if self._next < len(self._flight):
            sealed = self._flight[self._next]
            sealed.copies += 1
            sealed.sent_at = tick
        else:
            found = self._seal(tick, promise, units)
            if found is None:
                return None
            if not self._flight:
                self._retry_at = tick + self._retry
            sealed = found
            self._flight.append(sealed)
            self._published = sealed.seq
            self._promised = max(self._promised, sealed.upto)
            self._idle_at = tick + IDLE
        self._next += 1
        rows = self._outbox.rows(sealed.first, sealed.last) if sealed.first <= sealed.last else []
        low = self._flight[0].seq
        return Pack(sealed.seq, tuple(row.reading for row in rows), sealed.gaps, sealed.upto, low)

    def wake_at(self) -> int | None:
        """The tick at which `next_pack` has something to say although nothing else happened; None: never."""
        if not self._connected:
            return None
        return self._retry_at if self._flight else self._idle_at

    def _settle(self, through: int, tick: int) -> None:
        row, gaps = self._unsettled
        while self._flight and self._flight[0].seq <= through:
            sealed = self._flight.popleft()
            row = max(row, sealed.last)
            gaps.extend(sealed.gap_ids)
            if sealed.copies == 1:  # of a pack sent twice nobody knows which copy was answered
                self._latency = (3 * self._latency + tick - sealed.sent_at) // 4
            self._next = max(0, self._next - 1)
        self._unsettled = row, gaps
        self._through = through
        self._retry, self._retry_at = RETRY_FIRST, tick + RETRY_FIRST
        self._forget()

    def _forget(self) -> None:
        """Delete what is receipted; what the disk refuses now is deleted another time."""
        row, gaps = self._unsettled
        if (row or gaps) and self._outbox.settle(row, gaps):
            self._unsettled = 0, []

    def _overdue(self, tick: int) -> bool:
        """Whether the first pack in flight should have been taken by now, and was not asked for already."""
        waited = tick - self._flight[0].sent_at
        return self._went_back_for != self._through and waited >= max(REPEAT_AFTER, 2 * self._latency)

    def _seal(self, tick: int, promise: int | None, units: Mapping[str, str]) -> _Sealed | None:
        """The next new pack, unless the window is full or there is nothing to say."""
        if len(self._flight) >= WINDOW:
            return None
        rows = self._outbox.peek(self._sealed_row, MAX_RECORDS)
        if not rows and promise is None:
            return None  # nothing is known about what comes: a pack without a true `upto` must not go out
        gaps = self._outbox.take_gaps(GAPS_PER_PACK)
        if not rows and not gaps and (self._flight or tick < self._idle_at):
            return None
        records = [held.gap for held in gaps]
        run = next(split_packs((row.reading for row in rows), units=units, limit=AGENT_PACK_BYTES, gaps=records), [])
        first = self._sealed_row + 1
        if run:
            first, self._sealed_row = rows[0].id, rows[len(run) - 1].id
            self._outbox.protect(self._sealed_row)
        upto = rows[len(run) - 1].upto if run else 0
        # A run is shorter than MAX_RECORDS, the header takes one: equal lengths mean that the queue ends here.
        if promise is not None and len(run) == len(rows):
            upto = max(upto, promise)
        ids = tuple(held.id for held in gaps)
        return _Sealed(self._published + 1, first, self._sealed_row, upto, ids, tuple(records), tick)
