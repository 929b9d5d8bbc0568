"""In-memory stand-ins for the ports that ingest uses, with switches for failure; and messages as brokers bring them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from domain.alarms import Alarm, AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.batch import Gap, ReadingBatch, decode_batch, encode_batch
from domain.catalogue import Catalogue
from domain.errors import FencedError
from domain.lifecycle import apply
from domain.readings import Reading
from domain.records import (
    AlarmFilter,
    AppendResult,
    Clock,
    Commit,
    Committed,
    ConfigChange,
    DeadLetter,
    Discovery,
    EntryKind,
    JournalEntry,
    Latest,
    Position,
    ProcessRow,
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
from wire.senml import encode_pack
from wire.topics import parse_topic, readings_topic, unsequenced_topic

if TYPE_CHECKING:
    from domain.records import Lease

SITE = "school"
NOW = 1_772_000_000_000
SITE_YAML = """
site: {id: school}
areas: [{id: kitchen}]
assets:
  - id: fridge-1
    type: refrigerator
    area: kitchen
    points:
      temperature: {interval: 60s}
      door: {}
  - id: freezer-1
    type: freezer
    area: kitchen
    agent: cellar
    points: {temperature: {interval: 60s}}
"""


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


@dataclass
class FakeLedger:
    """The operational store in memory; commits are encoded and decoded, as the real one does."""

    site_documents: dict[str, list[str]] = field(default_factory=lambda: {SITE: [SITE_YAML]})
    rules: dict[str, list[str]] = field(default_factory=dict)
    commissioned: int | None = None
    commits: list[Commit] = field(default_factory=list)
    entries: list[JournalEntry] = field(default_factory=list)
    last_n: int = 0
    held: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    place: dict[str, Position] = field(default_factory=dict)
    owned: dict[str, str] = field(default_factory=dict)
    letters: list[DeadLetter] = field(default_factory=list)
    found: list[Discovery] = field(default_factory=list)
    kept_alarms: dict[AlarmKey, Alarm] = field(default_factory=dict)
    newest: dict[str, Latest] = field(default_factory=dict)
    cursors: dict[str, int] = field(default_factory=dict)
    kept_snapshot: tuple[int, bytes] | None = None
    asked: list[DeadLetter] = field(default_factory=list)
    replayed: list[int] = field(default_factory=list)
    beats: list[ProcessRow] = field(default_factory=list)
    refuse: int = 0
    refuse_after_writing: int = 0
    held_bytes: int | None = None

    def sites(self) -> list[str]:
        return sorted(self.site_documents)

    def acquire(self, site: str, worker: str, now: int, ttl: int, epoch: int | None = None) -> int | None:
        holder, present, until = self.held.get(site, ("", 0, 0))
        if epoch is None:
            if holder not in ("", worker) and until > now:
                return None
            epoch = present + 1
        elif (holder, present) != (worker, epoch):
            return None
        self.held[site] = (worker, epoch, now + ttl)
        return epoch

    def release(self, site: str, worker: str, epoch: int) -> None:
        if self.held.get(site, ("", 0, 0))[:2] == (worker, epoch):
            self.held[site] = (worker, epoch, 0)

    def leases(self) -> "list[Lease]":
        from domain.records import Lease

        return [Lease(site, *row) for site, row in sorted(self.held.items())]

    def positions(self, site: str) -> dict[str, Position]:
        return dict(self.place)

    def owners(self, site: str) -> dict[str, str]:
        return dict(self.owned)

    def commit(self, commit: Commit) -> Committed:
        if self.refuse:
            self.refuse -= 1
            raise OSError("disk full")
        holder, epoch, _ = self.held.get(commit.site, ("", 0, 0))
        if (holder, epoch) != (commit.worker, commit.epoch):
            raise FencedError("another worker")
        last = self.commits[-1] if self.commits else None
        if last and commit.serial and (last.epoch, last.serial) == (commit.epoch, commit.serial):
            return Committed(self.last_n, ())
        self.commits.append(commit)
        for kind, content in commit.entries:
            self.last_n += 1
            kept = decode_batch(encode_batch(content)) if isinstance(content, ReadingBatch) else content
            self.entries.append(JournalEntry(commit.site, self.last_n, commit.received, kind, kept))
        self.place.update((position.agent, position) for position in commit.positions)
        self.owned.update(commit.owners)
        self.letters.extend(commit.dead_letters)
        self.replayed.extend(commit.replayed)
        self.found.extend(commit.discoveries)
        transitions = []
        for event in commit.events:
            present = self.kept_alarms.get(event.key, Alarm(commit.site, event.key))
            self.kept_alarms[event.key], transition = apply(present, event)
            transitions.append(transition)
        if self.refuse_after_writing:
            self.refuse_after_writing -= 1
            raise OSError("connection lost")
        return Committed(self.last_n, tuple(transitions))

    def journal(self, site: str, after: int, limit: int) -> list[JournalEntry]:
        return [entry for entry in self.entries if entry.n > after][:limit]

    def journal_end(self, site: str) -> int:
        return self.last_n

    def journal_bytes(self, site: str) -> int:
        return 100 * len(self.entries) if self.held_bytes is None else self.held_bytes

    def snapshot(self, site: str) -> tuple[int, bytes] | None:
        return self.kept_snapshot

    def save_snapshot(self, site: str, n: int, blob: bytes, now: int) -> None:
        self.kept_snapshot = (n, blob)

    def cursor(self, site: str, name: str) -> int:
        return self.cursors.get(name, 0)

    def set_cursor(self, site: str, name: str, n: int, dead_letters: Sequence[DeadLetter] = ()) -> None:
        self.cursors[name] = n
        self.letters.extend(dead_letters)

    def trim(self, site: str, keep_after: int) -> int:
        edge = min(keep_after, *(self.cursors.values() or [0]), (self.kept_snapshot or (0, b""))[0])
        before = len(self.entries)
        self.entries = [entry for entry in self.entries if entry.n > edge]
        return before - len(self.entries)

    def replay_requests(self, site: str, limit: int) -> list[DeadLetter]:
        return [letter for letter in self.asked if letter.id not in self.replayed][:limit]

    def flush_latest(self, site: str, rows: Sequence[Latest]) -> None:
        if self.refuse:
            raise OSError("disk full")
        self.newest.update((row.point, row) for row in rows)

    def site_revision(self, site: str, number: int | None = None) -> Revision | None:
        return _revision(site, self.site_documents.get(site, []), number)

    def rules_revision(self, site: str, number: int | None = None) -> Revision | None:
        return _revision(site, self.rules.get(site, []), number)

    def newest_change(self, site: str) -> ConfigChange | None:
        catalogue, rules = self.site_revision(site), self.rules_revision(site)
        if catalogue is None:
            return None
        return ConfigChange(catalogue.number, 0 if rules is None else rules.number, self.commissioned)

    def alarms(self, where: AlarmFilter, limit: int, offset: int = 0) -> tuple[list[Alarm], int]:
        found = [
            alarm
            for alarm in self.kept_alarms.values()
            if (not where.states or alarm.state in where.states)
            and where.rule in (None, alarm.key.rule)
            and where.point in (None, alarm.key.point)
        ]
        return found[offset : offset + limit], len(found)

    def beat(self, process: ProcessRow) -> None:
        self.beats.append(process)

    def acknowledge(self, key: AlarmKey) -> None:
        """What a person does through the API."""
        event = AlarmEvent(EventKind.ACKNOWLEDGE, key, Reason.BY_PERSON, NOW, NOW, by="cook")
        self.kept_alarms[key], _ = apply(self.kept_alarms[key], event)

    def readings(self) -> list[tuple[str, int, float]]:
        """Every journalled reading in order."""
        batches = [entry.content for entry in self.entries if isinstance(entry.content, ReadingBatch)]
        return [(row.point, row.time, row.value) for batch in batches for row in batch.readings()]

    def kinds(self) -> list[EntryKind]:
        return [entry.kind for entry in self.entries]

    def clocks(self) -> list[Clock]:
        return [entry.content for entry in self.entries if isinstance(entry.content, Clock)]


def _revision(site: str, documents: list[str], number: int | None) -> Revision | None:
    number = len(documents) if number is None else number
    if not 1 <= number <= len(documents):
        return None
    return Revision(site, number, (("file.yaml", documents[number - 1]),), NOW, "test")


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
