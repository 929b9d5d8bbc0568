"""Accept or reject: what becomes of one message of one site, with the reason in one word.

Decides for the site's worker; pure (no I/O, no clock). It keeps the site's positions, owners and last births, so that
the next message is judged as if this one were committed already: the worker commits in this order or begins anew from
the store. It never raises on what a sender wrote, and gives no receipt itself: `answer` is due after the commit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from domain.batch import Gap
from domain.catalogue import Point
from domain.reasons import DeadReason
from domain.records import DeadLetter, Discovery, Position
from domain.times import MINUTE
from ingest.admission import Admission
from ingest.clocks import ClockNote, ClockWatch
from ingest.express import Express
from ingest.inbox import Inbound
from ingest.letters import letter, part_letter, record_letters
from ingest.positions import Positions, Ruling, Turn
from ingest.sieve import Sieve, keep_rows
from wire.decode import DecodedPack, decode_pack
from wire.messages import MAX_MESSAGE_BYTES, OnlineState, decode_birth, decode_status
from wire.records import read_records
from wire.rejection import Rejection
from wire.senml import MAX_PACK_BYTES
from wire.topics import Kind, Topic

PACKS_MISSING = "packs_missing"
NAMES_SHOWN = 20  # points that the detail of one dead letter names


class Verdict(StrEnum):
    """What became of a message."""

    TAKEN = "taken"  # readings, a birth or a status were accepted, perhaps not all of a pack's records
    DEAD_LETTER = "dead_letter"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    OLD_BOOT = "old_boot"
    RETAINED = "retained"
    EMPTY = "empty"
    TURNED_AWAY = "turned_away"  # of a new agent, beyond the bound per hour: no receipt, it holds
    MISDELIVERED = "misdelivered"  # a receipt or alarm, to which ingest does not subscribe


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one site; docs/ingest.md says what happens beyond them. `future` is in ms."""

    unknown_points: int = 10_000
    agents_per_hour: int = 200
    future: int = 5 * MINUTE


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
    clock: ClockNote | None = None


NO_OTHER_LIMITS = Limits()


