"""Accept or reject: what becomes of one message of one site, with the reason in one word.

Decides for the site's worker; pure (no I/O, no clock). It keeps the site's positions, owners and last births, so that
the next message is judged as if this one were committed already: the worker commits in this order or begins anew from
the store. It never raises on what a sender wrote, and gives no receipt itself: `answer` is due after the commit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from domain.batch import Gap
from domain.catalogue import Point
from domain.reasons import DeadReason
from domain.records import DeadLetter, Discovery, Position
from ingest.inbox import Inbound
from ingest.letters import letter, record_letters
from ingest.positions import Positions, Ruling, Turn
from wire.decode import DecodedPack, decode_pack
from wire.messages import MAX_MESSAGE_BYTES, OnlineState, decode_birth, decode_status
from wire.records import read_records
from wire.rejection import Rejection
from wire.senml import MAX_PACK_BYTES
from wire.topics import Kind, Topic

MOST_STRANGERS = 10_000  # unknown points per site whose first publisher is remembered as their owner
PACKS_MISSING = "packs_missing"


class Verdict(StrEnum):
    """What became of a message."""

    TAKEN = "taken"  # readings, a birth or a status were accepted, perhaps not all of a pack's records
    DEAD_LETTER = "dead_letter"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    OLD_BOOT = "old_boot"
    RETAINED = "retained"
    EMPTY = "empty"
    MISDELIVERED = "misdelivered"  # a receipt or alarm, to which ingest does not subscribe


@dataclass(frozen=True, slots=True)
class TakenPack:
    """The accepted rows of one pack; `boot` is empty and `seq` 0 for an unsequenced one."""

    agent: str
    boot: str
    seq: int
    upto: int
    rows: DecodedPack


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one message changes. `position` is to be committed, `answer` to be published as a receipt afterwards."""

    verdict: Verdict
    pack: TakenPack | None = None
    gaps: tuple[Gap, ...] = ()
    letters: tuple[DeadLetter, ...] = ()
    discoveries: tuple[Discovery, ...] = ()
    owners: tuple[tuple[str, str], ...] = ()
    births: tuple[tuple[str, bytes], ...] = ()
    statuses: tuple[tuple[str, bool, str], ...] = ()
    position: Position | None = None
    answer: Position | None = None
    skipped: int = 0


