"""In-memory stand-ins for the ports that ingest uses, with switches for failure; and messages as brokers bring them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.batch import Gap, ReadingBatch
from domain.catalogue import Catalogue
from domain.readings import Reading
from domain.records import (
    AppendResult,
    Latest,
    Refused,
    Review,
    Revision,
    Series,
    Windows,
)
from ingest.inbox import Ack, Inbound
from ingest.mailbox import Mailbox
from ingest.metrics import Counters
from ingest.parts import Parts
from ingest.settings import IngestSettings
from tests.unit.ingest.fake_ledger import NOW, SITE, FakeLedger
from wire.senml import encode_pack
from wire.topics import parse_topic, readings_topic, unsequenced_topic

if TYPE_CHECKING:
    pass


def pack(
    seq: int,
    *values: float,
    agent: str = "a",
    boot: str = "b1",
    start: int = NOW,
    point: str = "fridge-1/temperature",
    low: int = 1,
    upto: int | None = None,
    retained: bool = False,
) -> Inbound:
    """A sequenced pack with one value a second from `start` on."""
    readings = [Reading(point, start + 1000 * number, value) for number, value in enumerate(values)]
    last = start + 1000 * len(values) if upto is None else upto
    payload = encode_pack(readings, units={}, sent=start, upto=last, low=low)
    return raw(readings_topic(SITE, agent, boot, seq), payload, retained=retained)


def simple(payload: bytes, agent: str = "esp", ack: Ack | None = None, retained: bool = False) -> Inbound:
    """An unsequenced pack."""
    return raw(unsequenced_topic(SITE, agent), payload, ack=ack, retained=retained)


def raw(text: str, payload: bytes, *, ack: Ack | None = None, retained: bool = False, size: int = -1) -> Inbound:
    return Inbound(text, parse_topic(text), payload, len(payload) if size < 0 else size, retained, ack)


class FakeJudge:
    """Raises an alarm above 8 and clears it below; its snapshot is all it knows. Counts how often it was fed."""

    def __init__(self, site: str = SITE) -> None:
        self.site = site
        self.active: set[str] = set()
        self.values: list[tuple[str, int, float]] = []
        self.clocks: list[tuple[int, bool]] = []
        self.revisions: list[tuple[int, int | None]] = []
        self.fed = 0

    def feed(self, batch: ReadingBatch) -> list[AlarmEvent]:
        self.fed += 1
        events = []
        for reading in batch.readings():
            self.values.append((reading.point, reading.time, reading.value))
            above = reading.value > 8
            if above == (reading.point in self.active):
                continue
            (self.active.add if above else self.active.discard)(reading.point)
            kind, reason = (EventKind.RAISE, Reason.ABOVE_LIMIT) if above else (EventKind.CLEAR, Reason.WITHIN_LIMIT)
            key = AlarmKey("too-warm", reading.point)
            events.append(
                AlarmEvent(kind, key, reason, reading.time, batch.received, priority=Priority.HIGH, value=reading.value)
            )
        return events

    def advance(self, agent: str, until: int) -> list[AlarmEvent]:
        return []

    def clock(self, now: int, connected: bool) -> list[AlarmEvent]:
        self.clocks.append((now, connected))
        return []

    def review(self, now: int, again: Review | None = None) -> tuple[Review, list[AlarmEvent]]:
        return Review(now, ()), []

    def configure(self, catalogue: Catalogue, rules: Revision | None, now: int) -> list[AlarmEvent]:
        if rules is not None and rules.documents[0][1] == "bad":
            raise ValueError("a rule that cannot be judged")
        self.revisions.append((catalogue.commissioned_at or 0, None if rules is None else rules.number))
        return []

    def snapshot(self) -> bytes:
        return msgspec.json.encode([sorted(self.active), self.values, self.revisions])

    def restore(self, blob: bytes) -> None:
        if blob == b"other":
            raise ValueError("another format")
        active, values, revisions = msgspec.json.decode(blob)
        self.active = set(active)
        self.values = [(point, time, value) for point, time, value in values]
        self.revisions = [(at, number) for at, number in revisions]


class FakeSeries:
    """A series store that can be away; appends are idempotent by point and time."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], float] = {}
        self.kept_gaps: list[Gap] = []
        self.away = False
        self.appends = 0
        self.refuses: tuple[Refused, ...] = ()
        self.purged: list[int] = []
        self.unbroken: list[bool] = []  # of each append of several

    def append(self, batch: ReadingBatch) -> AppendResult:
        if self.away:
            raise OSError("the series store is away")
        self.appends += 1
        before = len(self.rows)
        self.rows.update({(row.point, row.time): row.value for row in batch.readings()})
        stored = len(self.rows) - before
        return AppendResult(stored - len(self.refuses), len(batch) - stored, 0, self.refuses)

    def append_all(self, batches: Sequence[ReadingBatch], *, unbroken: bool = False) -> list[AppendResult]:
        if batches:
            self.unbroken.append(unbroken)
        return [self.append(batch) for batch in batches]

    def add_gaps(self, site: str, gaps: Sequence[Gap]) -> None:
        self.kept_gaps.extend(gap for gap in gaps if gap not in self.kept_gaps)

    def gaps(self, site: str, start: int, end: int) -> list[Gap]:
        return self.kept_gaps

    def count(self, site: str) -> int:
        return len(self.rows)

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        raise NotImplementedError

    def window(self, site: str, point: str, start: int, end: int, step: int) -> Windows:
        raise NotImplementedError

    def latest(self, site: str) -> list[Latest]:
        return []

    def purge(self, site: str, before: int) -> int:
        self.purged.append(before)
        return 0

    def close(self) -> None:
        return None


class FakeLink:
    """A broker connection that only notes what it was told."""

    def __init__(self) -> None:
        self.hearing = self.connected = True
        self.connections = 1
        self.acks: list[Ack] = []

    def acknowledge(self, acks: Sequence[Ack]) -> None:
        self.acks.extend(acks)


class Bench:
    """Everything that a session works with, and a clock that is moved by hand."""

    def __init__(self, ledger: FakeLedger | None = None, **settings: int | str) -> None:
        self.ledger = ledger or FakeLedger()
        self.link = FakeLink()
        self.mailbox = Mailbox()
        self.counters = Counters()
        self.time = NOW
        self.judges: list[FakeJudge] = []
        self.pauses: list[int] = []
        self.stopping = False
        self.settings = replace(IngestSettings("mqtt://localhost"), **settings)  # type: ignore[arg-type] # by name
        self.parts = Parts(
            self.settings,
            self.ledger,
            self.make_judge,
            lambda: self.time,
            self.pause,
            self.link,
            self.mailbox,
            self.counters,
        )

    def make_judge(self, site: str) -> FakeJudge:
        self.judges.append(FakeJudge(site))
        return self.judges[-1]

    def pause(self, ms: int) -> bool:
        self.pauses.append(ms)
        self.time += ms
        return not self.stopping

    def published(self) -> dict[str, bytes]:
        return {parcel.topic: parcel.payload for parcel in self.mailbox.collect(10_000)}