class Acceptor:
    """The doorkeeper of one site."""

    def __init__(
        self,
        site: str,
        positions: Mapping[str, Position],
        owners: Mapping[str, str],
        seen: Iterable[Position] = (),
        limits: Limits = NO_OTHER_LIMITS,
    ) -> None:
        self.site = site
        self.clocks = ClockWatch()
        self._limits = limits
        seen = tuple(seen)
        known = {*positions, *owners.values(), *(position.agent for position in seen)}
        self._admission = Admission(known, limits.agents_per_hour)
        self._positions = Positions(positions, seen)
        self._owners = dict(owners)
        self._points: Mapping[str, Point] = {}
        self._births: dict[str, bytes] = {}
        self._reached: dict[str, int] = {}
        self._strangers = len(self._owners)
        self.express = Express(
            self._admission, self._positions, self._owners, self._reached, self.clocks, limits.future
        )

    def configure(self, points: Mapping[str, Point]) -> None:
        """The catalogue's points from now on."""
        self._points = points
        self.express.configure(points)
        self._admission.expect(point.agent for point in points.values() if point.agent)
        self._strangers = sum(name not in points for name in self._owners)

    def accept(self, message: Inbound, received: int) -> Outcome:
        """What becomes of the message, taken at `received` (UTC ms)."""
        topic = message.topic
        if isinstance(topic, Rejection):
            return self._refuse(message, received, topic)
        if topic.kind in (Kind.RECEIPT, Kind.ALARM):
            return Outcome(Verdict.MISDELIVERED)
        if not self._admission.admit(topic.agent, received):
            return self._turn_away(message, topic, received)
        return self._heard(message, topic, received)

    def replay(self, message: Inbound, received: int) -> Outcome:
        """What becomes of a dead letter that is put through acceptance again: as a pack that promises nothing, in the
        rights and units of now. It moves no position: its message was settled long ago."""
        topic = message.topic
        if isinstance(topic, Rejection) or topic.kind not in (Kind.READINGS, Kind.UNSEQUENCED):
            return Outcome(Verdict.EMPTY)
        return self._pack(message, Topic(Kind.UNSEQUENCED, topic.site, topic.agent), received, None)

    def _heard(self, message: Inbound, topic: Topic, received: int) -> Outcome:
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
            case _:
                return Outcome(Verdict.MISDELIVERED)

    def _turn_away(self, message: Inbound, topic: Topic, received: int) -> Outcome:
        """No receipt: an agent holds. A simple device cannot, so each of its packs becomes a dead letter."""
        if topic.kind is not Kind.UNSEQUENCED and not self._admission.first_refusal(topic.agent):
            return Outcome(Verdict.TURNED_AWAY)
        detail = f"more than {self._limits.agents_per_hour} new agents within an hour: name it in the site file"
        refused = letter(self.site, message, received, DeadReason.TOO_MANY_AGENTS, detail)
        return Outcome(Verdict.TURNED_AWAY, letters=(refused,))

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
        decoded = self._decode(message, received)
        skipped = ruling.skipped if ruling else 0
        if isinstance(decoded, Rejection):
            return self._refuse(
                message, received, decoded, ruling, self._gap_of_missing(topic.agent, skipped, received, received)
            )
        gaps: tuple[Gap, ...] = ()
        if skipped:
            first = decoded.oldest if len(decoded) else decoded.upto or received
            gaps = self._gap_of_missing(topic.agent, skipped, first, received)
        letters = record_letters(self.site, message, received, decoded.rejected)
        sieved = Sieve(self.site, message, received, self._limits.future).sift(topic.agent, decoded)
        gaps, letters = gaps + sieved.gaps, letters + sieved.letters
        rows, refused, owned = self._owned_rows(topic.agent, sieved.rows)
        for reason, names in refused.items():
            letters += (self._letter_of_points(message, received, reason, names),)
        position = ruling.answer if ruling else None
        if ruling is None and not len(rows) and not gaps:
            verdict = Verdict.DEAD_LETTER if letters else Verdict.EMPTY
            return Outcome(verdict, letters=letters, owners=owned)
        # A simple device's pack carries no promise, whatever it says: nobody could ask it to keep one.
        upto = sieved.upto if ruling else 0
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
            clock=self._clock(message, topic, received, decoded.sent),
        )

    def _clock(self, message: Inbound, topic: Topic, received: int, sent: int | None) -> ClockNote | None:
        """What the pack says of its agent's clock; a dead letter says nothing: it was sent long ago."""
        return None if sent is None or message.letter else self.clocks.note(topic.agent, received, sent)

    def _letter_of_points(
        self, message: Inbound, received: int, reason: DeadReason, names: Sequence[str]
    ) -> DeadLetter:
        shown = ", ".join(names[:NAMES_SHOWN]) + (" …" if len(names) > NAMES_SHOWN else "")
        most = self._limits.unknown_points
        detail = {
            DeadReason.NOT_OWNER: f"not this agent's points: {shown}",
            DeadReason.TOO_MANY_POINTS: f"more than {most} points that the site file does not name: {shown}",
        }[reason]
        return part_letter(self.site, message, received, reason, detail, lambda part: part.name in names)

    def _decode(self, message: Inbound, received: int) -> DecodedPack | Rejection:
        if message.size > MAX_PACK_BYTES:
            return Rejection(DeadReason.TOO_LARGE, f"{message.size} bytes; a pack has at most {MAX_PACK_BYTES}")
        # Relative times count from when the message came first; only a sequenced pack may have waited before that.
        sequenced = isinstance(message.topic, Topic) and message.topic.kind is Kind.READINGS
        at = message.first_received or received
        return decode_pack(message.payload, site=self.site, received=at, points=self._points, sequenced=sequenced)

    def _gap_of_missing(self, agent: str, skipped: int, end: int, received: int) -> tuple[Gap, ...]:
        if not skipped:
            return ()
        start = min(self._reached.get(agent) or end, end)
        return (Gap(agent, start, max(start, min(end, received)), 0, PACKS_MISSING),)

    def _owned_rows(
        self, agent: str, pack: DecodedPack
    ) -> tuple[DecodedPack, dict[DeadReason, list[str]], tuple[tuple[str, str], ...]]:
        """The rows that the agent may write, the points that it may not, and those that it owns from now on."""
        refused: dict[DeadReason, list[str]] = {}
        owned = []
        for name in pack.names:
            point = self._points.get(name)
            known = self._owners.get(name)
            owner = (point.agent if point else None) or known or agent
            if owner != agent:
                refused.setdefault(DeadReason.NOT_OWNER, []).append(name)
            elif point is None and known is None and self._strangers >= self._limits.unknown_points:
                refused.setdefault(DeadReason.TOO_MANY_POINTS, []).append(name)
            elif known != agent:
                self._strangers += point is None and known is None
                self._owners[name] = agent
                owned.append((name, agent))
        gone = {name for names in refused.values() for name in names}
        if gone:
            pack = keep_rows(pack, np.array([name not in gone for name in pack.names], np.bool_)[pack.point])
        return pack, refused, tuple(owned)

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