class Acceptor:
    """The doorkeeper of one site."""

    def __init__(
        self,
        site: str,
        positions: Mapping[str, Position],
        owners: Mapping[str, str],
        seen: Iterable[Position] = (),
    ) -> None:
        self.site = site
        self._positions = Positions(positions, seen)
        self._owners = dict(owners)
        self._points: Mapping[str, Point] = {}
        self._births: dict[str, bytes] = {}
        self._reached: dict[str, int] = {}

    def configure(self, points: Mapping[str, Point]) -> None:
        """The catalogue's points from now on."""
        self._points = points

    def accept(self, message: Inbound, received: int) -> Outcome:
        """What becomes of the message, taken at `received` (UTC ms)."""
        topic = message.topic
        if isinstance(topic, Rejection):
            return self._refuse(message, received, topic)
        match topic.kind:
            case Kind.READINGS:
                return self._sequenced(message, topic, received)
            case Kind.UNSEQUENCED:
                if message.retained:
                    return Outcome(Verdict.RETAINED)
                return self._pack(message, topic, received, None)
            case Kind.BIRTH:
                return self._birth(message, topic, received)
            case Kind.STATUS:
                return self._status(message, topic, received)
            case Kind.RECEIPT | Kind.ALARM:
                return Outcome(Verdict.MISDELIVERED)

    def _refuse(
        self, message: Inbound, received: int, why: Rejection, ruling: Ruling | None = None, gaps: tuple[Gap, ...] = ()
    ) -> Outcome:
        position = ruling.answer if ruling else None
        letters = (letter(self.site, message, received, why.reason, why.detail),)
        return Outcome(Verdict.DEAD_LETTER, gaps=gaps, letters=letters, position=position, answer=position)

    def _sequenced(self, message: Inbound, topic: Topic, received: int) -> Outcome:
        if message.retained:
            return Outcome(Verdict.RETAINED)
        ruling = self._positions.rule(topic.agent, topic.boot, topic.seq, lambda: _low_of(message.payload))
        if ruling.turn is Turn.NEXT:
            return self._pack(message, topic, received, ruling)
        gaps = self._gap_of_missing(topic.agent, ruling.skipped, received, received)
        moved = ruling.answer if ruling.skipped else None
        verdict = Verdict(ruling.turn.value)
        return Outcome(verdict, gaps=gaps, position=moved, answer=ruling.answer, skipped=ruling.skipped)

    def _pack(self, message: Inbound, topic: Topic, received: int, ruling: Ruling | None) -> Outcome:
        decoded = self._decode(message, received, sequenced=ruling is not None)
        skipped = ruling.skipped if ruling else 0
        if isinstance(decoded, Rejection):
            return self._refuse(
                message, received, decoded, ruling, self._gap_of_missing(topic.agent, skipped, received, received)
            )
        first = int(decoded.time.min()) if len(decoded) else decoded.upto or received
        gaps = self._gap_of_missing(topic.agent, skipped, first, received)
        gaps += tuple(Gap(topic.agent, g.start, g.end, g.count, g.reason, g.points) for g in decoded.gaps)
        letters = record_letters(self.site, message, received, decoded.rejected)
        rows, foreign, owned = self._owned_rows(topic.agent, decoded)
        if foreign:
            detail = "not this agent's points: " + ", ".join(foreign)
            letters += (letter(self.site, message, received, DeadReason.NOT_OWNER, detail),)
        position = ruling.answer if ruling else None
        if ruling is None and not len(rows) and not gaps:
            verdict = Verdict.DEAD_LETTER if letters else Verdict.EMPTY
            return Outcome(verdict, letters=letters, owners=owned)
        # A simple device's pack carries no promise, whatever it says: nobody could ask it to keep one.
        upto = (decoded.upto or 0) if ruling else 0
        self._reached[topic.agent] = max(upto, self._reached.get(topic.agent, 0))
        return Outcome(
            Verdict.TAKEN,
            TakenPack(topic.agent, topic.boot, topic.seq, upto, rows),
            gaps,
            letters,
            self._discoveries(topic.agent, rows, received),
            owned,
            position=position,
            answer=position,
            skipped=skipped,
        )

    def _decode(self, message: Inbound, received: int, *, sequenced: bool) -> DecodedPack | Rejection:
        if message.size > MAX_PACK_BYTES:
            return Rejection(DeadReason.TOO_LARGE, f"{message.size} bytes; a pack has at most {MAX_PACK_BYTES}")
        return decode_pack(message.payload, site=self.site, received=received, points=self._points, sequenced=sequenced)

    def _gap_of_missing(self, agent: str, skipped: int, end: int, received: int) -> tuple[Gap, ...]:
        if not skipped:
            return ()
        start = min(self._reached.get(agent) or end, end)
        return (Gap(agent, start, max(start, min(end, received)), 0, PACKS_MISSING),)

    def _owned_rows(self, agent: str, pack: DecodedPack) -> tuple[DecodedPack, list[str], tuple[tuple[str, str], ...]]:
        """The rows that the agent may write, the points that it may not, and those that it owns from now on."""
        foreign, owned = [], []
        for name in pack.names:
            point = self._points.get(name)
            known = self._owners.get(name)
            owner = (point.agent if point else None) or known or agent
            if owner != agent:
                foreign.append(name)
            elif known != agent and (point is not None or len(self._owners) < len(self._points) + MOST_STRANGERS):
                self._owners[name] = agent
                owned.append((name, agent))
        return (_without(pack, foreign) if foreign else pack), foreign, tuple(owned)

    def _discoveries(self, agent: str, rows: DecodedPack, received: int) -> tuple[Discovery, ...]:
        found = []
        for number, name in enumerate(rows.names):
            if name in self._points:
                continue
            last = int(np.flatnonzero(rows.point == number)[-1])
            unit = rows.units.get(name, "")
            found.append(Discovery(self.site, name, agent, unit, received, received, float(rows.value[last])))
        return tuple(found)

    def _birth(self, message: Inbound, topic: Topic, received: int) -> Outcome:
        if not message.size:
            return Outcome(Verdict.EMPTY)
        birth = _too_large(message) or decode_birth(message.payload)
        if isinstance(birth, Rejection):
            return self._refuse(message, received, birth)
        if self._births.get(topic.agent) == message.payload:
            return Outcome(Verdict.DUPLICATE)
        self._births[topic.agent] = message.payload
        return Outcome(Verdict.TAKEN, births=((topic.agent, message.payload),))

    def _status(self, message: Inbound, topic: Topic, received: int) -> Outcome:
        if not message.size:
            return Outcome(Verdict.EMPTY)
        status = _too_large(message) or decode_status(message.payload)
        if isinstance(status, Rejection):
            return self._refuse(message, received, status)
        online = status.state is OnlineState.ONLINE
        current = self._positions.current(topic.agent)
        if online:
            self._positions.online(topic.agent, status.boot)
        elif current is not None and current.boot != status.boot:
            return Outcome(Verdict.OLD_BOOT)
        return Outcome(Verdict.TAKEN, statuses=((topic.agent, online, status.boot),))


def _too_large(message: Inbound) -> Rejection | None:
    if message.size <= MAX_MESSAGE_BYTES:
        return None
    return Rejection(DeadReason.TOO_LARGE, f"{message.size} bytes; at most {MAX_MESSAGE_BYTES} are read")


def _low_of(payload: bytes) -> int | None:
    """The label `low` of a pack that is not decoded, if it can be read."""
    read = read_records(payload)
    if isinstance(read, Rejection) or not read.records:
        return None
    low = read.records[0].low
    return low if isinstance(low, int) else None


def _without(pack: DecodedPack, foreign: list[str]) -> DecodedPack:
    """The pack without the rows of those points."""
    keep_name = np.array([name not in foreign for name in pack.names], np.bool_)
    keep = keep_name[pack.point]
    new_index = np.cumsum(keep_name, dtype=np.int32) - 1
    new_row = np.cumsum(keep, dtype=np.int64) - 1
    return DecodedPack(
        pack.site,
        tuple(name for name, kept in zip(pack.names, keep_name.tolist(), strict=True) if kept),
        new_index[pack.point[keep]].astype(np.int32),
        pack.time[keep],
        pack.value[keep],
        pack.quality[keep],
        {int(new_row[row]): text for row, text in pack.texts.items() if keep[row]},
        pack.units,
        pack.gaps,
        pack.sent,
        pack.upto,
        pack.low,
        pack.rejected,
    )
